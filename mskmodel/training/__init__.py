"""The training loop, and what it needs: augmentation, checkpoints, several GPUs."""

"""What is claimed about the model, to be found out again by anybody."""

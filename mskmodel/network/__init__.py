"""AlexNet, the weights it starts from, and the one way from pixels to its input."""

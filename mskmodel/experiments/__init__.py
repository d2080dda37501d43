"""The experiments behind what is claimed about the model, for anybody to repeat."""

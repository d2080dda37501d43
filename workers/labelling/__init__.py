"""Labelling: one run of the label task, and the model that it uses."""

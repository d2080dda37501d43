"""Labelling: one run of the label task, the model that it uses, and relabelling of the archive."""

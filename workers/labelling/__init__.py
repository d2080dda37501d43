"""Labelling: what a run of the label task does to its instances, with which model, and the archive anew."""

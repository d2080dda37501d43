"""Relevant priors: which earlier studies of a patient a radiologist wants beside the current one, and why."""

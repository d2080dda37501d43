"""Labelled radiographs: from folders, from snapshots, from phantoms; split by patient."""

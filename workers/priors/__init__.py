"""Relevant priors of a study that Orthanc holds: candidates by the index, and what other modalities' headers say."""

"""What is written to an instance in Orthanc: the outcome of labelling, the truth, and the label shown for both."""

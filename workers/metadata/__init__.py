"""What stands on an instance in Orthanc: the outcome of labelling, the truth, and the label shown of both."""

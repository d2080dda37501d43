"""Results as DICOM objects: reports of a study, and copies of images whose headers say what they show."""

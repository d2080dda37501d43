"""Results that leave the labeller as DICOM: a report in each study, and copies of images with corrected headers."""

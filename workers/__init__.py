"""The online side: what runs beside Orthanc, from the webhook to the label, and from corrections to a better model."""

"""DICOMweb for viewers and archives: what Orthanc's plugin serves, with attributes that tell what the images show."""

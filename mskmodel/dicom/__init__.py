"""Radiographs from files and into files: DICOM of every transfer syntax, and raster images."""

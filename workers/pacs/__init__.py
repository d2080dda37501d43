"""The way to PACS: the one client of Orthanc's REST interface, and radiographs sent over DICOM."""

from workers.pacs.answers import Above, ChangesPage, Parents, Stored, StudyInstance
from workers.pacs.client import OrthancClient, TooLarge
from workers.pacs.configuration import Configuration
from workers.pacs.dicom_web import DicomWeb, DicomWebAnswer, NoPlugin
from workers.pacs.http import (
    OrthancConflict,
    OrthancError,
    OrthancNotFound,
    OrthancRefused,
    OrthancUnavailable,
    OrthancUnregistered,
)
from workers.pacs.identifiers import study_of

__all__ = [
    "Above",
    "ChangesPage",
    "Configuration",
    "DicomWeb",
    "DicomWebAnswer",
    "NoPlugin",
    "OrthancClient",
    "OrthancConflict",
    "OrthancError",
    "OrthancNotFound",
    "OrthancRefused",
    "OrthancUnavailable",
    "OrthancUnregistered",
    "Parents",
    "Stored",
    "StudyInstance",
    "TooLarge",
    "study_of",
]

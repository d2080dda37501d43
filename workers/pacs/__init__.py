"""The way to PACS: the one client of Orthanc's REST interface, and radiographs sent over DICOM."""

from workers.pacs.answers import ChangesPage, Parents, Stored, StudyInstance
from workers.pacs.client import OrthancClient, TooLarge
from workers.pacs.configuration import Configuration
from workers.pacs.http import OrthancConflict, OrthancError, OrthancNotFound, OrthancRefused, OrthancUnavailable
from workers.pacs.identifiers import study_of

__all__ = [
    "ChangesPage",
    "Configuration",
    "OrthancClient",
    "OrthancConflict",
    "OrthancError",
    "OrthancNotFound",
    "OrthancRefused",
    "OrthancUnavailable",
    "Parents",
    "Stored",
    "StudyInstance",
    "TooLarge",
    "study_of",
]

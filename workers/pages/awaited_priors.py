"""Priors as routes use them: the index first, then Orthanc, then the index again, each in threads of its own."""

from fastapi import HTTPException
from sqlalchemy import Connection

from workers.access.awaited_records import AwaitedRecords
from workers.pages.awaited_orthanc import AwaitedOrthanc
from workers.priors.errors import AmbiguousStudy, UnknownStudy
from workers.priors.patient_studies import PatientStudies, also_of_others, patient_studies
from workers.priors.study_priors import StudyPriors, study_priors

__all__ = ["AwaitedPriors"]


class AwaitedPriors:
    """The relevant priors of studies, by the records and Orthanc."""

    def __init__(self, records: AwaitedRecords, orthanc: AwaitedOrthanc) -> None:
        self._records, self._orthanc = records, orthanc

    @property
    def are_there(self) -> bool:
        """Whether the site has records, without which nobody can tell."""
        return self._records.are_there

    async def of(self, study: str) -> StudyPriors:
        """The priors of the study with this Study Instance UID or Orthanc identifier.

        HTTPException: 404 for no such study, 409 for one of two patients, 503 where something does not answer.
        """

        if not self.are_there:
            raise HTTPException(503, "priors are found by the records, and MSK_RECORDS is not set for this gateway")

        def read(connection: Connection) -> PatientStudies:
            try:
                return patient_studies(connection, study)
            except UnknownStudy as error:
                raise HTTPException(404, str(error)) from None
            except AmbiguousStudy as error:
                raise HTTPException(409, str(error)) from None

        found = await self._records.read(read)
        judged = await self._orthanc.read(lambda client: study_priors(client, found))
        if not judged.priors:
            return judged
        # Opened by its UID, such a study might show another patient.
        shared = await self._records.read(lambda c: also_of_others(c, [one.study for one in judged.priors]))
        return judged.without(shared)

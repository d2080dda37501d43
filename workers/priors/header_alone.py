"""Series of which the index knows nothing but their modality, such as those of CT and MR: told by their headers alone.

Orthanc keeps what is needed of a header in its database, so that no file is read. Its texts may name the patient: they
are read for what they claim, in mapped terms, and nothing of them is kept.
"""

from collections.abc import Mapping, Sequence

from mskmodel.evidence.claim import Claims, claims_of
from mskmodel.priors.examination import Examination
from mskmodel.priors.picture import Picture
from mskmodel.radiograph import HeaderTexts
from workers.pacs import OrthancClient
from workers.priors.patient_studies import IndexedStudy

__all__ = ["examinations"]

#: Most series whose headers are asked for, in one request; those of the newest studies.
MOST_SERIES = 300
#: Tags as Orthanc's short answers name them.
_STUDY_DESCRIPTION, _SERIES_DESCRIPTION, _PROTOCOL = "0008,1030", "0008,103e", "0018,1030"
_BODY_PART = "0018,0015"

Tags = Mapping[str, Mapping[str, str]]


def examinations(orthanc: OrthancClient, studies: Sequence[IndexedStudy]) -> list[Examination]:
    """The studies with what the headers of their unread series say, in the same order.

    Orthanc is asked only where there are such series, and those that it does not hold any more are left out. Raises
    OrthancError.
    """
    unread = [(one, series, modality) for one in studies for series, modality in one.unread][:MOST_SERIES]
    tags = orthanc.main_tags([*{one.study for one, _, _ in unread}, *(series for _, series, _ in unread)])
    more: dict[str, list[Picture]] = {}
    for one, series, modality in unread:
        if series in tags and one.study in tags:
            claims = _claims(tags[one.study], tags[series])
            more.setdefault(one.study, []).append(Picture.of("", None, None, claims, modality))
    return [one.examination(more.get(one.study, ())) for one in studies]


def _claims(study: Mapping[str, str], series: Mapping[str, str]) -> Claims:
    texts = HeaderTexts(
        body_part=series.get(_BODY_PART, ""),
        study_descriptions=(study.get(_STUDY_DESCRIPTION, ""),),
        series_description=series.get(_SERIES_DESCRIPTION, ""),
        protocols=(series.get(_PROTOCOL, ""),),
    )
    return claims_of(texts, secret=b"")  # a site's own codes claim no region, whatever they are keyed with

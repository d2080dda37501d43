"""Pictures and examinations, made up in few words."""

from datetime import datetime

from mskmodel.evidence.claim import REGION, VIEW, Claim, Claims
from mskmodel.priors.examination import Examination
from mskmodel.priors.picture import Picture
from mskmodel.priors.relevance import Prior, relevant

NOW = datetime(2026, 11, 28, 9, 30)


def header(regions: str = "", views: str = "", side: str = "") -> Claims:
    """Claims of a header; several terms with spaces between."""
    claims = [
        Claim(field, kind, tuple(terms.split()))
        for field, kind, terms in (("body part", REGION, regions), ("view position", VIEW, views))
        if terms
    ]
    return Claims(tuple(claims), side)


def shows(label: str, side: str = "", name: str = "", modality: str = "") -> Picture:
    """A picture whose pixels tell."""
    return Picture.of(name, None, label, header(side=side), modality)


def exam(*pictures: Picture, at: datetime | None = NOW, study: str = "study") -> Examination:
    return Examination.of(study, pictures, at)


def prior(current: Examination, other: Examination) -> Prior | None:
    """The other one as a prior of the current one, if it is relevant."""
    found = relevant(current, [other])
    return found[0] if found else None

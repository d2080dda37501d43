"""Reasons of outcomes, as the index repeats them: in words of label workers and of the DICOM standard, and no others.

Whoever may write to Orthanc may have written a reason, and a name would stand in it for everybody to read.
"""

import builtins
import re
from functools import cache
from typing import Final

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]  # it is there, and not declared

__all__ = ["UNTOLD", "told", "words"]

#: In place of a reason that is not repeated.
UNTOLD: Final = "a reason that only Orthanc tells"
#: Characters; the longest of ours, with what Orthanc said, has fewer.
_LONGEST: Final = 300
_WORD: Final = re.compile(r"[^\W\d_]+")


def words(text: str) -> frozenset[str]:
    """Its words in lower case; digits and punctuation part them."""
    return frozenset(_WORD.findall(text.lower()))


#: What label workers say.
_WORDS: Final = words(
    """
    a address agreed all allocated allow allowed an and another answer any are as authority be before begin begins
    between bits black broken by bytes can cannot certificate changed changes class clocks coded codestream colour
    columns compare components compressed confidence configure connection contradicts ct curve cut damaged data
    deflated deleted deliver described dicom died do does elements else encoder ended ends error etag every expired
    file for format frame frames get gives goes got has have header headers here high hold holds host how htj image
    in interpretation into is it item its itself jpeg json keeps kind known knows labelled large larger leads legal
    length limit listens longer look lookup lossless low ls machine makes marker mb md memory modality model more
    multi must name needs neither network no nobody nor not number numbers odd of off on one ones only or orthanc
    outcome over pairs part password per photometric picture pictures pieces pixel pixels port precincts program
    projections put radiograph radiographs reading redirect refused revoked rle rows s samples say says sense sent
    sequence set several short side signed single size somebody speak standard start status stored stuck syntax
    system table take tell than that the there this tile tiles time times tls to too trained transfer tried trusted
    two unexpected unlike unsupported user uses valid values verified view vouches was way what where whether white
    with without worker writes writing wrong x yet
    """
)


def told(reason: object) -> str | None:
    """The reason as it may be shown, `UNTOLD` for one in other words, None for none."""
    if not isinstance(reason, str) or not reason:
        return None
    is_ours = len(reason) <= _LONGEST and reason.isprintable() and words(reason) <= _known()
    return reason if is_ours else UNTOLD


@cache
def _known() -> frozenset[str]:
    """All words; names of SOP classes and transfer syntaxes are the standard's, those of errors are Python's."""
    standard = " ".join(name for name, *_ in UID_dictionary.values())
    return _WORDS | words(standard) | {name.lower() for name in dir(builtins) if name.endswith("Error")}

"""A radiograph in memory."""

from __future__ import annotations

from mskmodel.radiograph import HeaderCode, HeaderTexts


def test_a_header_s_own_words_are_not_shown_by_accident() -> None:
    code = HeaderCode("72696002", "SCT", "Knee of Doe")
    texts = HeaderTexts(body_part="DOE", study_descriptions=("knee of Doe",), anatomic_region=(code,))

    assert "doe" not in f"{texts!r} {texts} {code!r} {[texts]}".lower()

"""Compares what a DICOM header claims with a label."""

from mskmodel.labels import BY_KEY

__all__ = ["disagrees"]

#: Values of View Position that mean the same; these classes do not distinguish AP and PA.
_SAME_VIEW = (
    frozenset({"AP", "PA", "DP"}),
    frozenset({"LL", "RL", "LAT", "LATERAL", "ML", "LM"}),
    frozenset({"AXIAL", "AX", "AXILLARY"}),
)
#: Values that claim nothing in particular.
_UNSPECIFIC = frozenset({"", "EXTREMITY", "UNKNOWN", "OTHER"})


def disagrees(label: str, body_part: str, view_position: str) -> bool | None:
    """Whether the header names another body part or view than `label`; None if it names neither."""
    expected = BY_KEY.get(label)
    body_part, view_position = body_part.strip().upper(), view_position.strip().upper()
    if expected is None or (body_part in _UNSPECIFIC and view_position in _UNSPECIFIC):
        return None
    if body_part not in _UNSPECIFIC and body_part != expected.body_part:
        return True
    same = next(views for views in _SAME_VIEW if expected.view_position in views)
    return view_position not in _UNSPECIFIC and view_position not in same

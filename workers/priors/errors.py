"""Why priors cannot be told."""

__all__ = ["AmbiguousStudy", "UnknownStudy"]


class UnknownStudy(Exception):
    """There is no such study: it may have been deleted, or its index entry is yet to come."""

    def __init__(self) -> None:
        super().__init__("Orthanc holds no such study: it may have been deleted, or has only just arrived")


class AmbiguousStudy(Exception):
    """The Study Instance UID belongs to studies of two patients."""

    def __init__(self) -> None:
        super().__init__(
            "this Study Instance UID belongs to studies of more than one patient, so nobody can say whose priors are "
            "meant: correct the patient's identifier of one of them"
        )

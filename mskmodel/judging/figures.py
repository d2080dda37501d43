"""Figures of a model, by the names that they have in its manifest. Needs no torch."""

__all__ = ["FIGURES"]

#: Titles of an `Evaluation`'s figures, by the names of its fields.
FIGURES = {
    "top1": "top-1 accuracy",
    "mean_recall": "mean recall over classes",
    "top5_error": "top-5 error",
    "abstained": "abstained",
    "accuracy_when_answered": "accuracy when answered",
    "none_labelled": "none of the classes: labelled anyway",
    "none_auroc": "none of the classes: AUROC",
    "calibration_error": "calibration error",
    "calibration_error_by_chance": "calibration error by chance alone",
}

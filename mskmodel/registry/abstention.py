"""Why a model leaves a radiograph to a person. The texts are kept in outcomes, and told apart by who reads them."""

__all__ = ["LOW_CONFIDENCE", "UNLIKE"]

LOW_CONFIDENCE = "low confidence"
#: None of the classes is the likeliest answer.
UNLIKE = "unlike every trained class"

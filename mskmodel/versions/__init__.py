"""From a trained model to a version that can be served: calibrated, described, compared."""

"""How good a model is: accuracy, calibration, comparison of two models."""

"""How good a model is: reads labelled rows, predicts their labels, computes metrics; calibrates and compares models."""

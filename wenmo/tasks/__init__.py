"""Text to encodings, logits to results. Pure."""

"""What each task is: texts to encodings and logits to results, without side effects."""

"""The page for zero-shot classification."""

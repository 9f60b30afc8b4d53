"""The page for models."""

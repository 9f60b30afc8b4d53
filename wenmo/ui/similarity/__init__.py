"""The page for similarity."""

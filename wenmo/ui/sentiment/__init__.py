"""The page for sentiment."""

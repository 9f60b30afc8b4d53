"""The page for files."""

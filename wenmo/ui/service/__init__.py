"""The page for the REST service."""

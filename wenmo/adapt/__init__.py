"""A model of one's own from labelled rows."""

"""The page that adapts a model to labelled rows."""

"""Adapts a model to labelled rows: `run.adapt` is the entry point.

`training_loop`, `dataset`, `batches` and `objectives` also make the bundled models.
"""

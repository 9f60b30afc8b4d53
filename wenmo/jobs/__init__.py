"""Runs tasks over files of any size: `python -m wenmo run`, and the Batch page."""

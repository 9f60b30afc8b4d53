"""The commands of `python -m wenmo`, a module for each. Slow imports are inside the functions that run a command."""

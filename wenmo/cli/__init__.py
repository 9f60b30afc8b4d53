"""The commands of `python -m wenmo`, a module each; imports that take time wait until a command runs."""

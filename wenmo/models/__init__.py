"""Which model, from where, as what."""

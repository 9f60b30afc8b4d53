"""Finding, downloading and reading models."""

"""How the bundled models are made: `python -m recipes`. Not part of the package, which imports nothing from here."""

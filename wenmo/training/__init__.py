"""How the bundled checkpoints were made."""

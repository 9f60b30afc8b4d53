"""The core: tokenise, plan batches, forward, precision."""

"""The parts of tools/transparency; each file says at its head what it does."""

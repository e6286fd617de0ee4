"""The parts of tools/bench; each file says at its head what it does."""

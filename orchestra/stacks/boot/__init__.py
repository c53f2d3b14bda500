"""Stacks that come back when the machine starts: their units, and the command that these run."""

"""The commands ``orchestra network ...``."""

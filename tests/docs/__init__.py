"""Tutorials and how-to pages: their commands are run, and what they show is compared."""

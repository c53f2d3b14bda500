"""Mounting, what is mounted, and paths that are resolved without leaving a root."""

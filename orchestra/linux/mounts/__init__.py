"""Mounting, listing mounts, and resolving paths without leaving a root."""

"""Endpoints of containers, and how they are shown and defined."""

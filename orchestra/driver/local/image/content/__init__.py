"""Blobs by digest: how they arrive, what they belong to, and when they are removed."""

"""Blobs by digest: how they come in, what they belong to, and when they go."""

"""Compose files in a registry or a Git repository. A reference is resolved to the path of a local copy.

``reference`` is pure; ``git`` and ``registry`` fetch files; ``copies`` keeps them.
"""

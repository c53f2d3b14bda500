"""Compose files that are elsewhere: in a registry or a Git repository. A reference becomes the path of a local copy.

``reference`` is pure; ``git`` and ``registry`` fetch; ``copies`` keeps what was fetched.
"""

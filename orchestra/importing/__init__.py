"""Stacks of other engines as Compose files: what is asked of it, and what of it is lost, each with its place.

The counterpart of ``orchestra.translation``. Pure: the texts come from outside.
"""

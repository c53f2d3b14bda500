"""Containers on this machine, made by our own runtime or another OCI runtime.

Makes no decisions and reads no Compose files.
"""

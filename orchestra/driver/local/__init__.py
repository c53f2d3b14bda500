"""Containers on this machine, by our own runtime or another OCI runtime. Knows neither decisions nor files."""

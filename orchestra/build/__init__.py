"""Builds: from the text of a Dockerfile to a graph of steps. Pure; the driver carries the steps out."""

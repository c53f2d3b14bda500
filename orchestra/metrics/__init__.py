"""Metrics of stacks for Prometheus: what ``orchestra.stacks.measure`` reads, as text, once or over HTTP.

Standard library only. ``table`` says what each metric means; everything that is shown is in it.
"""

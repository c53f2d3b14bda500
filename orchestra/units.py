"""Durations, byte sizes and ranges in the grammars of Go and Docker. Pure text to value and back."""

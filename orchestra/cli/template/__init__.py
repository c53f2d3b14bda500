"""The part of Go's text/template that ``--format`` supports: renders values as text. Standard library only.

A template becomes tokens (``tokens``), then a tree (``parse`` makes it of the records in ``syntax``), and the tree is
executed on a value (``execute``), with the functions that Docker has (``functions``). Every mistake is a UserError
with its column. Source: https://pkg.go.dev/text/template.
"""

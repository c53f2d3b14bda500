"""The part of Go's text/template that ``--format`` takes: values in, text out. Standard library only.

A template becomes tokens (``tokens``), then a tree (``parse`` makes it of the records in ``syntax``), and the tree is
executed on a value (``execute``), with the functions that Docker offers (``functions``). Every mistake is a UserError
with the column it is at. Source: https://pkg.go.dev/text/template.
"""

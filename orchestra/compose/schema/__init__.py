"""The content of Compose files: frozen models of the canonical form, split by noun.

They check only types, shapes and single values; ``compose.checks`` is for what concerns several parts. Unknown keys are
refused, and ``x-*`` is kept on every model.
"""

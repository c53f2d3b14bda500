"""What a Compose file may say: frozen pydantic models of its canonical form, split by noun.

Only types, shapes and single values are judged here; what concerns several parts is in ``compose.checks``. Unknown
keys are refused, ``x-*`` is kept on every model.
"""

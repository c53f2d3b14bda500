"""The error for a wrong template, with the column."""

from __future__ import annotations

from orchestra.errors import UserError


class TemplateError(UserError):
    """column: position in the template, from 1."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(f"--format: column {column}: {message}", hint=hint)

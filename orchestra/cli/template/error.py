"""What is wrong with a template, and where."""

from __future__ import annotations

from orchestra.errors import UserError


class TemplateError(UserError):
    """column: of the template, from 1."""

    def __init__(self, column: int, message: str, hint: str = "") -> None:
        super().__init__(f"--format: column {column}: {message}", hint=hint)

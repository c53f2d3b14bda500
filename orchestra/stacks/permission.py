"""Reading the files of a stack as a user who may not: every command says the same of it."""

from __future__ import annotations

from contextlib import contextmanager

from orchestra.errors import EnvironmentLack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reading(what: str = "stack") -> Iterator[None]:
    """Raises EnvironmentLack instead of PermissionError. what: whose owner could read them."""
    try:
        yield
    except PermissionError as error:
        hint = f"run it as the owner of the {what}, or with sudo"
        raise EnvironmentLack(f"this user cannot read {error.filename}", hint=hint) from error

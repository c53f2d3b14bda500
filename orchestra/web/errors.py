"""Refusals, and what a client is told about errors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.errors import EnvironmentLack, OrchestraError

if TYPE_CHECKING:
    from typing import Any


class Refusal(Exception):
    """A request that is not carried out, with the status and the sentence of its answer."""

    def __init__(self, status: HTTPStatus, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint


def status_of(error: Exception) -> HTTPStatus:
    if isinstance(error, Refusal):
        return error.status
    if isinstance(error, OrchestraError) and not isinstance(error, EnvironmentLack):
        return HTTPStatus.CONFLICT
    return HTTPStatus.INTERNAL_SERVER_ERROR


def explain(error: Exception) -> dict[str, Any]:
    """error: what is wrong; hint: what to do."""
    if isinstance(error, Refusal | OrchestraError):
        return {"error": error.message, "hint": error.hint or ""}
    return {"error": f"{type(error).__name__}: {error}", "hint": ""}

"""Requests to the supervisor in the words of ``orchestra.control.commands``. Standard library only."""

from __future__ import annotations

from orchestra import __version__
from orchestra.control import wire
from orchestra.control.client import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from orchestra.cli.invocation import Invocation


def client_of(invocation: Invocation, stack: str) -> Client:
    return Client(invocation.home.stack(stack), invocation.driver)


def request(op: str, **details: Any) -> bytes:
    """Details that are None are left out."""
    return wire.encode(_message(op, details))


def request_with_desired(op: str, desired: bytes, **details: Any) -> bytes:
    """desired: as JSON on one line."""
    return wire.encode_with(_message(op, details), "desired", desired)


def _message(op: str, details: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in details.items() if value is not None}
    return {"op": op, "version": __version__, **given}

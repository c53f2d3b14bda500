"""Which users a container has (``userns_mode``): those of the stack, or others in a user namespace of its own."""

from __future__ import annotations

from orchestra.model.codec import tagged
from orchestra.record import Record


@tagged
class OfStack(Record):
    """Those of the stack: with root the machine's, without it those of the home. This is the default."""


@tagged
class KeepId(Record):
    """The user that runs the stack has the id ``uid`` and the group ``gid``; None for the same as on the machine."""

    uid: int | None = None
    gid: int | None = None


@tagged
class Auto(Record):
    """A range of ids that no other container of the home has. size: how many; 0 for as many as the image needs."""

    size: int = 0


UserNamespace = OfStack | KeepId | Auto

LARGEST_ID = (1 << 32) - 2


def parse_user_namespace(text: str) -> UserNamespace:
    """``host``, ``keep-id[:uid=N,gid=N]`` or ``auto[:size=N]``, as in podman; empty for the default.

    Raises ValueError.
    """
    mode, colon, rest = text.partition(":")
    if text in ("", "host"):
        return OfStack()
    names = {"keep-id": ("uid", "gid"), "auto": ("size",)}.get(mode)
    if names is None:
        raise ValueError(f"{text!r} is not a valid user namespace mode")
    options: dict[str, int] = {}
    for word in rest.split(",") if colon else ():
        name, _, number = word.partition("=")
        if name not in names:
            raise ValueError(f"{name!r} is not an option of the user namespace mode {mode}")
        if not (number.isascii() and number.isdecimal() and int(number) <= LARGEST_ID):
            raise ValueError(f"{name} of the user namespace mode {mode} is {number!r}, which is not a number of an id")
        options[name] = int(number)
    if mode == "keep-id":
        return KeepId(options.get("uid"), options.get("gid"))
    return Auto(options.get("size", 0))

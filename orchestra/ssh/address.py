"""The other machine, as the user names it. Pure."""

from __future__ import annotations

from orchestra.errors import UserError
from orchestra.named_tuple import NamedTuple
from orchestra.regex import regex
from orchestra.ssh import ANSWERING

# No part may begin with a dash: ssh would take it for an option.
_ADDRESS = regex(r"ssh://(?:([^-@/:\s][^@/:\s]*)@)?(\[[0-9A-Fa-f:.%\w]+\]|[^-@/:\s\[\]][^@/:\s]*)(?::(\d{1,5}))?/?")


class Address(NamedTuple):
    """user, port: empty for what ssh's own configuration says."""

    user: str
    server: str
    port: str

    @property
    def url(self) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"ssh://{user}{self.server}{f':{self.port}' if self.port else ''}"

    @property
    def command(self) -> list[str]:
        """Runs our own program there."""
        return self.running(f"orchestra {ANSWERING}")

    def running(self, program: str) -> list[str]:
        """The ssh program with its arguments. A connection that is silent for half a minute ends."""
        options = ["-T", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"]
        return ["ssh", *options, "--", self.url, program]


def parse_address(text: str, origin: str = "--host") -> Address:
    """origin: for the message. Raises UserError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found[3] or 1) not in range(1, 65536):
        hint = "write it as ssh://[USER@]SERVER[:PORT]; ssh's own configuration has the key to use"
        raise UserError(f"{origin}: {text} is not the address of a machine", hint=hint)
    return Address(found[1] or "", found[2], found[3] or "")

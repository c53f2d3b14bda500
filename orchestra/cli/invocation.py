"""A command line that has been understood: what every command's ``run`` gets. Standard library only."""

from __future__ import annotations

import os
from typing import NamedTuple

from orchestra.errors import EnvironmentLack
from orchestra.home import find_home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from orchestra.home import Home


class Invocation(NamedTuple):
    """command: its name in the table. shared: the global options; values: the command's own. Both by parameter name,
    complete with defaults.
    """

    command: str
    shared: dict[str, Any]
    values: dict[str, Any]

    @property
    def home(self) -> Home:
        """Raises EnvironmentLack for a user without a home directory."""
        home = find_home(os.environ, os.getuid())
        if not os.path.isabs(home.data):
            hint = "set HOME or ORCHESTRA_HOME to a directory"
            raise EnvironmentLack(f"user {os.getuid()} has no home directory", hint=hint)
        return home

    @property
    def driver(self) -> str:
        return str(self.shared["driver"])

    def colors(self, stream: TextIO) -> bool:
        """Whether to write ANSI colours to ``stream``: ``--ansi``, then NO_COLOR (no-color.org), then a terminal."""
        return use_colors(stream, str(self.shared["ansi"]))

    def need_root(self) -> None:
        """Raise EnvironmentLack when containers cannot be made or entered by this user."""
        if self.driver == "local" and os.geteuid() != 0:
            raise EnvironmentLack(
                f"orchestra {self.command} needs root: this user may not make namespaces, mounts and networks",
                hint="run it with sudo; config, plan --offline, version and doctor work for anybody",
            )


def use_colors(stream: TextIO, ansi: str = "auto") -> bool:
    """Whether to write ANSI colours to ``stream``; ansi: as ``--ansi`` has it."""
    if ansi != "auto":
        return ansi == "always"
    return not os.environ.get("NO_COLOR") and stream.isatty()

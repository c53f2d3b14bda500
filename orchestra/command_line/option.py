"""What an option is. Imports nothing: the runtime's command makes its options at every start."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FLAG, TEXT, NUMBER, LIST = "flag", "text", "number", "list"
"""Kinds of options: present or not; one string; one integer; any number of strings, in order."""
EITHER = "either"
"""The default of a flag for which it matters whether it was given: its value is None without it."""


class Option:
    """name: of the value. flags: as typed. default: None for a text or number that was not given; true for a
    flag that is set unless ``=false`` follows it.

    metavar: what stands for the value in help; choices: all it may be, if not everything.
    """

    def __init__(
        self,
        name: str,
        flags: Sequence[str],
        kind: str,
        help: str = "",
        default: str | int | None = None,
        metavar: str = "",
        choices: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> None:
        self.name = name
        self.flags = flags
        self.kind = kind
        self.help = help
        self.default = default
        self.metavar = metavar
        self.choices = choices
        self.hidden = hidden

    @property
    def initial(self) -> object:
        """The value when the option is not given."""
        if self.default == EITHER:
            return None
        return {FLAG: bool(self.default), LIST: []}.get(self.kind, self.default)

"""``orchestra doctor``: what this machine supports, and the cost of what is missing. Exit code 1: no stack can run."""

from __future__ import annotations

import json
import sys

from orchestra.cli.render.columns import output_width
from orchestra.stacks.doctor import State, can_run, examine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.doctor import Fact

NARROWEST = 20
"""Columns that are left for words, at least."""
_COLORS = {State.OK: "32", State.LIMITED: "33", State.LACKING: "31"}


def run(invocation: Invocation) -> int:
    facts = examine(invocation.context)
    runs = can_run(facts)
    if invocation.values["format"] == "json":
        print(json.dumps({"can_run": runs, "facts": [fact._asdict() for fact in facts]}, indent=2))
    else:
        sys.stdout.write(render(facts, runs=runs, color=invocation.colors(sys.stdout), columns=output_width()))
    return 0 if runs else 1


def render(facts: list[Fact], *, runs: bool, color: bool, columns: int | None = None) -> str:
    """columns: of the terminal, None for lines of any length."""
    width = max(len(fact.name) for fact in facts)
    text = ""
    for fact in facts:
        state = f"{fact.state:<7}"
        mark = f"\033[{_COLORS[fact.state]}m{state}\033[0m" if color else state
        text += mark + _folded(f"{'':7}  {fact.name:<{width}}  ", fact.detail, columns)[7:]
        if fact.cost:
            text += _folded("         cost: ", fact.cost, columns)
        if fact.remedy:
            text += _folded("         do:   ", fact.remedy, columns)
    limited = sum(fact.state is State.LIMITED for fact in facts)
    verdict = "Stacks can run here." if runs else "No stack can run here: see above for what is missing."
    if runs and limited:
        verdict = f"Stacks can run here, with {limited} limitation{'s' if limited > 1 else ''}."
    return f"{text}\n{verdict}\n"


def _folded(head: str, text: str, columns: int | None) -> str:
    """Lines of at most this many columns, if there are enough, that stand below each other."""
    if columns is None or len(head) + len(text) <= columns or columns < len(head) + NARROWEST:
        return f"{head}{text}".rstrip() + "\n"
    import textwrap

    lines = textwrap.wrap(text, columns - len(head), break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * len(head)}".join([head + lines[0], *lines[1:]]) + "\n"

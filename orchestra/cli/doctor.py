"""``orchestra doctor``: what this machine supports, and the cost of what is missing. Exit code 1: no stack can run."""

from __future__ import annotations

import json
import sys

from orchestra.stacks.doctor import State, can_run, examine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.doctor import Fact

_COLORS = {State.OK: "32", State.LIMITED: "33", State.LACKING: "31"}


def run(invocation: Invocation) -> int:
    facts = examine(invocation.context)
    runs = can_run(facts)
    if invocation.values["format"] == "json":
        print(json.dumps({"can_run": runs, "facts": [fact._asdict() for fact in facts]}, indent=2))
    else:
        sys.stdout.write(render(facts, runs=runs, color=invocation.colors(sys.stdout)))
    return 0 if runs else 1


def render(facts: list[Fact], *, runs: bool, color: bool) -> str:
    width = max(len(fact.name) for fact in facts)
    text = ""
    for fact in facts:
        state = f"{fact.state:<7}"
        mark = f"\033[{_COLORS[fact.state]}m{state}\033[0m" if color else state
        text += f"{mark}  {fact.name:<{width}}  {fact.detail}".rstrip() + "\n"
        if fact.cost:
            text += f"         cost: {fact.cost}\n"
        if fact.remedy:
            text += f"         do:   {fact.remedy}\n"
    limited = sum(fact.state is State.LIMITED for fact in facts)
    verdict = "Stacks can run here." if runs else "No stack can run here: see above for what is missing."
    if runs and limited:
        verdict = f"Stacks can run here, with {limited} limitation{'s' if limited > 1 else ''}."
    return f"{text}\n{verdict}\n"

"""``orchestra why``: the causes, from the service to the first one, with what proves them."""

from __future__ import annotations

import json
import sys

from orchestra.record import fields
from orchestra.stacks.why import why
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.why import Cause, Explanation


def run(invocation: Invocation) -> int:
    found = why(invocation.context, invocation.values["services"])
    if invocation.values["format"] == "json":
        print(json.dumps([_to_data(each) for each in found], indent=2))
    else:
        sys.stdout.write(visible(render(found), lines=True))
    return 1 if any(each.wrong for each in found) else 0


def render(found: Sequence[Explanation]) -> str:
    """Each service with its first cause, and below it what leads there."""
    if not found:
        return "every service is as it should be\n"
    return "\n".join("".join(f"{line}\n" for line in _lines(each)) for each in found)


def _lines(explanation: Explanation) -> Iterator[str]:
    *chain, first = explanation.causes
    if not chain:
        yield from _describe(first, "")
        return
    yield f"{explanation.service}: because {first.subject} {first.what}"
    for cause in explanation.causes:
        yield from _describe(cause, "  ")


def _describe(cause: Cause, indent: str) -> Iterator[str]:
    yield f"{indent}{cause.subject} {cause.what}"
    yield from (f"{indent}    | {line}" for line in cause.log)
    if cause.changed:
        head, *changes = cause.changed
        yield f"{indent}    {head}{':' if changes else ''}"
        yield from (f"{indent}      {change}" for change in changes)
    if cause.hint:
        yield f"{indent}    hint: {cause.hint}"


def _to_data(explanation: Explanation) -> dict[str, object]:
    return {
        "service": explanation.service,
        "wrong": explanation.wrong,
        "cause": fields(explanation.causes[-1]),
        "chain": [fields(cause) for cause in explanation.causes],
    }

"""``orchestra status``: one screen that says whether the stack is as it should be; the exit code says it, too."""

from __future__ import annotations

import json
import sys
import time

from orchestra.cli.exit_codes import CONVERGED, CONVERGING, DOWN, EDIT_REFUSED, NOT_AS_IT_SHOULD_BE
from orchestra.cli.render.ages import describe_span
from orchestra.cli.render.columns import output_width, render_columns
from orchestra.record import fields
from orchestra.stacks.status import Verdict, status
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.stacks.status import StatusResult

CODES = {
    Verdict.CONVERGED: CONVERGED,
    Verdict.CONVERGING: CONVERGING,
    Verdict.FAILED: NOT_AS_IT_SHOULD_BE,
    Verdict.DOWN: DOWN,
}
WORDS = {
    Verdict.CONVERGED: "converged: everything is as it should be",
    Verdict.CONVERGING: "converging: not everything is as it should be yet",
    Verdict.FAILED: "failed: not everything is as it should be",
    Verdict.DOWN: "down: nothing is asked for",
}


def run(invocation: Invocation) -> int:
    result = status(invocation.context)
    code = exit_code(result)
    if invocation.values["format"] == "json":
        print(json.dumps(_to_data(result, code), indent=2))
    else:
        sys.stdout.write(visible(render(result, time.time(), output_width()), lines=True))
    return code


def exit_code(result: StatusResult) -> int:
    """What has failed goes before an edit that was refused, and that before what is on the way."""
    verdict = result.standing.verdict
    if verdict is Verdict.DOWN:
        return DOWN
    if verdict is Verdict.FAILED or not result.supervised:
        return NOT_AS_IT_SHOULD_BE
    if result.edit is not None and result.edit.error:
        return EDIT_REFUSED
    return CODES[verdict]


def render(result: StatusResult, now: float, width: int | None = None) -> str:
    """now: Unix seconds; width: columns of the terminal."""
    found = result.standing
    lines = [f"stack {result.stack} is {WORDS[found.verdict]}"]
    rows = [
        (each.service, f"{each.running}/{each.wanted}", f"{each.because} {each.cause}".strip())
        for each in found.services
    ]
    if rows:
        lines += render_columns(("SERVICE", "RUNNING", "STATE"), rows, width=width, expendable=()).splitlines()
    if found.orphans:
        lines.append(f"orphans, which no service declares: {', '.join(found.orphans)}")
    if not result.supervised and found.verdict is not Verdict.DOWN:
        lines.append("no supervisor is running, so nothing is restarted: orchestra up starts one")
    if result.enabled:
        lines.append("boot: the stack comes back")
    if result.followed is not None:
        lines += _following(result, now)
    return "".join(f"{line}\n" for line in lines)


def _following(result: StatusResult, now: float) -> list[str]:
    assert result.followed is not None
    head = f"files: followed since {describe_span(now - result.followed)}"
    edit = result.edit
    if edit is None:
        return [f"{head}, not changed since"]
    ago = f"{describe_span(now - edit.at)} ago"
    if not edit.error:
        return [f"{head}, last edit applied {ago}"]
    lines = [f"{head}, last edit refused {ago}:", f"  {edit.place}{edit.error}"]
    return lines + ([f"  hint: {edit.hint}"] if edit.hint else [])


def _to_data(result: StatusResult, code: int) -> dict[str, object]:
    found, edit = result.standing, result.edit
    return {
        "stack": result.stack,
        "verdict": found.verdict,
        "exit_code": code,
        "supervised": result.supervised,
        "services": [fields(each) for each in found.services],
        "orphans": found.orphans,
        "enabled": result.enabled,
        "followed_since": result.followed,
        "edit": edit and {**fields(edit), "location": edit.location and fields(edit.location)},
    }

"""``orchestra test``: runs scenarios, and shows what came of each as text, JSON or JUnit's XML."""

from __future__ import annotations

import json
import sys
import time

from orchestra.errors import UserError
from orchestra.record import fields
from orchestra.testing.result import Outcome
from orchestra.testing.run import TestOptions, load_files, run_files
from orchestra.visible import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.testing.result import Result


def run(invocation: Invocation) -> int:
    values, context = invocation.values, invocation.context
    options = TestOptions(tuple(values["scenario_files"]), values["keyword"] or "", _seeds(values))
    files = load_files(context, options)
    if context.driver == "local" and not options.seeds:
        context.need_privileges()
    is_text = values["format"] == "text"
    began = time.monotonic()
    results: list[Result] = []
    for result in run_files(context, files, options):
        results.append(result)
        if is_text:
            sys.stdout.write(visible("".join(f"{line}\n" for line in _lines(result)), lines=True))
            sys.stdout.flush()
    if is_text:
        print(summarize(results, time.monotonic() - began))
    else:
        print(json.dumps([fields(result) for result in results], indent=2))
    if values["junit"]:
        from orchestra.cli.render.junit import render_junit

        try:
            with open(values["junit"], "wb") as file:
                file.write(render_junit(results))
        except OSError as error:
            raise UserError(f"--junit: {values['junit']} cannot be written: {error.strerror}") from error
    return 1 if any(result.outcome is Outcome.FAILED for result in results) else 0


def _seeds(values: Mapping[str, Any]) -> tuple[int, ...]:
    if values["replay"] is not None:
        return (values["replay"],)
    return tuple(range(values["simulate"] or 0))


def _lines(result: Result) -> Iterator[str]:
    head = f"{result.file}: {result.scenario}"
    if result.outcome is Outcome.PASSED:
        yield f"{head} passed ({result.seconds:.1f} s)"
    elif result.outcome is Outcome.SKIPPED:
        yield f"{head} skipped: {result.reason}"
    else:
        yield f"{head} FAILED ({result.seconds:.1f} s)"
        yield from (f"    {step}" for step in result.steps)
        yield f"    error: {result.reason}"
        if result.again:
            yield f"    again: {result.again}"
        yield from (f"    | {line}" for line in result.logs)


def summarize(results: Sequence[Result], seconds: float) -> str:
    """``2 passed, 1 failed in 12.3 s``."""
    counts = {outcome: sum(result.outcome is outcome for result in results) for outcome in Outcome}
    return f"{', '.join(f'{count} {outcome}' for outcome, count in counts.items() if count)} in {seconds:.1f} s"

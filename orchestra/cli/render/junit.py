"""Results of scenarios as the XML that JUnit's tools read: a suite for each file, and a case for each scenario."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

from orchestra.testing.result import Outcome
from orchestra.visible import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.testing.result import Result


def render_junit(results: Sequence[Result]) -> bytes:
    """results: those of a file one after the other."""
    root = Element("testsuites")
    for file, group in groupby(results, lambda result: result.file):
        cases = list(group)
        suite = SubElement(root, "testsuite", name=visible(file), tests=str(len(cases)), time=_seconds(cases))
        for outcome, key in ((Outcome.FAILED, "failures"), (Outcome.SKIPPED, "skipped")):
            suite.set(key, str(sum(case.outcome is outcome for case in cases)))
        for case in cases:
            _add_case(suite, case)
    encoded: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return encoded + b"\n"


def _add_case(suite: Element, result: Result) -> None:
    names = {"classname": visible(result.file), "name": visible(result.scenario)}
    case = SubElement(suite, "testcase", names, time=_seconds([result]))
    if result.outcome is Outcome.SKIPPED:
        SubElement(case, "skipped", message=visible(result.reason))
    elif result.outcome is Outcome.FAILED:
        failure = SubElement(case, "failure", message=visible(result.reason))
        failure.text = visible("\n".join(result.steps), lines=True)
    if result.logs:
        SubElement(case, "system-out").text = visible("\n".join(result.logs), lines=True)


def _seconds(results: Sequence[Result]) -> str:
    return f"{sum(result.seconds for result in results):.3f}"

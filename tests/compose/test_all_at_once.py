"""One load tells everything that is wrong, each mistake as it is told when it is the only one."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from orchestra.cli.start import start
from orchestra.compose import load
from orchestra.errors import ComposeError
from tests.compose.faults import IMAGE, SERVICE, TOP, WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.errors import Diagnostic

# An included file that is not there may hold whatever is undefined, and be what a service gets its image from.
EXPLAINED_BY_THE_INCLUDE = {"undefined", "missing-key"}
GOOD = {"services": ["good: {image: 'rootfs:/'}"], "networks": ["known: {}"], "secrets": ["good: {content: a}"]}


class Fault(NamedTuple):
    """name: also that of its service or resource, so that its messages are its own."""

    title: str
    name: str
    kind: str
    text: str
    code: str


def faults() -> dict[str, Fault]:
    found = []
    for title, (text, code) in SERVICE.items():
        found.append((title, "services", "\n" + IMAGE + text, code))
    for title, (text, code) in WHOLE.items():
        found.append((title, "services", f" {text}\n", code))
    for title, (text, code) in TOP.items():
        kind, _, rest = text.partition(": ")
        found.append((title, kind, rest.strip()[1:-1], code))
    return {
        title: Fault(title, f"fault{number}x", kind, text, code)
        for number, (title, kind, text, code) in enumerate(found)
    }


FAULTS = faults()
ONLY_THERE = [title for title, fault in FAULTS.items() if fault.kind != "include"]


def render(chosen: Iterable[str]) -> str:
    """A file with these faults and what they refer to."""
    entries = {kind: [f"{text}" for text in texts] for kind, texts in GOOD.items()}
    for fault in (FAULTS[title] for title in chosen):
        text = fault.text.replace("@", fault.name)
        kind = fault.kind.replace("@", fault.name)
        entries.setdefault(kind, []).append(f"{fault.name}:{text}" if kind == "services" else text)
    lines = []
    for kind, texts in entries.items():
        if kind == "services":
            lines += ["services:\n", *(f"  {text.rstrip()}\n" for text in texts)]
        elif kind == "include":
            lines.append(f"include: [{', '.join(texts)}]\n")
        else:
            lines.append(f"{kind}: {{{', '.join(filter(None, texts))}}}\n")
    return "".join(lines)


def told(folder, chosen: Iterable[str]) -> tuple[Diagnostic, ...]:
    (folder / "directory").mkdir(exist_ok=True)
    with pytest.raises(ComposeError) as caught:
        load(folder.request(render(chosen)))
    return caught.value.diagnostics


def essence(diagnostic: Diagnostic) -> tuple[str, str]:
    """Without the number of the line, which depends on what stands above."""
    return diagnostic.code, re.sub(r"line \d+", "line N", diagnostic.message)


@pytest.mark.parametrize("title", FAULTS)
def test_one_fault_is_reported_once_at_its_place(folder, title):
    (only,) = told(folder, [title])
    assert only.code == FAULTS[title].code
    assert only.span is not None
    assert only.source_line.strip()
    line = render([title]).splitlines()[only.span.line - 1]
    assert only.source_line == line
    assert only.span.column <= len(line)


def test_all_faults_are_reported_together(folder):
    alone = {essence(diagnostic) for title in ONLY_THERE for diagnostic in told(folder, [title])}
    together = told(folder, ONLY_THERE)
    assert {essence(diagnostic) for diagnostic in together} == alone
    places = [diagnostic.span[:3] for diagnostic in together if diagnostic.span]
    assert len(places) == len(together)
    assert places == sorted(places)


def test_what_an_absent_include_may_explain_is_not_told(folder):
    together = {essence(diagnostic) for diagnostic in told(folder, FAULTS)}
    alone = {title: essence(told(folder, [title])[0]) for title in FAULTS}
    untold = {FAULTS[title].code for title in FAULTS if alone[title] not in together}
    assert untold == EXPLAINED_BY_THE_INCLUDE
    assert together <= set(alone.values())


@pytest.mark.parametrize("seed", range(20))
def test_several_faults_are_reported_like_each_alone(folder, seed):
    chosen = random.Random(seed).sample(ONLY_THERE, 5)
    alone = {essence(diagnostic) for title in chosen for diagnostic in told(folder, [title])}
    assert {essence(diagnostic) for diagnostic in told(folder, chosen)} == alone


BROKEN = "services:\n  fromthere: {image: 'a\n"


def test_a_file_that_cannot_be_read_hides_no_mistakes_of_the_others(folder):
    for name in ("included.yaml", "extended.yaml"):
        folder.write(name, BROKEN)
    folder.write("empty.yaml", "")
    text = (
        "include: [included.yaml]\nservices:\n  a: {depends_on: [fromthere], restart: maybe}\n"
        "  b: {extends: {file: extended.yaml, service: x}}\n  c: {extends: {file: empty.yaml, service: x}, scale: -1}\n"
    )
    told = [line for line in folder.refused(text).splitlines() if line.startswith("error: ")]
    assert [line.removeprefix("error: ").split(":")[:2] for line in told] == [
        ["compose.yaml", "3"],
        ["compose.yaml", "5"],
        ["compose.yaml", "5"],
        ["extended.yaml", "2"],
        ["included.yaml", "2"],
    ]


def test_an_unknown_service_is_reported_with_the_mistakes_of_the_file(folder):
    told = folder.refused("services: {web: {image: x, scale: many}}", services=("wbe",))
    assert "services.web.scale must be a whole number" in told
    assert "no such service: wbe" in told
    assert "did you mean web?" in told


def test_the_command_shows_them_all(folder, capfd):
    """Not only as many as fill a screen."""
    services = "".join(f"  s{number}: {{image: x, restart: maybe}}\n" for number in range(30))
    path = folder.write("compose.yaml", f"services:\n{services}")
    assert start(("-f", path, "config")) == 15
    assert capfd.readouterr().err.count("is not a valid restart policy") == 30

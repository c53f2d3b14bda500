"""The reference loader's own tables: interpolation, variables files, short syntaxes, merge, completion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from orchestra.compose import shorthand
from orchestra.compose.canonical import canonicalise
from orchestra.compose.dotenv import DotenvError, parse_dotenv
from orchestra.compose.interpolate import InterpolationError, substitute
from orchestra.compose.merge import merge, settle
from orchestra.compose.nodes import Map, Node, Scalar, Seq, plain
from orchestra.compose.partial import render_partial
from orchestra.compose.problems import Problems
from orchestra.compose.request import Passes
from orchestra.compose.scalars import render
from orchestra.compose.source import Source, parse_documents
from orchestra.compose.variables import find_variables
from orchestra.errors import Span
from orchestra.units import parse_bytes

from . import corpora

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = corpora.needed
TABLES = "compose-go-cases/tables"


def outcome(text: str, environment: dict[str, str]) -> tuple[str, int]:
    """The text with its variables replaced and the number of warnings."""
    unset: list[str] = []
    result = substitute(text, environment.get, lambda name, _offset: unset.append(name))
    return result, len(set(unset))


@pytest.mark.parametrize("case", corpora.table("template"))
def test_interpolation(case):
    environment = case.get("env", corpora.read(f"{TABLES}/template.json")["env"])
    if "error" in case:
        with pytest.raises(InterpolationError):
            outcome(case["template"], environment)
        return
    result, warnings = outcome(case["template"], environment)
    assert result == case["expected"]
    assert warnings == case.get("warnings", warnings)


@pytest.mark.parametrize("case", corpora.table("interpolation"))
def test_interpolation_of_whole_values(case):
    data = corpora.read(f"{TABLES}/interpolation.json")
    environment = data.get(f"env_{case['test']}", data["env_others"])
    if "error" in case:
        with pytest.raises(InterpolationError) as caught:
            outcome(case["template"], environment)
        assert case["error"].rpartition(": ")[2] in caught.value.message or caught.value.code == "interpolation"
    else:
        assert outcome(case["template"], environment)[0] == case["expected"]


@pytest.mark.parametrize("case", corpora.table("variables"))
def test_variables_that_are_used(case):
    want = {(item["name"], item["required"], item["default"], item["presence"]) for item in case["expected"]}
    assert set(find_variables(case["values"])) == want


@pytest.mark.parametrize("case", corpora.table("dotenv"))
def test_files_of_variables(case):
    environment = case.get("env", {})
    if "error" in case:
        with pytest.raises(DotenvError):
            parse_dotenv(case["input"], environment.get)
    else:
        assert parse_dotenv(case["input"], environment.get) == case["expected"]


@pytest.mark.parametrize("case", corpora.read(f"{TABLES}/dotenv.json").get("files", []), ids=lambda case: case["test"])
def test_whole_files_of_variables(case):
    if "error" in case or case.get("expected") is None:
        with pytest.raises(DotenvError):
            parse_dotenv(case["content"], {}.get)
    else:
        values = parse_dotenv(case["content"], case.get("env", {}).get)
        # That the process's own variables win is the caller's part.
        known = {**values, **(case["env"] if case["test"] == "TestLoadDoesNotOverride" else {})}
        assert {name: known.get(name) for name in case["expected"]} == case["expected"]


def test_lines_that_are_no_variables_are_refused():
    for line in corpora.read(f"{TABLES}/dotenv.json")["invalid"]:
        with pytest.raises(DotenvError):
            parse_dotenv(line, {}.get)


@pytest.mark.parametrize("case", corpora.table("dotenv-expand"))
def test_expansion_in_files_of_variables(case):
    environment = corpora.read(f"{TABLES}/dotenv-expand.json")["env"]
    if "error" in case:
        with pytest.raises(DotenvError, match=case["error"].partition(":")[0]):
            parse_dotenv(case["input"], environment.get)
    else:
        values = parse_dotenv(case["input"], environment.get)
        assert [f"{name}={value}" for name, value in values.items()] == case["expected"].splitlines()


@pytest.mark.parametrize("case", corpora.table("ports"))
def test_short_ports(case):
    if "error" in case:
        with pytest.raises(ValueError, match=r"65535|not a port|not an IP|protocol|differ|container port"):
            shorthand.parse_port(case["value"])
    else:
        assert shorthand.parse_port(case["value"]) == case["expected"]


@pytest.mark.parametrize("case", corpora.table("volumes-short"))
def test_short_volumes(case):
    if "error" in case:
        with pytest.raises(ValueError, match=r"colon|empty"):
            shorthand.parse_volume(case["spec"])
    else:
        # An empty mapping and ``read_only: false`` say nothing.
        got, want = (
            {key: value for key, value in volume.items() if value not in ({}, False)}
            for volume in (shorthand.parse_volume(case["spec"]), case["expected"])
        )
        assert got == want


@pytest.mark.parametrize("case", corpora.table("bytes"))
def test_sizes(case):
    assert parse_bytes(str(case["input"])) == case["expected"]


def located(value: Any) -> Any:
    """Nodes without a place."""
    nowhere = Span("", 1, 1, 1, 1)
    if isinstance(value, dict):
        return Map({key: located(item) for key, item in value.items()}, dict.fromkeys(value, nowhere), nowhere)
    if isinstance(value, list):
        return Seq(tuple(located(item) for item in value), nowhere)
    return Scalar(value, nowhere, plain=not isinstance(value, str))


@pytest.mark.parametrize("case", corpora.table("extra-hosts"))
def test_extra_hosts(case):
    if case["test"] == "list of values":
        pytest.skip("the table has lost the input of this case")
    document = {"services": {"a": {"extra_hosts": case["input"]}}}
    problems = Problems()
    result = plain(canonicalise(located(document), problems))
    if "error" in case:
        assert [error.code for error in problems.errors] == ["invalid-host"]
    else:
        hosts = [text.replace("=", ":", 1) for text in result["services"]["a"]["extra_hosts"]]
        assert sorted(hosts) == sorted(case["expected"])


def document(path: Path) -> Map:
    """A file parsed and canonical."""
    problems = Problems()
    (found,) = parse_documents(Source(str(path), path.read_text()), problems)
    result = canonicalise(found, problems)
    problems.raise_errors()
    return result


def as_texts(node: Node) -> Any:
    """Numbers as texts: what becomes of ``K: 1`` is the schema's matter here, the merge's in the reference."""
    if isinstance(node, Map):
        return {key: as_texts(item) for key, item in node.items.items()}
    if isinstance(node, Seq):
        return [as_texts(item) for item in node.items]
    return node.value if node.value is None or isinstance(node.value, bool) else render(node.value)


@pytest.mark.parametrize("path", corpora.folders("merge/*/*", "base.yaml"))
def test_merge(path):
    if path.name == "Test_mergeYamlBuildSequence":
        pytest.skip("it merges build.platform, which is no attribute")
    problems = Problems()
    merged = settle(merge(document(path / "base.yaml"), document(path / "override.yaml"), problems))
    problems.raise_errors()
    assert as_texts(merged) == as_texts(document(path / "want.yaml"))


@pytest.mark.parametrize("path", corpora.folders("merge/uncity/*", "in.yaml"))
def test_equal_entries_become_one(path):
    assert plain(settle(document(path / "in.yaml"))) == plain(document(path / "want.yaml"))


@pytest.mark.parametrize("path", corpora.folders("normalize/*", "in.yaml"))
def test_completion(path, folder):
    environment = json.loads((path / "env.json").read_text()) if (path / "env.json").exists() else {}
    got, want = (
        render_partial(
            # The name is in normal form before this pass, which the reference's own test does not know.
            folder.request(
                (path / name).read_text().replace("myProject", "myproject"), environment=environment, profiles=("*",)
            ),
            Passes(check=False),
            "json",
        )
        for name in ("in.yaml", "want.yaml")
    )
    assert got == want

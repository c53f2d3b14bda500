"""Which images a command builds."""

from __future__ import annotations

import pytest

from orchestra.errors import UserError
from orchestra.home import find_home
from orchestra.model.project import Project
from orchestra.stacks.build_choice import BuildOptions, choose_builds
from orchestra.stacks.context import Context

FILE = """\
name: s
services:
  web: {build: .}
  db: {image: x}
  tool: {build: {context: ., additional_contexts: {base: "service:base"}}, profiles: [tools]}
  base: {build: {context: ., ssh: [own]}, profiles: [bases]}
"""


@pytest.fixture
def context(tmp_path):
    (tmp_path / "compose.yaml").write_text(FILE)
    home = find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0)
    return Context(home, "fake", Project(files=("compose.yaml",)), {"HOME": str(tmp_path)}, str(tmp_path))


@pytest.mark.parametrize(
    ("services", "built"),
    [((), ["web"]), (("tool",), ["base", "tool"]), (("web", "base"), ["base", "web"]), (("db",), [])],
)
def test_a_service_that_is_named_is_built_whatever_its_profiles_are(context, services, built):
    assert [spec.service for spec in choose_builds(context, BuildOptions(services))] == built


def test_a_circle_of_builds_is_refused(context, tmp_path):
    base, tool = "base: {build: {context: .", "additional_contexts: {base: "
    text = FILE.replace(base, f'{base}, {tool.replace("base", "tool")}"service:tool"}}')
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(UserError, match=r"(base → tool → base|tool → base → tool) need each other"):
        choose_builds(context, BuildOptions(("tool",)))


@pytest.mark.parametrize(("given", "asked"), [(None, ("own",)), ("", ("own", "default")), ("id=/x", ("own", "id=/x"))])
def test_an_empty_agent_is_the_default_one(context, given, asked):
    (base,) = choose_builds(context, BuildOptions(("base",), ssh=given))
    assert base.ssh == asked

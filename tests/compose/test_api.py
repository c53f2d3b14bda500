"""``import orchestra`` is free; ``orchestra.load`` reads files into models that cannot be changed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import orchestra
from orchestra.compose import render_config
from orchestra.errors import ComposeError, ComposeFileNotFound

TEXT = """\
services:
  web:
    image: app:${TAG:-1}
    environment: {A: b}
    x-list: [{k: v}]
  debug: {image: x, profiles: [debug]}
"""


def test_importing_the_package_imports_nothing_else():
    script = "import sys; before = set(sys.modules); import orchestra; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['orchestra']"


def test_a_file_is_loaded_with_profiles_and_variables(folder):
    path = folder / "compose.yaml"
    path.write_text(TEXT)
    stack = orchestra.load(path, profiles=["debug"], environment={"TAG": "2"}, name="other")
    assert isinstance(stack, orchestra.Stack)
    assert (stack.name, sorted(stack.services)) == ("other", ["debug", "web"])
    assert stack.services["web"].image == "app:2"
    assert stack.networks["default"].name == "other_default"


def test_several_files_are_merged_in_order(folder):
    paths = [folder.write("a.yaml", TEXT), folder.write("b.yaml", "services: {web: {image: b}}")]
    stack = orchestra.load(paths, environment={})
    assert (stack.services["web"].image, stack.name) == ("b", "shop")


def test_files_are_found_from_the_working_directory(folder, monkeypatch):
    folder.write("compose.yaml", TEXT)
    monkeypatch.chdir(folder.path)
    assert list(orchestra.load().services) == ["web"]


def test_nothing_of_the_result_can_be_changed(folder):
    stack = orchestra.load(folder.write("compose.yaml", TEXT), environment={})
    web = stack.services["web"]
    with pytest.raises(AttributeError, match="frozen"):
        web.image = "other"
    with pytest.raises(TypeError):
        stack.services["more"] = web
    with pytest.raises(TypeError):
        web.environment["A"] = "c"  # type: ignore[index]
    assert isinstance(web.extensions["x-list"], tuple)


def test_what_cannot_be_changed_is_still_printed_and_compared(folder):
    path = folder.write("compose.yaml", TEXT)
    stack = orchestra.load(path, environment={})
    assert render_config(stack, "json") == render_config(folder.load().stack, "json")
    assert stack == orchestra.load(path, environment={})


def test_mistakes_are_raised_as_errors_with_their_diagnostics(folder):
    with pytest.raises(ComposeError) as caught:
        orchestra.load(folder.write("compose.yaml", "services: {a: {imag: x}}"), environment={})
    assert [item.code for item in caught.value.diagnostics] == ["unknown-key"]
    with pytest.raises(ComposeFileNotFound):
        orchestra.load(folder / "none.yaml", environment={})


def test_other_names_are_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'run'"):
        _ = orchestra.run  # type: ignore[attr-defined]

"""What a wheel installs beside the package is found by the programs that it is for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.cli import table

ROOT = Path(__file__).parent.parent


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """Where a wheel of this source has been installed, as in a virtual environment of its own."""
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "orchestra", source / "orchestra", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "hatch_build.py"):
        shutil.copy(ROOT / name, source)
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", source / "dist", cwd=source)
    (wheel,) = (source / "dist").glob("*.whl")
    installed = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-index")
    run(*pip, "--no-compile", "--ignore-installed", "--no-warn-script-location", "--prefix", installed, wheel)
    return installed


def test_man_finds_the_pages(prefix):
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    names = {command.name.replace(" ", "-") for command in table.COMMANDS}
    pages = {path.name for path in (prefix / "share/man/man1").iterdir()}
    assert pages == {"orchestra.1"} | {f"orchestra-{name}.1" for name in names | set(table.GROUPS)}
    # man(1) looks beside the directories of PATH.
    environment = os.environ | {"PATH": f"{prefix}/bin:{os.environ['PATH']}", "MANWIDTH": "80", "MANPATH": ""}
    assert "Remove what dead stacks left behind" in run("man", "orchestra-system-prune", env=environment)


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", "bash-completion/completions/orchestra"),
        ("zsh", "zsh/site-functions/_orchestra"),
        ("fish", "fish/vendor_completions.d/orchestra.fish"),
    ],
)
def test_shells_find_the_scripts(prefix, shell, place):
    assert (prefix / "share" / place).read_text() == run(sys.executable, "-m", "orchestra", "completion", shell)


def test_editors_find_the_schema(prefix):
    schema = (prefix / "share/orchestra/compose.schema.json").read_text()
    assert schema == run(sys.executable, "-m", "orchestra", "config", "--schema")

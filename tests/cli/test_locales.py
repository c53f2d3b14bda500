"""Commands print in every locale: what its encoding lacks is spelt otherwise, and is no traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from orchestra.driver.local.record import ContainerRecord, store_record
from orchestra.model.observed import Container, Created

LOCALES = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
FILE = "name: s\nservices:\n  web: {image: 'rootfs:/größer/東京', command: [sleep, '{dash}'], labels: {a: \"→…\"}}\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text(FILE.replace("{dash}", "→" * 30), encoding="utf-8")
    return path


@pytest.fixture
def run(home, file):
    def run(locale, *arguments):
        return subprocess.run(
            [sys.executable, "-m", "orchestra", "-f", str(file), *arguments],
            env=os.environ | LOCALES[locale],
            capture_output=True,
            check=False,
        )

    return run


@pytest.fixture
def container(by_hand):
    name = by_hand.create("web")
    command = ("sleep", "→" * 30)
    store_record(
        by_hand.home.container(name),
        ContainerRecord(
            Container(name, "web", 1, "id", "hash", "rootfs:/größer", "digest", Created(), 0.0, command=command)
        ),
    )
    by_hand.run(name)
    by_hand.want(config_files=["/srv/東京/compose.yaml"])
    by_hand.write(name, "größer\n")
    return by_hand


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(
    "line",
    ["ps", "ps --format json", "ls", "logs", "images", "system df -v", "config", "config --images", "plan --offline"],
)
def test_ps_in_a_latin_1_locale(locale, line, run, container):
    done = run(locale, *line.split())
    assert done.returncode in (0, 2), done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout


def test_a_configuration_is_utf_8_in_every_locale(run, container):
    assert "größer/東京".encode() in run("ascii", "config").stdout


def test_what_is_cut_ends_in_three_dots_where_there_is_no_ellipsis(run, container):
    assert b"...'  ".replace(b"'", b'"') in run("ascii", "ps").stdout


@pytest.mark.parametrize("locale", LOCALES)
def test_errors_quote_what_cannot_be_encoded(locale, run, file):
    file.write_text("services:\n  web: {image: x, größe: →}\n", encoding="utf-8")
    done = run(locale, "config")
    assert done.returncode == 15
    assert b"unknown key" in done.stderr
    assert b"Traceback" not in done.stderr
    assert run(locale, "nonsense→").returncode == 16

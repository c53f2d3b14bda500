"""Warnings of values that are not what they look like: golden texts, and what is no trap."""

from __future__ import annotations

import pytest

from orchestra.cli.render.diagnostics import render_diagnostics
from orchestra.compose.traps import MAPPINGS, MODES
from orchestra.driver.local.unsupported import LACKS
from tools.reference.attributes import attributes

WEB = "services:\n  web:\n    image: rootfs:/\n"

GOLDEN = {
    "an obsolete version": (
        f"version: '3.8'\n{WEB}",
        """\
warning: compose.yaml:1:1: the attribute version is obsolete and is ignored [obsolete]
  1 | version: '3.8'
    | ^^^^^^^
  hint: remove it
""",
    ),
    "ports to the base of sixty": (
        WEB + "    ports:\n      - 22:22\n      - 8080:80\n",
        """\
warning: compose.yaml:5:9: 22:22 is a string here, but some YAML parsers read it as the number 1342 [ambiguous]
  5 |       - 22:22
    |         ^^^^^
  hint: write "22:22"
""",
    ),
    "a day": (
        WEB + "    labels: {since: 2026-01-31, no-day: 2026-13-31}\n",
        """\
warning: compose.yaml:4:21: 2026-01-31 is a string here, but some YAML parsers read it as a date [ambiguous]
  4 |     labels: {since: 2026-01-31, no-day: 2026-13-31}
    |                     ^^^^^^^^^^
  hint: write "2026-01-31"
""",
    ),
    "leading zeros": (
        WEB + "    environment:\n      ZIP: 01234\n",
        """\
warning: compose.yaml:5:12: 01234 is a number here, and is passed on as 668 [value-changed]
  5 |       ZIP: 01234
    |            ^^^^^
  hint: write "01234" to keep it unchanged
""",
    ),
    "trailing zeros": (
        WEB + "    build: {context: ., args: {VERSION: 1.10}}\n",
        """\
warning: compose.yaml:4:41: 1.10 is a number here, and is passed on as 1.1 [value-changed]
  4 |     build: {context: ., args: {VERSION: 1.10}}
    |                                         ^^^^
  hint: write "1.10" to keep it unchanged
""",
    ),
    "a decimal mode": (
        WEB + "    configs: [{source: c, mode: 440}]\nconfigs: {c: {content: x}}\n",
        """\
warning: compose.yaml:4:33: the mode 440 is a decimal number: in octal it is 0670 [decimal-mode]
  4 |     configs: [{source: c, mode: 440}]
    |                                 ^^^
  hint: write 0440 if you meant an octal mode
""",
    ),
    "quotes within an entry": (
        WEB + '    environment:\n      - NAME="some body"\n      - JSON=["a", "b"]\n      - TWO=\'a\' \'b\'\n',
        """\
warning: compose.yaml:5:9: the quotes are part of the value of NAME [quotes-kept]
  5 |       - NAME="some body"
    |         ^^^^^^^^^^^^^^^^
  hint: remove them, or quote the whole entry: "NAME=some body"
""",
    ),
    "a volume taken for a drive": (
        WEB + "    volumes: ['v:/data']\n",
        """\
warning: compose.yaml:4:15: one letter before a colon is a Windows drive: v:/data is not volume v [relative-target]
  4 |     volumes: ['v:/data']
    |               ^^^^^^^^^
  hint: declare v under volumes:, or give the volume a longer name
""",
    ),
    "a variable that nobody sets": (
        WEB + "    user: $WHO\n",
        """\
warning: compose.yaml:4:11: the variable WHO is not set; an empty string is used [unset-variable]
  4 |     user: $WHO
    |           ^^^^
  hint: set WHO in the environment or in .env, give a default as ${WHO:-…}, or write $$ for a literal $
""",
    ),
}


def warned(folder, text: str) -> str:
    return render_diagnostics(folder.load(text).warnings, color=False, severity="warning", directory=str(folder.path))


@pytest.mark.parametrize("name", GOLDEN)
def test_a_trap_is_reported_at_its_place(name, folder):
    text, golden = GOLDEN[name]
    assert warned(folder, text) == golden


def test_what_comes_out_as_it_is_written_is_no_trap(folder):
    assert not warned(
        folder,
        WEB
        + """\
    ports: ["22:22", 8080:80, 3000, 127.0.0.1:80:80]
    environment: {A: 1, B: 1.5, C: -7, D: "010", E: yes, F: off, G: true, H: null, I: 10:99, J: 1:2:3:x}
    restart: no
    scale: 01
    secrets: [{source: s, mode: 0440}, {source: t, mode: "440"}]
    volumes: [{type: tmpfs, target: /t, tmpfs: {mode: 0}}]
    labels: [a=b, c="d, 'e=f']
    mac_address: 02:42:10:11:00:02
x-note: {at: 22:22, labels: {a: 010}}
secrets: {s: {environment: HOME}, t: {environment: HOME}}
""",
    )


def test_a_trap_in_an_anchor_is_reported_once_where_it_is_written(folder):
    text = f"x-env: &env {{ID: 007}}\n{WEB}    environment: *env\n  api: {{image: x, environment: {{<<: *env}}}}\n"
    assert warned(folder, text).count("[value-changed]") == 1
    assert "compose.yaml:1:18: 007 is a number" in warned(folder, text)


def test_traps_of_included_files_are_told_too(folder):
    folder.write("more.yaml", "version: '2'\nservices: {api: {image: x, ports: [53:53]}}\n")
    told = warned(folder, f"include: [more.yaml]\n{WEB}")
    assert "more.yaml:1:1: the attribute version is obsolete" in told
    assert "more.yaml:2:36: 53:53 is a string here" in told


def test_the_tables_hold_every_mapping_to_text_and_every_mode():
    found = attributes(LACKS)
    texts = {item.path for item in found if item.kind.startswith("mapping of strings")}
    assert set(MAPPINGS) == texts
    assert set(MODES) == {item.path for item in found if item.kind == "file mode"}


def test_a_path_without_its_dot_is_recognised(folder):
    shown = folder.refused(WEB + "    volumes: ['data/db:/var/lib/db']\n")
    assert "refers to the undefined volume data/db [undefined]" in shown
    assert "hint: begin a host path with a dot, a slash or a tilde: ./data/db" in shown


def test_start_interval_needs_a_start_period(folder):
    text = "services: {{web: {{image: x, healthcheck: {{test: [CMD, x], start_interval: 1s{more}}}}}}}"
    (warning,) = folder.load(text.format(more="")).warnings
    assert warning.message == "healthcheck.start_interval requires healthcheck.start_period to be set"
    assert not folder.load(text.format(more=", start_period: 5s")).warnings

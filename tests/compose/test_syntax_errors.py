"""Common slips of YAML are told in words, at the place where they are made, with what to write instead."""

from __future__ import annotations

import pytest

from orchestra.compose.problems import Problems
from orchestra.compose.source import Source, parse_documents

WEB = "services:\n  web:\n    image: nginx\n"
SLIPS = {
    "tab": ("services:\n\tweb: {image: x}\n", "2:1", "this line is indented with a tab", "spaces"),
    "tab-later": (f"{WEB}\tcommand: y\n", "4:1", "this line is indented with a tab", "spaces"),
    "tab-before-value": ("services:\n  web:\n    image:\tx\n", "3:11", "there is a tab where YAML", "a space"),
    "no-space": (f"{WEB}    restart:always\n    init: true\n", "4:12", "a space is missing", "restart: always"),
    "no-space-first": (
        "services:\n  web:\n    restart:always\n    image: x\n",
        "3:12",
        "a space is missing",
        "restart: ",
    ),
    "open-quote": ('services:\n  web:\n    image: "nginx\n    init: true\n', "3:12", "this quote is never closed", '"'),
    "open-single-quote": ("services:\n  web:\n    image: 'nginx\n", "3:12", "this quote is never closed", "'"),
    "open-list": (f"{WEB}    command: [a, b\n    ports: x\n", "4:14", "this list is never closed", "]"),
    "open-mapping": ("services:\n  web: {image: x\n  db: {image: y}\n", "2:8", "this mapping is never closed", "}"),
    "open-at-end": ("services:\n  web: {image: x\n", "2:8", "this mapping is never closed", "}"),
    "no-comma": ("services:\n  web: {image: x init: true}\n", "2:22", "a comma or } is missing before this", "quotes"),
    "outdented": (f"{WEB}   init: true\n", "4:4", "the indentation of this line matches no line above", "same column"),
    "indented": (f"{WEB}      init: true\n", "4:7", "this line is indented too deeply", "same column"),
    "dash-outdented": (f"{WEB}    expose:\n    - 1\n   - 2\n", "6:4", "the indentation of this line matches", "column"),
    "dash-among-keys": (f"{WEB}    - 90\n", "4:5", "the indentation of this line matches no line above", "column"),
    "line-feeds-of-windows": ("a:\r\n  b: c\r\n d: e\r\n", "3:2", "the indentation of this line matches", "column"),
    "second-colon": (f"{WEB}    command: echo a: b\n", "4:20", "a value must not contain a colon", "quotes"),
    "at": ("services:\n  web:\n    image: @x\n", "3:12", "a value must not begin with @", "quotes"),
    "backtick": ("services:\n  web:\n    image: `x`\n", "3:12", "a value must not begin with `", "quotes"),
    "star": (f"{WEB}    command: *\n", "4:14", "* must be followed by the name of an anchor", "quotes"),
    "ampersand": (f"{WEB}    command: & y\n", "4:14", "& must be followed by the name of an anchor", "quotes"),
    "after-quotes": ('services:\n  web:\n    image: "a" b\n', "3:16", "unexpected text after the value", "quotes"),
    "escape": ('services:\n  web:\n    image: "\\d"\n', "3:14", "\\d has no meaning in double quotes", "\\\\"),
    "after-bar": (f"{WEB}    command: |x\n      a\n", "4:15", "the text must begin on the line after", "indented"),
    "block-not-indented": (f"{WEB}    command: |\n    a\n", "5:5", "this is neither a key with its value", "deeper"),
    "empty-item": (f"{WEB}    command: [a, , b]\n", "4:18", "a value is missing before this", ""),
    "no-colon": ("services:\n  web\n    image: nginx\n", "2:6", "a colon is missing after web", "web:"),
    "no-colon-later": (f"{WEB}    environment\n      A: b\n", "4:16", "a colon is missing after environment", ":"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_reported_at_its_place_with_a_correction(slip):
    text, place, message, hint = SLIPS[slip]
    problems = Problems()
    assert parse_documents(Source("compose.yaml", text), problems) == ()
    (error,) = problems.errors
    assert f"{error.span.line}:{error.span.column}" == place
    assert error.message.startswith(message)
    assert hint in error.hint
    assert error.source_line
    assert not any(word in error.message for word in ("token", "scalar", "block", "flow", "stream", "while"))

"""Plain text as roff, and the macros of man(7) that pages are made of."""

from __future__ import annotations

_SPECIAL = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", '"': "\\(dq", "~": "\\(ti", "^": "\\(ha"}
_ESCAPES = str.maketrans(_SPECIAL)


def escape(text: str) -> str:
    """Plain text as roff shows it unchanged: a program can be copied from the page."""
    return at_start(escape_within(text))


def escape_within(text: str) -> str:
    """The same for what does not begin a line."""
    return text.translate(_ESCAPES)


def at_start(text: str) -> str:
    """text: roff. ``\\&`` keeps a dot at the beginning of a line from being a request."""
    return f"\\&{text}" if text.startswith(".") else text


def bold(text: str) -> str:
    return f"\\fB{escape(text)}\\fR"


def italic(text: str) -> str:
    return f"\\fI{escape(text)}\\fR"


def section(heading: str, body: str) -> str:
    """body: roff. A section begins with a paragraph by itself."""
    return f".SH {escape(heading)}\n{body.removeprefix('.PP' + chr(10))}" if body else ""


def paragraph(text: str) -> str:
    """text: roff."""
    return f".PP\n{text}\n"


def code(lines: str) -> str:
    """lines: roff, shown as they are."""
    return f".PP\n.RS 4\n.nf\n{lines}\n.fi\n.RE\n"


def definition(term: str, meaning: str) -> str:
    """term and meaning: roff."""
    return f".TP\n{term}\n{meaning.rstrip('.')}.\n"


def item(text: str) -> str:
    """An entry of a list. text: roff."""
    return f".IP \\(bu 2\n{text}\n"

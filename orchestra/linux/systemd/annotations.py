"""Properties of a scope from a configuration's annotations: ``org.systemd.property.NAME`` with a value. Pure.

Values are in GVariant's text format, as runc and crun read them: ``true``, ``'words'``, ``5``, ``uint64 5``,
``['a', 'b']``.
"""

from __future__ import annotations

from errno import EINVAL

from orchestra.linux.syscall import SystemCallError
from orchestra.linux.systemd.dbus import Variant

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "org.systemd.property."
INTEGERS = {"byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u", "int64": "x", "uint64": "t"}
SECOND = 1_000_000


def annotated_properties(annotations: Mapping[str, str]) -> list[tuple[str, Variant]]:
    """EINVAL for a value that cannot be parsed.

    Of systemd's times only those in microseconds are properties: ``TimeoutStopSec`` becomes ``TimeoutStopUSec``.
    """
    found = []
    for key, text in annotations.items():
        name = key.removeprefix(PREFIX)
        if name == key:
            continue
        try:
            value = parse_variant(text)
            if name.endswith("Sec") and not name.endswith("USec"):
                name, value = f"{name.removesuffix('Sec')}USec", Variant("t", round(float(value.value) * SECOND))
        except (ValueError, TypeError):
            raise SystemCallError(EINVAL, "config", key, f"{text!r} is no value for systemd") from None
        if not (name.isascii() and name.isalpha()):
            raise SystemCallError(EINVAL, "config", key, "not the name of a property of systemd")
        found.append((name, value))
    return found


def parse_variant(text: str) -> Variant:
    """ValueError if it has none of the forms above."""
    text = text.strip()
    if text in ("true", "false"):
        return Variant("b", text == "true")
    if text[:1] == "[" and text[-1:] == "]":
        return Variant("as", [_word(word) for word in text[1:-1].split(",") if word.strip()])
    kind, _, number = text.partition(" ")
    if kind in INTEGERS:
        return Variant(INTEGERS[kind], int(number, 0))
    if text[:1] in ("'", '"'):
        return Variant("s", _word(text))
    if "." in text or kind == "double":
        return Variant("d", float(number or text))
    return Variant("i", int(text, 0))


def _word(text: str) -> str:
    text = text.strip()
    if len(text) < 2 or text[0] not in ("'", '"') or text[-1] != text[0] or text[0] in text[1:-1] or "\\" in text:
        raise ValueError(text)
    return text[1:-1]

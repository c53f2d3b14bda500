"""What a plain YAML scalar means, and how Go prints numbers.

The YAML 1.2 core schema (chapter 10.3.2), with the integers of 1.1 that Docker Compose's YAML reader accepts: ``0440``
is octal and ``1_000`` is a thousand. ``yes``, ``no``, ``on`` and ``off`` are strings.
"""

from __future__ import annotations

from orchestra.regex import regex

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = regex(r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|[0-9][0-9_]*)")
_BARE_PREFIXES = frozenset(f"0{letter}" for letter in "xXoObB")  # ``0x_``, with the underscore gone
_FLOAT = regex(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = {
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "nan"),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), "inf"),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), "-inf"),
}


def resolve(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar."""
    if text in _NULL:
        return None
    if text[0] not in "+-.0123456789tTfF":
        return text
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.fullmatch(text):
        number = _integer(text.replace("_", ""))
        if number is not None:
            return number
    if _FLOAT.fullmatch(text):
        value = float(text)
        return text if value in (float("inf"), float("-inf")) else value  # too large for a number: Go takes it for text
    if text in _SPECIAL:
        return float(_SPECIAL[text])
    return text


def _integer(text: str) -> int | None:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    if len(digits) > 66 or digits in _BARE_PREFIXES:  # the longest number has 64 binary digits
        return None  # Go falls through, too
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        # 08 and 09 are not octal: Go falls through to the float reading.
        number = sign * int(digits, 8) if set(digits) <= set("01234567") else None
    else:
        number = sign * int(digits, 0)
    return number if number is not None and -(2**63) <= number < 2**64 else None


def render(value: str | int | float | bool | None) -> str:
    """The text of a scalar where Compose needs a string, as Go's ``fmt.Sprint`` writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return render_float(value)
    return str(value)


def render_float(value: float) -> str:
    """The shortest text that reads back the same: ``1.5``, ``2``, ``1e+21``."""
    if value != value or value in (float("inf"), float("-inf")):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    mantissa = mantissa.removesuffix(".0")
    if exponent:
        return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}" if exponent[0] in "+-" else f"{mantissa}e+{exponent}"
    return mantissa

"""The types of single values in a Compose file.

Strings are accepted for numbers, sizes, durations and booleans, because an interpolated variable is a string. The
functions raise ValueError with a message for the user.
"""

import contextlib
import math
from typing import Annotated

from orchestra.compose.scalars import render
from orchestra.compose.schema.model import Written
from orchestra.compose.tmpfs import parse_tmpfs_size
from orchestra.units import ByteSize, Duration, parse_bytes, parse_duration


def describe(value: object) -> str:
    """The type of a wrong value, in the user's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean {render(value)}"
    if isinstance(value, (int, float)):
        return f"the number {render(value)}"
    if isinstance(value, str):
        return f"the string {value if len(value) <= 60 else value[:59] + '…'!r}"
    return "a mapping" if isinstance(value, dict) else "a list"


def _text(value: object) -> str:
    if isinstance(value, (str, int, float)):
        return render(value)
    raise ValueError(f"must be a string, not {describe(value)}")


def _text_or_empty(value: object) -> str:
    return "" if value is None else _text(value)


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) <= 20:
        try:
            return int(value, 10)
        except ValueError:
            pass
    raise ValueError(f"must be a whole number, not {describe(value)}")


def _number(value: object) -> float:
    number = value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            number = float(value)
    if isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number):
        return float(number)
    raise ValueError(f"must be a number, not {describe(value)}")


_BOOLEANS = {
    **dict.fromkeys(("true", "y", "yes", "on", "1", "t"), True),
    **dict.fromkeys(("false", "n", "no", "off", "0", "f"), False),
}


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise ValueError(f"must be true or false, not {describe(value)}")


def _bytes(value: object) -> ByteSize:
    if isinstance(value, int) and not isinstance(value, bool):
        return ByteSize(value)
    if isinstance(value, str):
        return parse_bytes(value)
    raise ValueError(f"must be a size such as 512m, not {describe(value)}")


def _duration(value: object) -> Duration:
    if isinstance(value, str):
        return parse_duration(value)
    raise ValueError(f"must be a duration such as 1m30s, not {describe(value)}")


def _microseconds(value: object) -> int:
    """A CPU period or quota: whole microseconds, or a duration."""
    if isinstance(value, str) and not value.lstrip("-").isdigit():
        return parse_duration(value) // 1000
    return _integer(value)


def _tmpfs_size(value: object) -> ByteSize | str:
    """A number of bytes, or a share of the machine's memory."""
    return parse_tmpfs_size(value) if isinstance(value, str) and value.endswith("%") else _bytes(value)


class FileMode(int):
    """Permission bits of a file."""


def _file_mode(value: object) -> FileMode:
    if isinstance(value, int) and not isinstance(value, bool):
        return FileMode(value)
    if isinstance(value, str) and len(value) <= 20:
        try:
            return FileMode(int(value, 8))
        except ValueError:
            pass
    raise ValueError(f"must be a file mode such as 0440, not {describe(value)}")


def _count(value: object) -> int:
    """A number of devices; -1 is all of them."""
    return -1 if value == "all" else _integer(value)


def _text_or_boolean(value: object) -> str:
    if isinstance(value, (str, bool)):
        return render(value)
    raise ValueError(f"must be true, false or a string, not {describe(value)}")


Text = Annotated[str, Written(_text, str | int | float | bool)]
Label = Annotated[str, Written(_text_or_empty, str | int | float | bool | None)]
Variable = Annotated[str | None, Written(_text_or_none, str | int | float | bool | None)]
Integer = Annotated[int, Written(_integer, int | str)]
Number = Annotated[float, Written(_number, float | str)]
Boolean = Annotated[bool, Written(_boolean, bool | str)]
Size = Annotated[ByteSize, Written(_bytes, int | str)]
TmpfsSize = Annotated[ByteSize | str, Written(_tmpfs_size, int | str)]
Time = Annotated[Duration, Written(_duration, str)]
Microseconds = Annotated[int, Written(_microseconds, int | str)]
Mode = Annotated[FileMode, Written(_file_mode, int | str)]
Count = Annotated[int, Written(_count, int | str)]
TextOrBoolean = Annotated[str, Written(_text_or_boolean, str | bool)]

Texts = tuple[str, ...]
Labels = dict[str, Label]
Variables = dict[str, Variable]

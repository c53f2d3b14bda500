"""The base of all models, and the notes on their types that say how a value is read.

Notes are metadata of ``typing.Annotated``. ``reading`` goes by them, and so does ``strict``, for what is wrong.
"""

from typing import Any, dataclass_transform

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Model(Record):
    """A mapping of the file. extensions: its ``x-*`` keys."""

    extensions: dict[str, Any] = {}

    @classmethod
    def hints(cls) -> "Mapping[str, Any]":
        """The keys of the mapping with the types of their values, in the order of Docker Compose's output."""
        return cls.__annotations__

    @classmethod
    def default(cls, key: str) -> Any:
        """What stands for a key that is not given; None also for one that must be given."""
        return cls._field_defaults.get(key)

    @classmethod
    def needs(cls, key: str) -> bool:
        """Whether the key must be given."""
        return key not in cls._field_defaults


class Written:
    """A value with a notation of its own.

    read: makes it from what is in the file, or raises ValueError with a message for the user. looks: the types of what
    may be in the file. mapping: the model of a mapping, where one may be there instead.
    """

    def __init__(self, read: "Callable[[object], Any]", looks: Any, mapping: type[Model] | None = None) -> None:
        self.read = read
        self.looks = looks
        self.mapping: Any = mapping


class OrNothing:
    """Of a model: nothing at all may be written for a mapping without keys, as in ``networks: {front:}``."""

"""Frozen values with named fields, whose classes cost next to nothing to make.

Every command makes the classes of its options, requests, results and events before it can begin: a named tuple takes
0.2 ms each, a dataclass 0.7 ms and its library nine; a record takes 12 µs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, ClassVar, TypeVar, dataclass_transform

    Class = TypeVar("Class", bound=type)
else:

    def dataclass_transform(**_options: object) -> Callable[[Class], Class]:
        """Only type checkers need it, and ``typing`` takes 3 ms to import."""
        return lambda cls: cls


@dataclass_transform(frozen_default=True)
class Record:
    """A subclass has its annotations as fields, in their order, after those that it inherits; what it assigns to them
    are defaults.

    Equal when class and fields are. Not a tuple: fields are taken by name.
    """

    # Without annotations: those would be among the hints of each subclass, and need ``typing`` to be evaluated.
    if TYPE_CHECKING:
        _fields: ClassVar[tuple[str, ...]] = ()
        _field_names: ClassVar[frozenset[str]] = frozenset()
        _field_defaults: ClassVar[Mapping[str, object]] = {}
    else:
        _fields, _field_names, _field_defaults = (), frozenset(), {}

    def __init_subclass__(cls) -> None:
        own = tuple(name for name, kind in cls.__annotations__.items() if not _is_of_the_class(kind))
        cls._fields = (*cls._fields, *own)
        cls._field_names = frozenset(cls._fields)
        defaults = {name: cls.__dict__[name] for name in own if name in cls.__dict__}
        cls._field_defaults = {**cls._field_defaults, **defaults}
        setattr(cls, "__match_args__", cls._fields)  # noqa: B010 - the type checker makes one by itself

    def __init__(self, *values: object, **named: object) -> None:
        """Raises TypeError for fields that there are not, that are given twice, or that lack."""
        names, count = self._fields, len(values)
        given = dict(zip(names, values, strict=False))
        if named or count != len(names):
            given = {**self._field_defaults, **given, **named}
        if (
            len(given) != len(names)
            or count > len(names)
            or (named and (given.keys() != self._field_names or not named.keys().isdisjoint(names[:count])))
        ):
            placed = names[:count]
            missing = [name for name in names if name not in given]
            wrong = [name for name in named if name not in self._field_names or name in placed]
            surplus = [repr(value) for value in values[len(placed) :]]
            raise TypeError(f"{type(self).__name__}: missing {missing}, unknown or given twice {wrong + surplus}")
        object.__setattr__(self, "__dict__", given)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *map(self.__dict__.__getitem__, self._fields)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={self.__dict__[name]!r}' for name in self._fields)})"


def _is_of_the_class(kind: object) -> bool:
    return isinstance(kind, str) and kind.startswith("ClassVar")


def fields(record: Record) -> dict[str, Any]:
    """The value of each field by its name, in their order."""
    return {name: getattr(record, name) for name in record._fields}


if TYPE_CHECKING:
    from dataclasses import replace as replace  # so that the type checker knows the fields
else:

    def replace(record: Record, **named: object) -> Record:
        """The same with other values for these fields. Raises TypeError for those that it does not have."""
        if not named.keys() <= record._field_names:
            raise TypeError(f"{type(record).__name__}: unknown {sorted(named.keys() - record._field_names)}")
        changed = object.__new__(type(record))
        object.__setattr__(changed, "__dict__", {**record.__dict__, **named})
        return changed

"""Records: frozen, compared by class and fields, and made only with the fields that there are."""

from __future__ import annotations

import re

import pytest

from orchestra.record import Record, replace


class Point(Record):
    x: int
    y: int = 0
    name: str = ""


class Place(Record):
    x: int
    y: int = 0
    name: str = ""


class Nothing(Record):
    """Without fields."""


def test_fields_are_given_by_place_by_name_or_by_default():
    assert (Point(1).x, Point(1).y, Point(1).name) == (1, 0, "")
    assert Point(1, 2, name="a") == Point(name="a", y=2, x=1)
    assert Nothing() == Nothing()
    assert repr(Point(1, name="a")) == "Point(x=1, y=0, name='a')"


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((), {}, "missing ['x'], unknown or given twice []"),
        ((), {"y": 1}, "missing ['x'], unknown or given twice []"),
        ((1, 2, "a", 4), {}, "missing [], unknown or given twice ['4']"),
        ((1,), {"x": 2}, "missing [], unknown or given twice ['x']"),
        ((1,), {"z": 2}, "missing [], unknown or given twice ['z']"),
        ((), {"z": 2}, "missing ['x'], unknown or given twice ['z']"),
    ],
)
def test_other_fields_are_refused(values, named, message):
    with pytest.raises(TypeError, match=re.escape(f"Point: {message}")):
        Point(*values, **named)


def test_equal_records_are_of_one_class_and_hash_alike():
    assert Point(1) != Place(1)
    assert len({Point(1, 2), Point(y=2, x=1), Point(1), Place(1)}) == 3


def test_a_record_is_frozen_and_replaced_as_a_whole():
    point = Point(1)
    with pytest.raises(AttributeError):
        point.x = 2
    assert replace(point, y=3) == Point(1, 3)
    assert point == Point(1)


def test_patterns_take_fields_by_place_and_by_name():
    match Point(1, 2, "a"):
        case Place():
            pytest.fail("of another class")
        case Point(x, _, name="a"):
            assert x == 1
        case _:
            pytest.fail("not matched")

from __future__ import annotations

from orchestra.names.shares import Shares


def test_places_are_shared_among_those_that_want_some():
    shares = Shares(total=8, most=6)
    assert [shares.take("a") for _ in range(8)] == [True] * 6 + [False] * 2
    assert [shares.take("b") for _ in range(5)] == [True] * 4 + [False]
    shares.give_back("b")
    assert shares.take("b")
    for _ in range(6):
        shares.give_back("a")
    assert [shares.take("b") for _ in range(3)] == [True, True, False]
    assert all(Shares(total=1, most=1).take(name) for name in "abc")

"""Which ids the users of a container are: pure arithmetic of maps and ranges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestra.driver.local.own_users import choose_range, ids_needed, keep_map
from orchestra.driver.local.record import Range
from orchestra.driver.local.user import User
from orchestra.linux.user_namespace import to_host, to_inside

SUPPLY = Range(100, 1000)


@given(st.lists(st.integers(1, 400), max_size=12), st.lists(st.integers(0, 11), max_size=12))
def test_ranges_never_overlap_and_are_found_again_when_given_back(sizes, returned):
    taken: list[Range] = []
    for size in sizes:
        found = choose_range(size, SUPPLY, taken)
        if found is None:
            free = SUPPLY.size - sum(each.size for each in taken)
            assert size > free or len(taken) > 1
            continue
        assert SUPPLY.first <= found.first
        assert found.first + found.size <= SUPPLY.first + SUPPLY.size
        assert all(found.first + size <= other.first or other.first + other.size <= found.first for other in taken)
        taken.append(found)
        if returned and returned[-1] < len(taken):
            again = taken.pop(returned.pop())
            assert choose_range(again.size, SUPPLY, taken) is not None


@given(st.integers(0, 100_000), st.integers(2, 70_000))
def test_a_kept_user_takes_one_id_from_the_others_and_all_stay_distinct(own, count):
    rows = keep_map(own, count)
    assert to_host(rows, own) == 0
    assert sum(row["size"] for row in rows) == count
    for outside in (0, 1, own, own + 1, count - 1):
        inside = to_inside(rows, outside)
        assert (inside is None) == (outside >= count)
        assert inside is None or to_host(rows, inside) == outside


def test_an_image_gets_ids_for_all_its_users_but_nobody():
    passwd = "root:x:0:0::/:\nbig:x:5000:20::/:\nnobody:x:65534:65534::/:\nbroken\n"
    assert ids_needed(User(), passwd, "") == 5001
    assert ids_needed(User(7000, 7000, (7000, 9000)), passwd, "users:x:100:\n") == 9001
    assert ids_needed(User(), "", "") == 1024

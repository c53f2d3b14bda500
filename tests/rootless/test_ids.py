"""Which ids the namespace of a home has."""

from __future__ import annotations

import pytest

from orchestra.rootless import ids


@pytest.fixture
def files(tmp_path, monkeypatch):
    for name in ("SUBORDINATE_USERS", "SUBORDINATE_GROUPS"):
        monkeypatch.setattr(ids, name, str(tmp_path / name))

    def write(users, groups):
        (tmp_path / "SUBORDINATE_USERS").write_text(users)
        (tmp_path / "SUBORDINATE_GROUPS").write_text(groups)

    return write


def rows(maps):
    return [(row["containerID"], row["hostID"], row["size"]) for row in maps]


def test_ranges_by_name_and_by_number_follow_the_users_own_id(files):
    files("other:1:5\nplain:100000:10\n# plain:7:7\n1000:300000:20\nplain:x:1\nplain:5:0\n", "plain:200000:30")
    found = ids.find_ids(1000, 1001, "plain")
    assert rows(found.users) == [(0, 1000, 1), (1, 100000, 10), (11, 300000, 20)]
    assert rows(found.groups) == [(0, 1001, 1), (1, 200000, 30)]
    assert not found.are_alone


def test_without_ranges_of_both_kinds_there_is_root_alone(files):
    files("plain:100000:10", "other:1:1")
    found = ids.find_ids(1000, 1001, "plain")
    assert (rows(found.users), rows(found.groups)) == ([(0, 1000, 1)], [(0, 1001, 1)])
    assert found.are_alone


def test_ranges_that_overlap_are_left_out(files):
    files("plain:100000:10\nplain:100009:5\nplain:100000:10\nplain:990:20\nplain:200000:1", "plain:200000:30")
    assert rows(ids.find_ids(1000, 1001, "plain").users) == [(0, 1000, 1), (1, 100000, 10), (11, 200000, 1)]


def test_files_that_are_missing_have_no_ranges(monkeypatch, tmp_path):
    monkeypatch.setattr(ids, "SUBORDINATE_USERS", str(tmp_path / "none"))
    monkeypatch.setattr(ids, "SUBORDINATE_GROUPS", str(tmp_path / "none"))
    assert ids.find_ids(1000, 1001, "plain").are_alone

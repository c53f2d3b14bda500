"""The journal of leases: what is stored is read again, by this process and by others, also after damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestra.driver.local.net import lease_file
from orchestra.driver.local.net.ipam import Leases, NetworkLease, lease_address
from orchestra.home import find_home

LEASE = NetworkLease("s", "br", "10.9.0.0/16", "10.9.0.1")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(lease_file, "_find", lambda _: Leases({"found": LEASE}))
    made = find_home({"ORCHESTRA_HOME": str(tmp_path)}, 0)
    with lease_file.locked(made) as file:
        file.leases = Leases({"n": LEASE, "other": LEASE})
    return made


def path(home):
    return Path(home.networks, "leases.json")


def give(home, container):
    with lease_file.locked(home) as file:
        file.leases = file.leases.with_network("n", lease_address("n", file.leases.networks["n"], container))


def as_others_read(home):
    """Without what this process remembers."""
    lease_file._known.clear()
    return lease_file.load(home)


def test_an_address_costs_one_line(home):
    give(home, "first")
    before = path(home).read_bytes()
    give(home, "second")
    after = path(home).read_bytes()
    assert after.startswith(before)
    assert after.count(b"\n") == before.count(b"\n") + 1


def test_what_was_given_and_returned_is_read_by_everyone(home):
    for number in range(300):
        give(home, str(number))
        if number % 3:
            with lease_file.locked(home) as file:
                file.leases = file.leases.without_containers({str(number)})
    own = lease_file.load(home)
    assert own.networks["n"].addresses.keys() == {str(number) for number in range(0, 300, 3)}
    assert own.networks["n"].last == "10.9.1.45"
    assert as_others_read(home) == own
    assert path(home).read_bytes().count(b"\n") < 3 + lease_file.LINES_FOR_ADDRESS * 101


def test_a_file_that_another_process_has_written_anew_is_read_from_its_beginning(home):
    give(home, "mine")
    known = dict(lease_file._known)
    with lease_file.locked(home) as file:
        file.leases = file.leases.without_network("other")
    give(home, "theirs")
    lease_file._known.update(known)
    assert lease_file.load(home) == as_others_read(home)
    assert lease_file.load(home).networks.keys() == {"n"}


@pytest.mark.parametrize("damage", ["", "{}\n", "x\n{}\n", '{"journal": "1"}\n{"networks', "[1]\n[2]\n"])
def test_a_damaged_file_is_made_anew(home, damage, capsys):
    path(home).write_text(damage)
    with lease_file.locked(home) as file:
        assert file.leases.networks.keys() == {"found"}
    assert "rebuilt from the existing networks and containers" in capsys.readouterr().err
    assert as_others_read(home).networks.keys() == {"found"}


@pytest.mark.parametrize("remembered", [True, False])
def test_a_line_that_was_cut_short_is_damage_for_a_writer_and_nothing_for_a_reader(home, remembered):
    give(home, "first")
    give(home, "second")
    path(home).write_bytes(path(home).read_bytes()[:-9])
    if not remembered:
        assert as_others_read(home).networks["n"].addresses.keys() == {"first"}
        lease_file._known.clear()
    with lease_file.locked(home) as file:
        assert file.leases.networks.keys() == {"found"}

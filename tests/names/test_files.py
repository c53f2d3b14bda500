"""What is read is remembered until it changes, however that happens."""

from __future__ import annotations

import json
import os

import pytest

from orchestra.linux.private_files import store
from orchestra.names.files import Changes, Files
from orchestra.names.message import wire_name
from orchestra.names.zone import Standing


class World:
    def __init__(self, path) -> None:
        self.path = path
        self.names, self.box = path / "names", path / "box"
        self.names.mkdir()
        self.box.mkdir()
        self.resolv_conf = path / "etc" / "resolv.conf"
        self.resolv_conf.parent.mkdir()
        self.resolv_conf.write_text("nameserver 192.0.2.1\n")
        self.files = Files(str(self.names), str(self.resolv_conf))

    def publish(self, network, **containers):
        (self.names / network).mkdir(exist_ok=True)
        entries = [
            {"container": name, "directory": str(self.box), "addresses": [address], "names": [name]}
            for name, address in containers.items()
        ]
        store(str(self.names / network / "s.json"), json.dumps(entries).encode())

    def store(self, name, **content):
        store(str(self.box / name), json.dumps(content).encode())

    def finds(self, name, *networks):
        return wire_name(name) in self.files.directory(networks).names

    def standing(self):
        return self.files.standing(str(self.box))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.files.close()


def test_names_appear_with_their_network_and_go_with_it(world):
    assert not world.finds("web", "front")
    world.publish("front", web="10.0.0.2")
    assert world.files.read_changes().names
    assert world.finds("web", "front")
    world.publish("front", db="10.0.0.3")
    assert world.files.read_changes().names
    assert (world.finds("web", "front"), world.finds("db", "front")) == (False, True)
    (world.names / "front" / "s.json").unlink()
    (world.names / "front").rmdir()
    assert world.files.read_changes().names
    assert not world.finds("db", "front")
    world.publish("front", web="10.0.0.2")
    assert world.files.read_changes().names
    assert world.finds("web", "front")


def test_the_directory_of_a_container_may_be_removed_and_made_again(world):
    for _ in range(3):
        world.store("state.json")
        world.files.read_changes()
        assert world.standing() == Standing(runs=True)
        (world.box / "state.json").unlink()
        world.box.rmdir()
        assert world.files.read_changes().names
        assert world.standing() == Standing()
        world.box.mkdir()
        assert world.files.read_changes().names


def test_a_damaged_file_hides_the_names_of_its_stack_only(world):
    world.publish("front", web="10.0.0.2")
    for number, content in enumerate([b"", b"{", b"[1]", b'[{"container": "a"}]', b"[" * 9999]):
        (world.names / "front" / f"{number}.json").write_bytes(content)
    assert world.finds("web", "front")


def test_the_standing_of_a_container_follows_its_records(world):
    assert world.standing() == Standing(runs=False)
    for change, expected in (
        (lambda: world.store("state.json"), Standing(runs=True)),
        (lambda: world.store("health.json", health={"status": "starting"}), Standing(runs=True, is_well=False)),
        (lambda: world.store("health.json", health={"status": "healthy"}), Standing(runs=True)),
        (lambda: world.store("exit.json"), Standing()),
        (lambda: os.unlink(world.box / "exit.json"), Standing(runs=True)),
        (lambda: world.box.rename(world.path / "gone"), Standing()),
    ):
        change()
        assert world.files.read_changes() == Changes(names=True)
        assert world.standing() == expected


def test_what_changes_no_answer_is_no_change(world):
    world.store("state.json")
    world.store("health.json", health={"status": "healthy", "failing_streak": 0})
    world.standing()
    world.store("health.json", health={"status": "healthy", "failing_streak": 1})
    world.store("start.json")
    assert world.files.read_changes() == Changes()


def test_a_container_sees_other_networks_once_its_record_says_so(world):
    def attach(*networks, gateway="10.0.0.1"):
        interfaces = [{"network": network, "gateway": gateway} for network in networks]
        world.store("network.json", container="web", interfaces=interfaces, nameservers=["192.0.2.9"])

    directory = str(world.box)
    assert world.files.view(directory) is None
    attach("front")
    world.files.read_changes()
    view = world.files.view(directory)
    assert (view.container, view.networks, view.forwards, view.servers) == ("web", ("front",), True, ("192.0.2.9",))
    attach("front", "back", gateway="")
    assert world.files.read_changes() == Changes(names=True)
    view = world.files.view(directory)
    assert (view.networks, view.forwards) == (("front", "back"), False)


def test_the_hosts_name_servers_may_be_written_replaced_or_behind_a_link(world):
    assert world.files.host_servers() == ("192.0.2.1",)
    world.resolv_conf.write_text("nameserver 192.0.2.2\n")
    assert world.files.read_changes() == Changes(servers=True)
    assert world.files.host_servers() == ("192.0.2.2",)
    store(str(world.resolv_conf), b"nameserver 192.0.2.3\n")
    assert world.files.read_changes() == Changes(servers=True)
    target = world.path / "run.conf"
    target.write_text("nameserver 127.0.0.53\n")
    world.resolv_conf.unlink()
    world.resolv_conf.symlink_to(target)
    assert world.files.read_changes() == Changes(servers=True)
    assert world.files.host_servers() == ("127.0.0.53",)
    store(str(target), b"nameserver 192.0.2.4\n")
    assert world.files.read_changes() == Changes(servers=True)
    assert world.files.host_servers() == ("192.0.2.4",)
    (world.resolv_conf.parent / "hosts").touch()
    assert world.files.read_changes() == Changes()

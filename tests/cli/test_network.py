"""``network`` lists, shows and removes networks of every stack, and never one that a container needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import lease_file
from orchestra.driver.local.net.attachment import Attachment, Interface
from orchestra.driver.local.net.ipam import Leases, NetworkLease
from orchestra.driver.local.net.listing import network_id
from orchestra.model.codec import encode
from orchestra.model.desired import Desired, NetworkSpec
from tests.examples.conftest import needs_containers


def lease(stack, subnet, **more):
    return NetworkLease(stack, f"orc-{stack}", f"{subnet}.0/24", f"{subnet}.1", created_at=1e9, **more)


@pytest.fixture
def networks(home):
    """Two networks: a container is attached to the first, and nothing uses the second."""
    options = {"com.docker.network.driver.mtu": "1400"}
    first = lease("shop", "10.9.0", labels={"kept": "yes"}, driver_options=options, addresses={"c" * 64: "10.9.0.2"})
    with lease_file.locked(home) as file:
        file.leases = Leases({"shop_front": first, "old_default": lease("old", "10.8.0", internal=True)})
    interface = Interface("shop_front", "eth0", "10.9.0.2", 24, "10.9.0.1", "02:6f:0a:09:00:02")
    made = Attachment("shop", "web", "shop-web-1", "c" * 64, "web", interfaces=(interface,))
    attachments.store(home.stack("shop").container("shop-web-1"), made)


def names(orchestra, *words):
    code, out, err = orchestra("network", "ls", "--format", "{{.Name}}", *words)
    assert (code, err) == (0, "")
    return out.split()


def test_networks_are_listed_in_dockers_columns(networks, orchestra, home):
    ids = [network_id(home, name) for name in ("old_default", "shop_front")]
    assert orchestra("network", "ls")[1].splitlines() == [
        "NETWORK ID     NAME          DRIVER   SCOPE",
        f"{ids[0][:12]}   old_default   bridge   local",
        f"{ids[1][:12]}   shop_front    bridge   local",
    ]
    assert orchestra("network", "ls", "-q", "--no-trunc")[1].split() == ids
    (row,) = map(json.loads, orchestra("network", "ls", "--format", "json", "--filter", "name=old")[1].splitlines())
    assert row["Internal"] == "true"
    assert row["CreatedAt"] == "2001-09-09 01:46:40 +0000 UTC"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (("name=front",), ["shop_front"]),
        (("dangling=true",), ["old_default"]),
        (("dangling=0",), ["shop_front"]),
        (("label=kept",), ["shop_front"]),
        (("label=kept=no",), []),
        (("driver=bridge", "scope=local", "type=custom"), ["old_default", "shop_front"]),
        (("type=builtin",), []),
    ],
)
def test_filters_choose_networks(networks, orchestra, filters, found):
    words = [word for text in filters for word in ("--filter", text)]
    assert names(orchestra, *words) == found


def test_an_unknown_filter_is_refused(networks, orchestra):
    code, _, err = orchestra("network", "ls", "--filter", "nam=x")
    assert code == 1
    assert "there is no filter nam" in err
    assert "did you mean name" in err


def test_a_network_is_shown_in_dockers_words(networks, orchestra, home):
    found = network_id(home, "shop_front")
    (row,) = json.loads(orchestra("network", "inspect", found[:6])[1])
    assert row["Containers"] == {
        "c" * 64: {
            "Name": "shop-web-1",
            "MacAddress": "02:6f:0a:09:00:02",
            "IPv4Address": "10.9.0.2/24",
            "IPv6Address": "",
        }
    }
    assert row["IPAM"]["Config"] == [{"Subnet": "10.9.0.0/24", "Gateway": "10.9.0.1"}]
    assert (row["Id"], row["Stack"], row["Internal"]) == (found, "shop", False)
    assert row["Options"] == {"com.docker.network.driver.mtu": "1400"}
    code, _, err = orchestra("network", "inspect", "shop_fron")
    assert code == 1
    assert "no such network: shop_fron" in err
    assert "did you mean shop_front?" in err


@needs_containers[0]
@needs_containers[1]
def test_only_networks_that_nothing_uses_are_removed(networks, orchestra, home):
    code, out, err = orchestra("network", "rm", "shop_front", "old_default")
    assert (code, out) == (1, "old_default\n")
    assert "network shop_front is in use by container shop-web-1" in err
    assert names(orchestra) == ["shop_front"]
    assert orchestra("network", "rm", "-f", "old_default") == (0, "", "")
    attachments.remove(home.stack("shop").container("shop-web-1"))
    stack = home.stack("shop")
    spec = NetworkSpec("front", "shop_front")
    desired = Path(stack.desired)
    desired.parent.mkdir(parents=True, exist_ok=True)
    desired.write_text(json.dumps(encode(Desired("shop", networks=(spec,)))))
    assert orchestra("network", "prune", "-f") == (0, "Nothing to remove.\n", "")
    assert "in use by stack shop, which is not down" in orchestra("network", "rm", "shop_front")[2]
    desired.unlink()
    assert orchestra("network", "prune", "-f", "--filter", "label!=kept") == (0, "Nothing to remove.\n", "")
    assert orchestra("network", "prune", "-f") == (0, "Removed network shop_front\n", "")
    assert names(orchestra) == []


@pytest.mark.parametrize(
    ("words", "error", "hint"),
    [
        ("a/b", "'a/b' is not a valid network name", "letter or a digit"),
        ("--gateway 10.1.2.3 front", "no subnet contains the gateway 10.1.2.3", "give its subnet with --subnet"),
        (
            "--subnet 10.1.0.0/24 --subnet fd00:7::/64 --aux-address a=10.2.0.3 front",
            "no subnet contains the address 10.2.0.3",
            "--subnet gives the subnets: 10.1.0.0/24, fd00:7::/64",
        ),
        ("--subnet 10.1.0.0/40 front", "'10.1.0.0/40' does not appear to be an IPv4 or IPv6 network", ""),
        ("--opt nothing front", "--opt nothing: expected KEY=VALUE", ""),
        ("--opt a=b front", "network front: driver option a is not supported", "com.docker.network.bridge.name"),
        ("old_default", "network old_default already exists", ""),
    ],
)
def test_a_network_that_cannot_be_is_refused_and_leaves_nothing(networks, orchestra, home, words, error, hint):
    code, out, err = orchestra("network", "create", *words.split())
    assert (code, out) == (1, "")
    assert error in err
    assert hint in err
    assert names(orchestra) == ["old_default", "shop_front"]
    assert not list(Path(home.data).glob("stacks/*"))

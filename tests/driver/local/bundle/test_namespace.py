"""Namespaces, host name and kernel settings."""

from __future__ import annotations

import pytest

from orchestra.driver.local.bundle.world import HostFacts
from orchestra.errors import FatalError
from orchestra.model.sharing import Bare, Host, OfService
from tests.driver.local.bundle.containers import attachment, render

ON_HOST = attachment(namespace_path=None)
START = "net.ipv4.ip_unprivileged_port_start"
OPEN = {START: "0", "net.ipv4.ping_group_range": "0 2147483647"}


def namespaces(config):
    return {entry["type"]: entry.get("path", "") for entry in config["linux"]["namespaces"]}


def sysctls(**more):
    return render(**more)["linux"]["sysctl"]


OWN = {"mount": "", "cgroup": "", "uts": "", "ipc": "", "pid": "", "network": "/run/netns/c0ffee"}


@pytest.mark.parametrize(
    ("more", "changed"),
    [
        ({}, {}),
        ({"pid": Host()}, {"pid": None}),
        ({"pid": OfService("db")}, {}),
        ({"ipc": Host()}, {"ipc": None}),
        ({"ipc": Bare()}, {}),
        ({"uts": Host()}, {"uts": None}),
        ({"attached": ON_HOST}, {"network": None}),
    ],
)
def test_namespaces(more, changed):
    expected = {kind: path for kind, path in {**OWN, **changed}.items() if path is not None}
    assert namespaces(render(**more)) == expected


def test_the_hosts_name_is_never_set():
    config = render(uts=Host(), attached=attachment(hostname="machine"))
    assert "hostname" not in config
    assert "HOSTNAME=machine" in config["process"]["env"]


@pytest.mark.parametrize("attribute", ["hostname", "domainname"])
def test_a_name_needs_a_namespace(attribute):
    with pytest.raises(FatalError, match=f"{attribute} cannot be set with uts: host"):
        render(uts=Host(), **{attribute: "box"})


def test_a_domain_name_is_set_as_the_kernel_takes_it():
    assert sysctls(domainname="example.org") == {**OPEN, "kernel.domainname": "example.org"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, OPEN),
        ({"network_mode": Bare()}, OPEN),
        ({"sysctls": {"net/ipv4/ip_unprivileged_port_start": "80"}}, {**OPEN, START: "80"}),
        ({"host": HostFacts(every_group=False)}, {START: "0"}),
        ({"network_mode": Host(), "attached": ON_HOST}, {}),
        ({"network_mode": OfService("db")}, {}),
    ],
)
def test_any_user_may_listen_on_any_port_of_a_network_of_its_own(more, expected):
    assert sysctls(**more) == expected


def test_a_containers_own_name_is_cut_to_what_the_kernel_takes():
    assert render(attached=attachment(hostname="x" * 80))["hostname"] == "x" * 64


@pytest.mark.parametrize(
    ("name", "spelling"),
    [
        ("net.core.somaxconn", "net.core.somaxconn"),
        ("net/core/somaxconn", "net.core.somaxconn"),
        ("net.ipv4.conf.eno2/100.rp_filter", "net/ipv4/conf/eno2.100/rp_filter"),
        ("net/ipv4/conf/eno2.100/rp_filter", "net/ipv4/conf/eno2.100/rp_filter"),
        ("kernel.shmmax", "kernel.shmmax"),
        ("fs/mqueue/msg_max", "fs.mqueue.msg_max"),
    ],
)
def test_kernel_settings_of_a_namespace(name, spelling):
    assert sysctls(sysctls={name: "1"}) == {**OPEN, spelling: "1"}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("kernel.core_pattern", {}),
        ("vm.swappiness", {}),
        ("net..", {}),
        ("net.../kernel.core_pattern", {}),
        ("net/../kernel/core_pattern", {}),
        ("/net/core/somaxconn", {}),
        ("", {}),
        ("kernel.hostname", {}),
        ("kernel.domainname", {}),
        ("net.core.somaxconn", {"attached": ON_HOST}),
        ("kernel.sem", {"ipc": Host()}),
        ("fs.mqueue.msg_max", {"ipc": Host()}),
        ("kernel.core_pattern", {"privileged": True}),
    ],
)
def test_a_setting_that_would_change_the_host_is_refused(name, more):
    with pytest.raises(FatalError, match="service web: sysctl") as caught:
        render(sysctls={name: "1"}, **more)
    assert caught.value.hint

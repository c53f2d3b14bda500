"""A host of one's own: every test runs in a fresh network namespace and home, so the machine's network is untouched."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestra.driver.local.net import lease_file, network
from orchestra.home import Home, find_home
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside, pin_namespace, unpin_namespace
from orchestra.linux.network.netlink import Netlink, family_of
from orchestra.model.container import ContainerSpec, Endpoint, Port
from orchestra.model.desired import NetworkSpec
from orchestra.model.names import ContainerName, NetworkName, ServiceName

LACK = "needs root to make network namespaces" if os.geteuid() != 0 else ""
LACK = LACK or ("" if shutil.which("nft") else "needs the program nft")
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)

needs_network = [pytest.mark.root, pytest.mark.skipif(bool(LACK), reason=LACK)]


@dataclass
class World:
    """One host with one home, and what a test may do there."""

    home: Home
    path: Path
    stack: str = "s"
    resources: ExitStack = field(default_factory=ExitStack)

    def network(self, name="s_default", stack="s", **more):
        spec = NetworkSpec(key=name, name=NetworkName(name), **more)
        network.create_network(self.home, stack, spec)
        return spec

    def spec(self, name, *networks, ports=(), stack="s", **more):
        endpoints = tuple(net if isinstance(net, Endpoint) else Endpoint(NetworkName(net)) for net in networks)
        return ContainerSpec(
            name=ContainerName(f"{stack}-{name}-1"),
            service=ServiceName(name),
            index=1,
            image="",
            config_hash="",
            endpoints=endpoints,
            ports=tuple(Port(target, published) if isinstance(target, int) else target for target, published in ports),
            **more,
        )

    def directory(self, spec, stack="s"):
        return self.home.stack(stack).container(spec.name)

    def attach(self, name="web", *networks, stack="s", **more):
        spec = self.spec(name, *(networks or ("s_default",)), stack=stack, **more)
        os.makedirs(self.directory(spec, stack), exist_ok=True)
        return network.attach(self.home, stack, spec, f"id-{spec.name}", self.directory(spec, stack))

    def detach(self, attachment, stack="s"):
        directory = self.home.stack(stack).container(attachment.container)
        network.detach(self.home, stack, attachment.container_id, directory)

    def serve(self, namespace, port, text=b"hello", host="0.0.0.0"):
        """A TCP server in the namespace (None: on the host) that says ``text`` and who it takes its client for."""
        listener = self.socket(namespace, socket.SOCK_STREAM, family_of(host))
        listener.bind((host, port))
        listener.listen(64)
        self.resources.callback(listener.close)

        def run():
            while True:
                try:
                    connection, client = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(text + b" " + client[0].encode())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.resources.callback(thread.join)
        self.resources.callback(listener.shutdown, socket.SHUT_RDWR)

    def socket(self, namespace, kind, family=socket.AF_INET):
        if namespace is None:
            return socket.socket(family, kind)
        return inside(namespace, socket.socket, family, kind)

    def ask(self, namespace, host, port, timeout=20.0):
        """What the server there says."""
        with self.socket(namespace, socket.SOCK_STREAM, family_of(host)) as client:
            client.settimeout(timeout)
            client.connect((host, port))
            return client.makefile("rb").read().decode()

    def cannot_reach(self, namespace, host, port):
        try:
            self.ask(namespace, host, port, timeout=0.3)
        except OSError:
            return True
        return False

    def outside(self, name, subnet, *, route_to_host=False, ipv6=""):
        """A namespace that stands for another machine, linked to the host as .1 and .2 of a /24.

        ipv6: and as ::1 and ::2 of this subnet of 64 bits, such as ``2001:db8:7``.
        """
        path = str(self.path / name)
        pin_namespace(path)
        self.resources.callback(unpin_namespace, path)
        descriptor = os.open(path, os.O_RDONLY)
        with Netlink() as host:
            host.send(netlink.new_veth(name, peer="uplink", namespace=descriptor, address=b"\2\1\1\1\1\2", mtu=1500))
            host.send(netlink.add_address(host.link(name).number, f"{subnet}.1", 24), netlink.set_up(name))
            if ipv6:
                host.send(netlink.add_address(host.link(name).number, f"{ipv6}::1", 64))
        os.close(descriptor)
        with inside(path, Netlink) as there:
            there.send(netlink.set_up("lo"), netlink.set_up("uplink"))
            there.send(netlink.add_address(there.link("uplink").number, f"{subnet}.2", 24))
            number = there.link("uplink").number
            if ipv6:
                there.send(netlink.add_address(number, f"{ipv6}::2", 64))
            if route_to_host:
                there.send(
                    *(netlink.set_default_route(to, number) for to in (f"{subnet}.1", ipv6 and f"{ipv6}::1") if to)
                )
        return path

    def gateway(self, name="s_default"):
        return lease_file.load(self.home).networks[name].gateway

    def interfaces(self):
        with Netlink() as host:
            return {found.name for found in host.links() if not found.loopback}

    def ruleset(self):
        return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def eventually(condition, seconds=30.0):
    """Wait for the kernel to get round to it; whether it did."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@contextmanager
def own_network():
    """This thread, and the threads and processes it starts, in a fresh network namespace."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        assert libc.unshare(CLONE_NEWNET) == 0
        with Netlink() as host:
            host.send(netlink.set_up("lo"))
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)


@pytest.fixture
def world(tmp_path):
    with own_network():
        made = World(find_home({"ORCHESTRA_HOME": str(tmp_path / "home")}, 0), tmp_path)
        with made.resources:
            yield made
        pins = Path(made.home.network_namespaces)
        for pin in list(pins.iterdir()) if pins.exists() else []:
            unpin_namespace(str(pin))
        libc.umount2(str(pins).encode(), 2)

"""Measure how long an answer to a question for a name takes, from within a container's network namespace.

    python benchmarks/names.py [--questions N] [--rounds N] [--aardvark PROGRAM] [--other LABEL NAMESPACE SERVER NAME]

Needs root. Everything happens in a network and a mount namespace of its own. Each resolver is asked in turn, so that a
slow moment of the machine hits all of them. Beside our own it measures a bare echo in Python behind the same
redirection, the least that a resolver in Python can take; podman's aardvark-dns behind a bridge, if the program is
there; and any others that run, such as Docker's, by the network namespace of a container, the server's address and a
name. Latencies are of one question at a time, in microseconds, the client in Python included; the rate is what one
client gets answered that sends without waiting for answers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import anyio
from anyio.to_thread import run_sync

from orchestra.container import wire
from orchestra.driver.local.net import network
from orchestra.driver.local.net.nameserver import lead_to, open_sockets, serving_names
from orchestra.home import Home, find_home
from orchestra.linux.mounts.mount import MS_PRIVATE, MS_REC, mount
from orchestra.linux.namespaces import CLONE_NEWNET, CLONE_NEWNS, unshare
from orchestra.linux.network import netlink
from orchestra.linux.network.namespace import inside
from orchestra.linux.network.netlink import Netlink
from orchestra.model.container import ContainerSpec, Endpoint
from orchestra.model.desired import NetworkSpec
from orchestra.names.message import wire_name

AARDVARK = "/usr/lib/podman/aardvark-dns"
RESOLVER = """
import json, socket, sys
from orchestra.names.process import serve
serve(json.loads(sys.argv[2]), socket.socket(fileno=int(sys.argv[1])))
"""
ECHO = """
import select, socket, sys
one, poll = socket.socket(fileno=int(sys.argv[1])), select.epoll()
poll.register(one, select.EPOLLIN)
while True:
    for _ in poll.poll():
        data, client = one.recvfrom(4096)
        one.sendto(data, client)
"""


class Peer(NamedTuple):
    """A resolver: its clients' network namespace, its address, and a name that it knows."""

    label: str
    namespace: str
    server: str
    name: str

    def client(self) -> socket.socket:
        client = inside(self.namespace, socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        client.connect((self.server, 53))
        client.settimeout(5)
        return client

    def question(self) -> bytes:
        return b"\0\7\1\0\0\1\0\0\0\0\0\0" + (wire_name(self.name) or b"\0") + b"\0\1\0\1"


def ask_in_turn(peer: Peer, count: int) -> list[float]:
    """The microseconds of each answer."""
    question = peer.question()
    with peer.client() as client:
        taken = []
        for _ in range(count):
            began = time.perf_counter()
            client.send(question)
            client.recv(4096)
            taken.append((time.perf_counter() - began) * 1e6)
    return taken


def ask_at_once(peer: Peer, rate: int, seconds: float) -> float:
    """The share of questions that was answered, with so many in a second."""
    question = peer.question()
    sent = received = 0
    with peer.client() as client:
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            while sent < rate * passed:
                client.send(question)
                sent += 1
            received += receive_all(client, 0.0005)
        received += receive_all(client, 0.5)
    return received / sent


def receive_all(client: socket.socket, seconds: float) -> int:
    """How many datagrams come until none has for so long."""
    count = 0
    client.settimeout(seconds)
    with contextlib.suppress(TimeoutError):
        while client.recv(4096):
            count += 1
    return count


@contextlib.contextmanager
def aardvark(program: str, folder: str, address: str, container: str, name: str):
    """Serve the name at an address of this namespace."""
    os.mkdir(f"{folder}/aardvark")
    Path(f"{folder}/aardvark/net").write_text(f"{address}\n{'a' * 64} {container}  {name}\n")
    subprocess.run([program, "--config", f"{folder}/aardvark", "--port", "53", "run"], check=True)
    try:
        yield
    finally:
        subprocess.run(["kill", Path(f"{folder}/aardvark/aardvark.pid").read_text()], check=True)


def measure(options: argparse.Namespace, folder: str) -> None:
    home = find_home({"ORCHESTRA_HOME": folder}, 0)
    network.create_network(home, "s", NetworkSpec(key="d", name="s_default", subnet="10.200.0.0/24"))
    attached = []
    for number, name in enumerate(("web", "db", "echo")):
        spec = ContainerSpec(f"s-{name}-1", name, 1, "", "", endpoints=(Endpoint("s_default"),))
        directory = home.stack("s").container(spec.name)
        attached.append(network.attach(home, "s", spec, f"{number:064x}", directory))
        Path(f"{directory}/state.json").touch()
    network.apply(home, "s")
    web, db, echo = attached
    sockets = inside(echo.namespace_path, open_sockets)
    sockets.udp.setblocking(True)
    peers = [
        Peer("echo in Python", echo.namespace_path, "127.0.0.11", "db"),
        Peer("orchestra", web.namespace_path, "127.0.0.11", "db"),
        *(Peer(*other) for other in options.other),
    ]
    with contextlib.ExitStack() as running:
        started = running.enter_context(Started())
        started.start(ECHO, sockets.udp)
        if os.path.exists(options.aardvark):
            address = db.addresses["s_default"]
            running.enter_context(aardvark(options.aardvark, folder, "10.200.0.1", address, "db"))
            peers.append(Peer("aardvark-dns", web.namespace_path, "10.200.0.1", "db"))

        def compare_all() -> None:
            inside(echo.namespace_path, lead_to, sockets)  # not to the resolver
            compare(peers, options)

        anyio.run(while_serving, home, started, compare_all)


async def while_serving(home: Home, started: Started, function) -> None:
    def launch() -> None:
        order = {"socket": home.stack("s").names_socket, "names": home.names, "home": home.run}
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                started.start(RESOLVER, theirs, json.dumps(order))
            wire.receive(ours)

    async with serving_names(home, "s", launch):
        await run_sync(function)


class Started:
    """Python programs that are killed at the end."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, program: str, descriptor: socket.socket, *arguments: str) -> None:
        """The program gets the number of the descriptor as its first argument."""
        fd = descriptor.fileno()
        self._processes.append(subprocess.Popen([sys.executable, "-c", program, str(fd), *arguments], pass_fds=[fd]))

    def __enter__(self) -> Started:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()


def compare(peers: list[Peer], options: argparse.Namespace) -> None:
    taken: dict[str, list[float]] = {peer.label: [] for peer in peers}
    answered: dict[str, list[float]] = {peer.label: [] for peer in peers}
    for peer in peers:
        ask_in_turn(peer, 100)
    for _ in range(options.rounds):
        for peer in peers:
            taken[peer.label] += ask_in_turn(peer, options.questions)
            answered[peer.label].append(ask_at_once(peer, options.rate, 1.0))
    print(f"{'':16}{'fastest':>9}{'median':>9}{'99 %':>9}   answered of {options.rate} a second")
    for label, times in taken.items():
        *_, slow = statistics.quantiles(times, n=100)
        share = statistics.mean(answered[label])
        print(f"{label:16}{min(times):9.1f}{statistics.median(times):9.1f}{slow:9.1f}   {share:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--aardvark", default=AARDVARK)
    parser.add_argument(
        "--other", nargs=4, action="append", default=[], metavar=("LABEL", "NAMESPACE", "SERVER", "NAME")
    )
    options = parser.parse_args()
    unshare(CLONE_NEWNET | CLONE_NEWNS)
    mount("", "/", flags=MS_PRIVATE | MS_REC)
    with Netlink() as connection:
        connection.send(netlink.set_up("lo"))
    folder = tempfile.mkdtemp(prefix="orchestra-benchmark-")
    try:
        measure(options, folder)
    finally:
        # The mounts end with this process; what is left are files.
        subprocess.run(["umount", "-R", "-l", f"{folder}/run/netns"], check=False)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()

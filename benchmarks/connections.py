"""Measure connections: how fast data flows to a published port and between containers, and how long they take to begin.

    python benchmarks/connections.py [--rounds N] [--mebibytes N] [--connections N]
                                     [--other LABEL MACHINE CLIENT SERVER]

Needs root. Orchestra's network is made in a network and a mount namespace of its own. --other, which may be given
several times, is one of another tool: the network namespaces of the machine that it runs on, of a container, and of a
second one that publishes its port 5001 at the same port of the machine, each as a path such as /proc/PID/ns/net.

Server and client are the same two programs for every tool, put into these namespaces, and each tool is measured in
turn, so that a slow moment of the machine hits all of them. Ratios are medians over Orchestra's of the same round.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from orchestra.driver.local.net import network
from orchestra.home import Home, find_home
from orchestra.linux.mounts.mount import MS_PRIVATE, MS_REC, mount
from orchestra.linux.namespaces import CLONE_NEWNET, CLONE_NEWNS, unshare
from orchestra.linux.network import netlink
from orchestra.linux.network.netlink import Netlink
from orchestra.model.container import ContainerSpec, Endpoint, Port
from orchestra.model.desired import NetworkSpec

PORT = 5001
SERVER = f"""
import socket, threading
def serve(connection):
    buffer, first = bytearray(1 << 20), True
    with connection:
        while connection.recv_into(buffer):
            if first:
                connection.sendall(b"!")
                first = False
with socket.create_server(("0.0.0.0", {PORT}), backlog=1024) as listener:
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
CLIENT = f"""
import socket, sys, time
host, mebibytes, connections = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def begun():
    one = socket.create_connection((host, {PORT}), timeout=20)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.sendall(b"?")
    assert one.recv(1) == b"!"
    return one
with begun() as one:
    data = bytes(1 << 20)
    start = time.perf_counter()
    for _ in range(mebibytes):
        one.sendall(data)
    one.shutdown(socket.SHUT_WR)
    assert one.recv(1) == b""
    print(mebibytes * 8.388608e-3 / (time.perf_counter() - start))
taken = []
for _ in range(connections):
    start = time.perf_counter()
    begun().close()
    taken.append(time.perf_counter() - start)
print(sorted(taken)[connections // 2] * 1e6)
"""


class Place(NamedTuple):
    """Paths of network namespaces: of the machine, of a container, and of one that publishes a port."""

    name: str
    machine: str
    client: str
    server: str


class Figure(NamedTuple):
    gigabits: float
    microseconds: float


def main() -> int:
    parser = argparse.ArgumentParser(usage=(__doc__ or "").split("\n\n")[1].strip())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mebibytes", type=int, default=2048, help="sent over one connection")
    parser.add_argument("--connections", type=int, default=1000, help="begun one after the other")
    parser.add_argument("--other", nargs=4, action="append", default=[])
    arguments = parser.parse_args()
    others = [Place(*given) for given in arguments.other]
    held = [os.open(path, os.O_RDONLY) for place in others for path in place[1:]]  # before the mounts are others
    paths = iter(f"/proc/{os.getpid()}/fd/{descriptor}" for descriptor in held)
    others = [Place(place.name, next(paths), next(paths), next(paths)) for place in others]
    unshare(CLONE_NEWNET | CLONE_NEWNS)
    mount("", "/", flags=MS_PRIVATE | MS_REC)
    folder = tempfile.mkdtemp(prefix="orchestra-benchmark-")
    try:
        places = [_own(find_home({"ORCHESTRA_HOME": folder}, 0)), *others]
        measure(places, arguments.rounds, arguments.mebibytes, arguments.connections)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _own(home: Home) -> Place:
    with Netlink() as connection:
        connection.send(netlink.set_up("lo"))
    network.create_network(home, "s", NetworkSpec(key="default", name="s_default"))
    made = []
    for name in ("client", "server"):
        ports = (Port(PORT, PORT),) if name == "server" else ()
        spec = ContainerSpec(f"s-{name}-1", name, 1, "", "", endpoints=(Endpoint("s_default"),), ports=ports)
        made.append(network.attach(home, "s", spec, name * 8, home.stack("s").container(spec.name)).namespace_path)
    network.apply(home, "s")
    return Place("orchestra", f"/proc/{os.getpid()}/ns/net", made[0] or "", made[1] or "")


def measure(places: list[Place], rounds: int, mebibytes: int, connections: int) -> None:
    servers = [_begin_server(place.server) for place in places]
    try:
        seen: dict[tuple[str, str], list[Figure]] = {}
        for _ in range(rounds):
            for place in places:
                for way, client, host in (
                    ("machine to published port", place.machine, _address(place.machine)),
                    ("container to container", place.client, _address(place.server)),
                    ("container to published port", place.client, _address(place.machine)),
                ):
                    figure = _run(client, CLIENT, host, str(mebibytes), str(connections))
                    seen.setdefault((way, place.name), []).append(Figure(*map(float, figure.split())))
        _print(seen, places)
    finally:
        for server in servers:
            server.kill()
            server.wait()


def _print(seen: dict[tuple[str, str], list[Figure]], places: list[Place]) -> None:
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors, {os.uname().release}")
    for (way, name), figures in seen.items():
        own = seen[way, places[0].name]
        columns = (
            ("Gb/s", [(each.gigabits, base.gigabits) for each, base in zip(figures, own, strict=True)]),
            (
                "µs to begin",
                [(each.microseconds, base.microseconds) for each, base in zip(figures, own, strict=True)],
            ),
        )
        line = f"{way:<29}{name:<12}"
        for unit, pairs in columns:
            ratio = statistics.median(value / base for value, base in pairs)
            line += f"{statistics.median(value for value, _ in pairs):9.1f} {unit} ({ratio:.2f})"
        print(line)


def _run(namespace: str, program: str, *arguments: str) -> str:
    command = ["nsenter", f"--net={namespace}", sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _address(namespace: str) -> str:
    """The first address there that is not of the loopback interface; of a machine, that of one of its bridges."""
    text = _run(namespace, "import subprocess; print(subprocess.check_output(['ip', '-4', '-o', 'addr'], text=True))")
    found = [
        words[3].partition("/")[0] for words in map(str.split, text.splitlines()) if len(words) > 3 and words[1] != "lo"
    ]
    return found[-1]


def _begin_server(namespace: str) -> subprocess.Popen[str]:
    command = ["nsenter", f"--net={namespace}", sys.executable, "-c", SERVER]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    if server.stdout.readline() != "ready\n":
        raise SystemExit(f"the server in {namespace} did not start")
    return server


if __name__ == "__main__":
    sys.exit(main())

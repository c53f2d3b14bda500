"""The web shop on a Swarm of three nodes: deployed, updated, scaled, drained, with its leader killed, and taken down.

    sudo python benchmarks/swarm/scenario.py [--images DIRECTORY] [--keep]

Makes the nodes with ``nodes.sh``, which says what is needed, and the images with examples/stacks/webshop/images.py.
Each step prints what was found; the command ends with the first that is not as it should be. --keep: leave the nodes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HERE = Path(__file__).resolve().parent
WEBSHOP = HERE.parent.parent / "examples" / "stacks" / "webshop"
NODES = str(HERE / "nodes.sh")
REGISTRY = "10.98.0.254:5000"
FILES = ("-f", str(WEBSHOP / "compose.yaml"), "-f", str(HERE / "swarm.yaml"))
LEADER, ASKED, GOODS = 1, 2, 3
"""The node that leads at first, the manager that is asked, and the node with the database."""
LOAD = """
import http.client, json, sys, threading, time
ended = threading.Event()
counts = {"requests": 0, "lost": []}
def ask(node):
    while not ended.is_set():
        begun = time.monotonic()
        try:
            connection = http.client.HTTPConnection(f"10.98.0.{node}", 8080, timeout=15)
            connection.request("GET", "/goods")
            answer = connection.getresponse()
            answer.read()
            said = "" if answer.status == 200 else str(answer.status)
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
        counts["requests"] += 1
        if said:
            counts["lost"].append(f"node{node} after {time.monotonic() - begun:.1f} s: {said}")
        time.sleep(0.01)
threads = [threading.Thread(target=ask, args=(node,)) for node in sys.argv[1:]]
for thread in threads: thread.start()
sys.stdin.read()
ended.set()
for thread in threads: thread.join()
print(json.dumps(counts))
"""


class Swarm:
    """images: where the nodes find those of the web shop. variables: more of them, for the file."""

    def __init__(self, home: str) -> None:
        self.images = f"{REGISTRY}/webshop"
        self.home = home
        self.version = 1
        self.variables: dict[str, str] = {}
        where = subprocess.check_output([NODES, "socket", "1"], text=True).rsplit("/", 2)[0]
        self.registries = f"{where}/registries.conf"

    def orchestra(self, *words: str, files: Sequence[str] = FILES) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "ORCHESTRA_HOME": self.home,
            "CONTAINERS_REGISTRIES_CONF": self.registries,
            "WEBSHOP_IMAGES": self.images,
            "WEBSHOP_VERSION": str(self.version),
            "PYTHONPATH": str(HERE.parent.parent),
            **self.variables,
        }
        command = [NODES, "run", sys.executable, "-m", "orchestra", *files, *words]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, *words: str, code: int = 0, files: Sequence[str] = FILES) -> str:
        process = self.orchestra(*words, files=files)
        output = process.communicate(timeout=600)[0]
        if process.returncode != code:
            raise SystemExit(f"orchestra {' '.join(words)}: exit code {process.returncode}\n{output}")
        return output

    def deploy(self, asked: int = ASKED) -> str:
        """What it says at its end."""
        return self.run("deploy", *manager(asked), "--push", "--wait-timeout", "300").splitlines()[-1]

    def build(self) -> None:
        self.run("build", "shop")


def manager(node: int) -> tuple[str, ...]:
    return ("--driver", "swarm", "--manager", f"unix://{socket_of(node)}")


def socket_of(node: int) -> str:
    return subprocess.check_output([NODES, "socket", str(node)], text=True).strip()


def docker(node: int, *words: str) -> str:
    command = ["docker", "-H", f"unix://{socket_of(node)}", *words]
    return subprocess.check_output(command, text=True, timeout=120)


def containers(node: int, *words: str) -> list[str]:
    return docker(node, "ps", *words, "--format", "{{.Names}}").split()


def eventually(question: Callable[[], Any], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds:g} seconds: {what}")
        time.sleep(0.5)


def expect(found: object, wanted: object, what: str) -> None:
    if found != wanted:
        raise SystemExit(f"{what}: {found!r}, not {wanted!r}")
    print(f"  {what}: {found}", flush=True)


def under_load(nodes: Sequence[int], change: Callable[[], object]) -> dict[str, Any]:
    """What was lost of requests to the web servers of these nodes, one after the other at each, while that goes on."""
    command = [NODES, "run", sys.executable, "-c", LOAD, *map(str, nodes)]
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        change()
    finally:
        output = load.communicate()[0]
    counts: dict[str, Any] = json.loads(output)
    print(f"  {counts['requests']} requests, {len(counts['lost'])} lost", *counts["lost"][:5], sep="\n    ")
    return counts


def step(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def play(swarm: Swarm, layout: Path) -> None:
    step("images are put into the registry")
    for name in ("nginx", "postgres", "redis", "shop"):
        swarm.run("image", "pull", "-q", f"oci:{layout}:{name}")
        swarm.run("image", "tag", f"oci:{layout}:{name}", f"{swarm.images}:{name}")
        swarm.run("image", "push", "-q", f"{swarm.images}:{name}")
    docker(ASKED, "node", "update", "--label-add", "goods=here", f"node{GOODS}")

    step("an image that exists only here is refused, and sent with --push")
    swarm.build()
    if "exists only on this machine" not in swarm.run("deploy", *manager(ASKED), code=15):
        raise SystemExit("it was not refused")
    expect(swarm.deploy(), "7 of 7 objects changed", "deploy")
    expect(swarm.deploy(), "0 of 7 objects changed", "once more")
    expect(swarm.deploy(LEADER), "0 of 7 objects changed", "asked of another manager")

    step("the shop is updated under load")
    swarm.version = 2
    swarm.build()
    counts = under_load((1, 2, 3), lambda: expect(swarm.deploy(), "1 of 7 objects changed", "deploy"))
    expect(len(counts["lost"]), 0, "lost")

    step("it is scaled, which replaces no task")
    before = docker(ASKED, "service", "ps", "-q", "--filter", "desired-state=running", "webshop_shop").split()
    counts = under_load((1, 2, 3), lambda: swarm.run("scale", *manager(ASKED), "shop=4"))
    after = docker(ASKED, "service", "ps", "-q", "--filter", "desired-state=running", "webshop_shop").split()
    expect((len(before), len(after), set(before) <= set(after)), (2, 4, True), "tasks")
    expect(len(counts["lost"]), 0, "lost")
    expect(swarm.deploy(), "1 of 7 objects changed", "the next deploy says two again")

    step("a node is drained")
    docker(ASKED, "node", "update", "--availability", "drain", f"node{ASKED}")
    eventually(lambda: not containers(ASKED), "the drained node is empty")
    expect(swarm.deploy(), "0 of 7 objects changed", "deploy")
    docker(ASKED, "node", "update", "--availability", "active", f"node{ASKED}")
    expect(swarm.deploy(), "0 of 7 objects changed", "deploy when it is back")
    eventually(lambda: any("webshop_web" in name for name in containers(ASKED)), "its web server is back")

    step("the leader is killed in the middle of a deploy")
    swarm.version = 3
    swarm.build()
    process = swarm.orchestra("deploy", *manager(ASKED), "--push", "--wait-timeout", "300")
    told: list[str] = []
    changed = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            told.append(line.rstrip())
            if line.startswith("service/webshop_shop changed"):
                changed.set()
        changed.set()

    thread = threading.Thread(target=listen)
    thread.start()
    changed.wait(120)
    subprocess.run([NODES, "kill", str(LEADER)], check=True)
    thread.join()
    expect(process.wait(), 0, "exit code of the deploy" if not process.returncode else "\n".join(told[-20:]))
    expect(told[-1], "1 of 7 objects changed", "deploy")
    subprocess.run([NODES, "start", str(LEADER)], check=True)
    states = "{{.Status}} {{.ManagerStatus}}"
    eventually(
        lambda: not {"Down", "Unreachable"} & {*docker(ASKED, "node", "ls", "--format", states).split()},
        "all nodes are ready and all managers reachable",
    )
    expect(swarm.deploy(), "0 of 7 objects changed", "deploy when it is back")

    step("it goes back")
    swarm.run("rollback", *manager(ASKED))
    expect("program-2@" in docker(ASKED, "service", "inspect", "webshop_shop"), True, "the second version runs")

    step("it is taken down")
    print(f"  {swarm.run('down', *manager(ASKED)).splitlines()[-1]}")
    left = [docker(ASKED, kind, "ls", "-q") for kind in ("service", "config", "secret")]
    networks = docker(ASKED, "network", "ls", "-q", "--filter", "label=com.docker.stack.namespace=webshop")
    expect([*left, networks], ["", "", "", ""], "services, configs, secrets and networks")
    # Each node removes a container soon after its task has ended.
    eventually(lambda: not any(containers(node, "-a") for node in (1, 2, 3)), "all containers are gone", 30)


IN_TURN = ["db begins", "db is open", "migrate begins", "migrate ends", "web begins"]
ANY_TIME = "side begins"
"""Not before the database begins, but it need not be open."""


def compare_orders(swarm: Swarm, layout: Path) -> None:
    """Of one file, here and on the Swarm: health gates, a one-shot, and a service that only needs a start."""
    step("what depends on what begins in the same order here and on the swarm")
    file = ("-f", str(HERE / "order.yaml"))
    for name, image, there, begin in (
        ("here", f"oci:{layout}:shop", (), ("up", "-d", "--wait")),
        ("swarm", f"{swarm.images}:shop", manager(ASKED), ("deploy",)),
    ):
        swarm.variables["IMAGE"] = image
        swarm.run(*begin, *there, files=file)
        lines = swarm.run("logs", "-t", "--no-log-prefix", *there, files=file).splitlines()
        said = [line.partition(" ")[2] for line in sorted(lines)]
        print(f"  {name}: {', '.join(said)}", flush=True)
        expect([text for text in said if text != ANY_TIME], IN_TURN, "in turn")
        expect(said.index("db begins") < said.index(ANY_TIME), True, "the one that needs a start only")
        swarm.run("down", *there, files=file)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=Path, help="image layout of the web shop, if it is made already")
    parser.add_argument("--keep", action="store_true", help="leave the nodes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orchestra-swarm-") as folder:
        layout = options.images or Path(folder, "images")
        if options.images is None:
            subprocess.run([sys.executable, WEBSHOP / "images.py", layout], check=True)
        try:
            step("three engines are started")
            subprocess.run([NODES, "up", "3"], check=True)
            swarm = Swarm(f"{folder}/home")
            play(swarm, layout.resolve())
            compare_orders(swarm, layout.resolve())
            print("everything was as it should be")
        finally:
            if not options.keep:
                subprocess.run([NODES, "down"], check=True)


if __name__ == "__main__":
    main()

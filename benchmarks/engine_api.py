"""Measure what Docker's clients wait for: a list of containers, `run`, `exec`, and 100 MB through `logs` and `cp`.

    python benchmarks/engine_api.py [--rounds N] [--containers N] [--megabytes N] [--beside SOCKET]

SOCKET is that of Docker's engine, measured in turn with `orchestra api`, so that a slow moment of the machine hits
both. Both get an image of busybox and containers that are named orchestra-benchmark-N, and lose them at the end. Needs
root, the docker command, and busybox. Ratios are medians of Docker's time over ours of the same round.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.screens import write_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
IMAGE = "orchestra-benchmark:1"
NAME = "orchestra-benchmark-"
LINE = 100
"""Bytes of a line of a log."""
SECONDS = 60.0


class Engine:
    """An engine at a socket, asked by the docker command."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        self._environment = {**os.environ, "DOCKER_HOST": f"unix://{path}"}

    def docker(self, *words: str, **options: Any) -> None:
        quiet = {"stdout": subprocess.DEVNULL} | options
        subprocess.run(["docker", *words], env=self._environment, check=True, stdin=subprocess.DEVNULL, **quiet)

    def list(self) -> None:
        connection = http.client.HTTPConnection("localhost")
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection.sock:
            connection.sock.connect(self.path)
            connection.request("GET", "/v1.44/containers/json")
            assert b'"Id"' in connection.getresponse().read()

    @contextlib.contextmanager
    def prepared(self, archive: Path, containers: int, megabytes: int) -> Iterator[None]:
        """With running containers, of which the first has a file of this size and the second has written as much."""
        names = [f"{NAME}{number}" for number in range(containers)]
        self.docker("import", str(archive), IMAGE)
        try:
            for name in names[2:]:
                self.docker("run", "-d", "--init", "--name", name, IMAGE, "sleep", "100000")
            size = f"bs=1000000 count={megabytes}"
            file = f"dd if=/dev/zero of=/file {size}; exec sleep 100000"
            self.docker("run", "-d", "--init", "--name", names[0], IMAGE, "sh", "-c", file)
            lines = f"yes {'x' * (LINE - 1)} | head -c {megabytes}000000"
            self.docker("run", "--name", names[1], IMAGE, "sh", "-c", lines)
            yield
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                self.docker("rm", "-f", "-v", *names, stderr=subprocess.DEVNULL)
            self.docker("rmi", IMAGE)

    def measures(self, directory: str) -> dict[str, Callable[[], None]]:
        return {
            "list": self.list,
            "run": lambda: self.docker("run", "--rm", IMAGE, "true"),
            "exec": lambda: self.docker("exec", f"{NAME}0", "true"),
            "logs": lambda: self.docker("logs", f"{NAME}1"),
            "cp out": lambda: self.docker("cp", "-q", f"{NAME}0:/file", directory),
            "cp in": lambda: self.docker("cp", "-q", f"{directory}/file", f"{NAME}0:/copied"),
        }


@contextlib.contextmanager
def serving(directory: str) -> Iterator[Engine]:
    """``orchestra api`` in a home of its own."""
    path = f"{directory}/docker.sock"
    environment = {**os.environ, "ORCHESTRA_HOME": f"{directory}/home"}
    orchestra = [sys.executable, "-m", "orchestra"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*orchestra, "api", "--socket", path], env=environment, cwd=ROOT, **silent) as process:
        try:
            deadline = time.monotonic() + SECONDS
            while not os.path.exists(path):
                assert process.poll() is None, "orchestra api has ended"
                assert time.monotonic() < deadline, "orchestra api does not listen"
                time.sleep(0.02)
            yield Engine("orchestra", path)
        finally:
            process.terminate()
            process.wait()
            down = [*orchestra, "-p", "engine-api", "down", "-v", "-t", "0"]
            subprocess.run(down, env=environment, cwd=ROOT, check=False, **silent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--containers", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--beside", metavar="SOCKET")
    options = parser.parse_args()
    if options.containers < 2:
        parser.error("--containers: two at least")
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as ending:
        engines = [ending.enter_context(serving(directory))]
        if options.beside:
            engines.append(Engine("docker", options.beside))
        archive = Path(directory, "root.tar")
        write_root(archive)
        times: dict[str, dict[str, list[float]]] = {}
        for engine in engines:
            ending.enter_context(engine.prepared(archive, options.containers, options.megabytes))
        for _ in range(options.rounds):
            for what in engines[0].measures(directory):
                for engine in engines:
                    began = time.perf_counter()
                    engine.measures(directory)[what]()
                    times.setdefault(what, {}).setdefault(engine.name, []).append((time.perf_counter() - began) * 1e3)
        for what, by_engine in times.items():
            figures = "  ".join(f"{name} {statistics.median(took):8.1f} ms" for name, took in by_engine.items())
            ours, others = by_engine["orchestra"], by_engine.get("docker", [])
            ratios = [other / own for own, other in zip(ours, others, strict=False)]
            print(f"{what:7}  {figures}" + (f"  x{statistics.median(ratios):.2f}" if ratios else ""))


if __name__ == "__main__":
    main()

"""Measure how long it takes to pull an image from a registry on this machine, beside podman and skopeo.

    python benchmarks/images.py [--podman COMMAND] [--storage DIR] [--skopeo COMMAND] [--layout DIR] [--rounds N]
                                [--rate MB] [--write docs/explanation/benchmarks.md]

The image is made of packages of Debian or Ubuntu, a base and nine layers (``LAYERS``), and pushed to a registry that
runs for the while (``docker-registry``). Needs root and what ``examples/stacks/webshop/images.py`` needs. COMMAND leads
to the tool, in one word or several.

Cold is a pull into an empty store, everything unpacked, also over a line of a given rate; warm is the same pull again,
which only asks whether the tag has moved. ``skopeo copy`` to an image layout downloads and verifies without unpacking:
it is the floor. Within a round each tool has its turn, so a slow moment of the machine hits all of them. Absolute times
are noise on a shared machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import os
import platform
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.registry import Access
from orchestra.home import Home
from orchestra.model.desired import ImageSpec

ROOT = Path(__file__).parent.parent
LAYERS = {
    "python": ["python3"],
    "client": ["postgresql-client"],
    "git": ["git"],
    "vim": ["vim"],
    "django": ["python3-django"],
    "requests": ["python3-requests"],
    "nginx": ["nginx"],
    "redis": ["redis-server"],
    "headers": [],  # the kernel's, whose package is named after its version
}


def make_image(layout: Path) -> None:
    """Each layer is installed above those before."""
    specification = importlib.util.spec_from_file_location("images", ROOT / "examples/stacks/webshop/images.py")
    images = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(images)
    (layout / "blobs/sha256").mkdir(parents=True)
    found = images.run("apt-cache", "search", "--names-only", r"^linux-headers-[0-9.-]+(-common)?$").split("\n")
    wanted = {**LAYERS, "headers": [sorted(line.split()[0] for line in found if line)[0]]}
    with tempfile.TemporaryDirectory(dir=layout) as scratch:
        work = Path(scratch)
        images.make_base(work, wanted)
        below, layers = ["base"], [images.add_layer(layout, work / "base")]
        for name in wanted:
            images.install(work, name, {}, below)
            below.insert(0, name)
            layers.append(images.add_layer(layout, work / name))
    image = {**images.add_image(layout, layers, {"Cmd": ["sh"]}), **images.tagged("bench")}
    images.finish(layout, [image])


@contextlib.contextmanager
def registry(path: Path):
    """A registry on a free port of this machine; host and port."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (path / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {path}/data}}}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
    )
    with (path / "log").open("wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", path / "config.yml"], stdout=log, stderr=log)
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                raise SystemExit((path / "log").read_text())
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


class Line:
    """Lets connections through to a registry at a rate in bytes a second, for all of them together."""

    def __init__(self, rate: float, host: str):
        self.rate, self.host, self.free_at = rate, host, 0.0

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                now = time.monotonic()
                self.free_at = max(now, self.free_at) + len(data) / self.rate
                await asyncio.sleep(self.free_at - now)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address, port = self.host.split(":")
        there, back = await asyncio.open_connection(address, int(port))
        await asyncio.gather(self.pump(reader, back), self.pump(there, writer))

    async def serve(self, listening: socket.socket) -> None:
        async with await asyncio.start_server(self.accept, sock=listening) as server:
            await server.serve_forever()


@contextlib.contextmanager
def line(rate: float, host: str):
    """Host and port by which the registry is reached more slowly."""
    listening = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    serving = loop.create_task(Line(rate, host).serve(listening))
    thread = threading.Thread(target=lambda: loop.run_until_complete(asyncio.wait([serving])))
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(serving.cancel)
        thread.join()
        loop.close()


class Tool:
    """cold, slow, warm: what to run; reset: what makes it cold again, which is not measured."""

    def __init__(
        self, name: str, cold: list, slow: list, warm: list | None, reset: list, environment: dict | None = None
    ):
        self.name, self.cold, self.slow, self.warm, self.reset = name, cold, slow, warm, reset
        self.environment = os.environ | (environment or {})
        self.seconds = defaultdict(list)

    def run(self, command: list) -> float:
        with tempfile.TemporaryFile() as output:
            begin = time.perf_counter()
            child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self.environment
            )
            child.wait()
            elapsed = time.perf_counter() - begin
            if child.returncode:
                output.seek(0)
                raise SystemExit(f"{command}: exit code {child.returncode}\n{output.read().decode()[-3000:]}")
        return elapsed

    def measure(self) -> None:
        for kind, command in (("slow", self.slow), ("cold", self.cold)):
            self.run(self.reset)
            # Or what others have written would be written while this one is measured.
            os.sync()
            self.seconds[kind].append(self.run(command))
        if self.warm:
            self.seconds["warm"].append(self.run(self.warm))


# What `up` does for a service with `pull_policy: always`: in a process that has been there for a while.
SUPERVISOR = """
import os, sys, time
from orchestra.driver.local.image.registry import Access
from orchestra.driver.local.image.registry.source import opened_registry
from orchestra.driver.local.image.store import ImageStore
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
data, run, reference = sys.argv[1:]
spec = ImageSpec(reference, pull_policy="always")
seconds = []
for _ in range(6):
    begin = time.perf_counter()
    ImageStore(Home(data, run)).pull(spec)
    seconds.append(time.perf_counter() - begin)
print(sorted(seconds[1:])[2])
"""


def tools(options: argparse.Namespace, work: Path, image: str, slow: str) -> list[Tool]:
    """image, slow: the same by two ways."""
    home = work / "home"
    pull = [sys.executable, "-m", "orchestra", "image", "pull", "-q"]
    environment = {"ORCHESTRA_HOME": str(home)}
    found = [Tool("orchestra", [*pull, image], [*pull, slow], [*pull, image], ["rm", "-rf", home], environment)]
    if options.podman:
        podman = [
            *shlex.split(options.podman),
            "--root",
            f"{options.storage}/root",
            "--runroot",
            f"{options.storage}/run",
        ]
        pull = [*podman, "pull", "-q", "--tls-verify=false"]
        found.append(Tool("podman", [*pull, image], [*pull, slow], [*pull, image], [*podman, "rmi", "-af"]))
    if options.skopeo:
        copy = [*shlex.split(options.skopeo), "--insecure-policy", "copy", "-q", "--src-tls-verify=false"]
        target = f"oci:{work}/skopeo:bench"
        commands = [[*copy, f"docker://{each}", target] for each in (image, slow)]
        found.append(Tool("skopeo copy", *commands, None, ["rm", "-rf", work / "skopeo"]))
    return found


def table(found: list[Tool], options: argparse.Namespace, size: int, long_lived: float) -> str:
    medians = [{kind: statistics.median(values) for kind, values in tool.seconds.items()} for tool in found]
    lines = [
        f"Linux {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{len(LAYERS) + 1} layers, {size >> 20} MiB compressed; medians of {options.rounds} rounds, seconds.",
        "",
        f"| | {' | '.join(tool.name for tool in found)} | ours / podman |",
        f"|---|{'---:|' * (len(found) + 1)}",
    ]
    names = {"cold": "cold", "slow": f"cold, at {options.rate:g} MB a second", "warm": "warm"}
    for kind, name in names.items():
        cells = [f"{median[kind]:.2f}" if kind in median else "-" for median in medians]
        podman = next((median[kind] for tool, median in zip(found, medians, strict=True) if tool.name == "podman"), 0)
        ratio = f"{medians[0][kind] / podman:.2f}" if podman else "-"
        lines.append(f"| {name} | {' | '.join(cells)} | {ratio} |")
        if kind == "warm":
            cells = [f"{long_lived:.3f}", *("-" for _ in found[1:])]
            ratio = f"{long_lived / podman:.2f}" if podman else "-"
            lines.append(f"| warm, in a process that lives | {' | '.join(cells)} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--podman", default="podman" if shutil.which("podman") else "")
    parser.add_argument("--storage", help="a directory as podman sees it; what is in it is removed")
    parser.add_argument("--skopeo", default="skopeo" if shutil.which("skopeo") else "")
    parser.add_argument("--layout", type=Path, help="where the image is kept for the next time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=20, help="of the slow line, in megabytes a second")
    parser.add_argument("--write", type=Path, help="a page in which the table is put between its marks")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        options.storage = options.storage or str(work / "podman")
        layout = options.layout or work / "layout"
        if not (layout / "index.json").exists():
            make_image(layout)
        (work / "registry").mkdir()
        with registry(work / "registry") as host, line(options.rate * 1e6, host) as slow:
            image = f"{host}/bench:1"
            library = Library(Home(f"{work}/push/data", f"{work}/push/run"), Access())
            library.store.pull(ImageSpec(f"oci:{layout}:bench"))
            library.tag(f"oci:{layout}:bench", image)
            library.push(image)
            found = tools(options, work, image, f"{slow}/bench:1")
            for _ in range(options.rounds):
                for tool in found:
                    tool.measure()
            command = [sys.executable, "-c", SUPERVISOR, f"{work}/home/data", f"{work}/home/run", image]
            long_lived = float(subprocess.check_output(command, text=True))
            for tool in found:
                tool.run(tool.reset)
        size = sum(path.stat().st_size for path in (layout / "blobs/sha256").iterdir())
    text = table(found, options, size, long_lived)
    print(text)
    if options.write:
        page = options.write.read_text()
        before, rest = page.split("<!-- images -->\n", 1)
        _, after = rest.split("<!-- end of images -->", 1)
        options.write.write_text(f"{before}<!-- images -->\n{text}\n<!-- end of images -->{after}")


if __name__ == "__main__":
    main()

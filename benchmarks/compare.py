"""Measure Orchestra side by side with other Compose tools, and print the table of docs/explanation/benchmarks.md.

    python benchmarks/compare.py --image rootfs:DIR [--peers peers.json] [--rounds N]
                                 [--only sizes,life] [--large] [--write docs/explanation/benchmarks.md]

DIR is a small userland with ``sleep``, ``sh`` and ``true`` (a busybox tree). peers.json lists the other tools, each as

    {"name": "docker compose", "command": ["docker", "compose"], "image": "NAME", "directory": "/x", "inside": "/x"}

and perhaps ``"without": ["chain", "heal"]`` for what it cannot do where it is measured (podman needs systemd for health
checks and restarts), and ``"processes": ["dockerd", "containerd"]``, beginnings of the names of its own processes.

command: how the tool is called from this machine, with whatever leads into the place where it lives; image: the same
userland under the name that the tool knows; directory: a folder of this machine that the tool sees as ``inside``, where
the stack files are put.

--only: some of ``sizes``, ``first``, ``life``, ``changes``, ``chain``, ``heal`` and ``memory`` instead of all.
--large: stacks of 200 services too.

Within a round every operation is done by each tool in turn, so a slow moment of the machine hits all of them. Ratios
are medians over Orchestra's: above 1 the peer is slower. Absolute times are noise on a shared machine.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import fcntl
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import orchestra

SIZES = [1, 20, 50]
LARGE = 200
COPIED = 100 << 20
LINES = 100_000


@dataclass
class Tool:
    """One Compose tool: its command line, the image's name in its words, and where its stack files go."""

    name: str
    command: list[str]
    image: str
    directory: Path
    inside: str
    environment: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    mebibytes: dict[str, float] = field(default_factory=dict)

    def run(self, stack: str, *arguments: str) -> float:
        """Seconds of wall time of one command. Raises when it fails."""
        with tempfile.TemporaryFile() as output:
            begin = time.perf_counter()
            command = [*self.command, "-f", f"{self.inside}/{stack}/compose.yaml", *arguments]
            # Without what slows down a developer's Python, such as PYTHONUNBUFFERED.
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
            environment |= self.environment
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
            child.wait()  # without a timeout it blocks; with one it would poll and round the result up
            elapsed = time.perf_counter() - begin
            if child.returncode:
                output.seek(0)
                raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}\n{output.read().decode()[-3000:]}")
        return elapsed

    def measure(self, operation: str, stack: str, *arguments: str) -> None:
        self.seconds[operation].append(self.run(stack, *arguments))


def sleepers(tool: Tool, count: int, longer: int = 0) -> str:
    """longer: how much longer the first service sleeps than it would."""
    service = "  s{}:\n    image: {}\n    command: sleep {}\n    stop_grace_period: 1s\n"
    seconds = [1_000_001 + longer, *range(1_000_002, 1_000_001 + count)]
    return "services:\n" + "".join(service.format(i, tool.image, each) for i, each in enumerate(seconds, 1))


def chain(tool: Tool) -> str:
    lines = ["services:"]
    for i in range(1, 11):
        lines += [f"  s{i}:", f"    image: {tool.image}", "    command: sleep 1000000", "    stop_grace_period: 1s"]
        lines += ["    healthcheck:", "      test: [CMD, 'true']", "      interval: 1s", "      retries: 3"]
        if i > 1:
            lines += ["    depends_on:", f"      s{i - 1}:", "        condition: service_healthy"]
    return "\n".join(lines) + "\n"


def healing(tool: Tool) -> str:
    return f"services:\n  s1:\n    image: {tool.image}\n    command: sleep 1009999\n    restart: always\n"


def talkative(tool: Tool) -> str:
    script = f"i=0; while [ $$i -lt {LINES} ]; do i=$$((i + 1)); echo a line of a log, the $${{i}}th of many; done"
    return f"services:\n  s1:\n    image: {tool.image}\n    command: [sh, -c, '{script}']\n"


def write_stacks(tool: Tool) -> None:
    stacks = {f"sleep{n}": sleepers(tool, n) for n in SIZES}
    stacks |= {"chain": chain(tool), "heal": healing(tool), "talk": talkative(tool)}
    for name, text in stacks.items():
        (tool.directory / name).mkdir(parents=True, exist_ok=True)
        (tool.directory / name / "compose.yaml").write_text(text)
    (tool.directory / "sleep1" / "copied").write_bytes(os.urandom(1 << 20) * (COPIED >> 20))


def sleeping(argument: str) -> int | None:
    """The pid, as this machine sees it, of the process that runs ``sleep ARGUMENT``."""
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (directory / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")[-2:] == [b"sleep", argument.encode()]:
                return int(directory.name)
    return None


def _services(count: int) -> str:
    return f"{count} service{'s' if count != 1 else ''}"


def measure_sizes(tools: list[Tool], rounds: int) -> None:
    for count in SIZES:
        stack, services = f"sleep{count}", _services(count)
        for _ in range(rounds if count < 50 else max(2, rounds // 2)):
            for tool in tools:
                tool.measure(f"`up -d`, {services}", stack, "up", "-d")
                tool.measure(f"`up -d` again, {services} running", stack, "up", "-d")
                tool.measure(f"`ps`, {services} running", stack, "ps")
                tool.measure(f"`config`, {services}", stack, "config")
                if count == 20:
                    tool.measure("`exec s1 true`", stack, "exec", "-T", "s1", "true")
                    tool.measure("`run --rm s1 true`", stack, "run", "--rm", "-T", "s1", "true")
                tool.measure(f"`down`, {services}", stack, "down", "-t", "0")


def measure_life(tools: list[Tool], rounds: int) -> None:
    for tool in tools:
        tool.run("sleep20", "up", "-d")
        tool.run("sleep1", "up", "-d")
        tool.run("talk", "up")
    for _ in range(max(2, rounds // 2)):
        for tool in tools:
            tool.measure("`stop`, 20 services", "sleep20", "stop", "-t", "0")
            tool.measure("`start`, 20 services", "sleep20", "start")
            tool.measure("`restart`, 20 services", "sleep20", "restart", "-t", "0")
            if "scale" not in tool.without:
                tool.measure("`scale s1=20`, from 1", "sleep1", "scale", "s1=20")
                tool.run("sleep1", "scale", "s1=1")
            if "cp" not in tool.without:
                tool.measure(
                    "`cp` of 100 MiB into a container", "sleep1", "cp", f"{tool.inside}/sleep1/copied", "s1:/copied"
                )
                tool.measure("`cp` of 100 MiB out of it", "sleep1", "cp", "s1:/copied", f"{tool.inside}/sleep1/back")
            tool.measure("`logs` of 100,000 lines", "talk", "logs")
    for tool in tools:
        for stack in ("sleep20", "sleep1", "talk"):
            tool.run(stack, "down", "-t", "0")


def measure_changes(tools: list[Tool], rounds: int) -> None:
    """A stack whose processes run already, and a change of one service of many."""
    for tool in tools:
        tool.run("sleep1", "up", "-d")
        tool.run("sleep20", "up", "-d")
    for number in range(1, rounds + 1):
        for tool in tools:
            tool.run("sleep1", "stop", "-t", "0")
            tool.measure("`up -d`, 1 service, after `stop`", "sleep1", "up", "-d")
            (tool.directory / "sleep20" / "compose.yaml").write_text(sleepers(tool, 20, longer=number))
            tool.measure("`up -d`, 1 service of 20 changed", "sleep20", "up", "-d")
    for tool in tools:
        (tool.directory / "sleep20" / "compose.yaml").write_text(sleepers(tool, 20))
        for stack in ("sleep1", "sleep20"):
            tool.run(stack, "down", "-t", "0")


def measure_memory(tools: list[Tool]) -> None:
    """Of the tool's own processes, by PSS: a page that several processes share counts once in all."""
    for tool in (tool for tool in tools if tool.processes):
        tool.run("sleep50", "up", "-d")
        tool.mebibytes["own processes, 50 services running"] = sum(map(_pss, own_processes(tool))) / 1024
        tool.run("sleep50", "down", "-t", "0")


def own_processes(tool: Tool) -> list[Path]:
    """Those with the tool's environment: another home has processes of the same name."""
    found = []
    wanted = {f"{name}={value}".encode() for name, value in tool.environment.items()}
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            environment = set((directory / "environ").read_bytes().split(b"\0"))
            if (directory / "comm").read_text().startswith(tool.processes) and wanted <= environment:
                found.append(directory)
    return found


def _pss(directory: Path) -> int:
    """KiB; 0 for a process that has just ended."""
    try:
        lines = (directory / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1])


def measure_chain(tools: list[Tool], rounds: int) -> None:
    for _ in range(max(2, rounds // 2)):
        for tool in (tool for tool in tools if "chain" not in tool.without):
            tool.measure("`up -d`, chain of 10, each healthy before the next (interval 1 s)", "chain", "up", "-d")
            tool.run("chain", "down", "-t", "0")


def measure_healing(tools: list[Tool], rounds: int) -> None:
    for tool in (tool for tool in tools if "heal" not in tool.without):
        tool.run("heal", "up", "-d")
        for _ in range(max(2, rounds // 2)):
            time.sleep(11)  # after ten seconds of running every tool forgets its back-off
            victim = sleeping("1009999")
            if victim is None:
                raise SystemExit(f"{tool.name}: the container does not run")
            begin = time.perf_counter()
            os.kill(victim, signal.SIGKILL)
            while sleeping("1009999") in (None, victim):
                if time.perf_counter() > begin + 60:
                    raise SystemExit(f"{tool.name}: not restarted within a minute")
            tool.seconds["main process killed, until the next one runs"].append(time.perf_counter() - begin)
        tool.run("heal", "down", "-t", "0")


def measure_first_load(tool: Tool, home: Path, rounds: int) -> None:
    """The first load of a file, which nothing remembers: parsing and validation are in it."""
    for count in SIZES:
        for _ in range(rounds if count < 50 else max(2, rounds // 2)):
            shutil.rmtree(home / "data" / "loads", ignore_errors=True)
            tool.measure(f"`up -d`, {_services(count)}, file never seen before", f"sleep{count}", "up", "-d")
            tool.run(f"sleep{count}", "down", "-t", "0")
            shutil.rmtree(home / "data" / "loads", ignore_errors=True)
            tool.measure(f"`config`, {_services(count)}, file never seen before", f"sleep{count}", "config")


def table(tools: list[Tool]) -> str:
    return seconds_table(tools) + (memory_table(tools) if any(tool.mebibytes for tool in tools) else "")


def memory_table(tools: list[Tool]) -> str:
    found = [tool for tool in tools if tool.mebibytes]
    lines = ["", f"| memory, MiB (PSS) | {' | '.join(tool.name for tool in found)} |", "|---|" + "---:|" * len(found)]
    for what in found[0].mebibytes:
        lines += [f"| {what} | {' | '.join(f'{tool.mebibytes[what]:.1f}' for tool in found)} |"]
    return "\n".join(lines) + "\n"


def seconds_table(tools: list[Tool]) -> str:
    ours, *peers = tools
    head = [
        "operation",
        f"{ours.name}, ms",
        *(f"{peer.name}, ms" for peer in peers),
        *(f"{peer.name} / ours" for peer in peers),
    ]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for operation, samples in ours.seconds.items():
        base = statistics.median(samples)
        same = operation.removesuffix(", file never seen before")
        others = [statistics.median(peer.seconds[same]) if same in peer.seconds else None for peer in peers]
        cells = [operation, f"{base * 1e3:.0f}"]
        cells += ["-" if other is None else f"{other * 1e3:.0f}" for other in others]
        cells += ["-" if other is None else f"{other / base:.1f}" for other in others]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def wait_until_over(home: Path) -> None:
    """The processes of stacks that are down leave a moment later: each fork server has a lock while it lives."""
    for path in home.glob("run/stacks/*/fork.lock"):
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="sizes,first,life,changes,chain,heal,memory")
    parser.add_argument("--large", action="store_true", help=f"stacks of {LARGE} services too")
    parser.add_argument("--write", type=Path, help="put the table between the markers of this file")
    options = parser.parse_args()
    if options.large:
        SIZES.append(LARGE)

    # As an installer leaves it; a checkout that was worked on compiles at every start where bytecode is not written.
    compileall.compile_dir(orchestra.__path__[0], quiet=1)
    with tempfile.TemporaryDirectory(prefix="orchestra-bench-") as folder:
        home = Path(folder) / "home"
        directory = Path(folder) / "stacks"
        command = [str(Path(sys.executable).parent / "orchestra"), "--progress", "quiet"]
        ours = Tool("orchestra", command, options.image, directory, str(directory), {"ORCHESTRA_HOME": str(home)})
        ours.processes = ("orchestra-",)
        peers = [
            Tool(
                row["name"],
                row["command"],
                row["image"],
                Path(row["directory"]),
                row["inside"],
                {},
                tuple(row.get("without", ())),
                tuple(row.get("processes", ())),
            )
            for row in (json.loads(options.peers.read_text()) if options.peers else [])
        ]
        tools = [ours, *peers]
        for tool in tools:
            write_stacks(tool)
            tool.run("sleep1", "up", "-d")  # warm-up
            tool.run("sleep1", "down", "-t", "0")
        measurements = {
            "sizes": lambda: measure_sizes(tools, options.rounds),
            "first": lambda: measure_first_load(ours, home, options.rounds),
            "life": lambda: measure_life(tools, options.rounds),
            "changes": lambda: measure_changes(tools, options.rounds),
            "memory": lambda: measure_memory(tools),
            "chain": lambda: measure_chain(tools, options.rounds),
            "heal": lambda: measure_healing(tools, options.rounds),
        }
        for name in options.only.split(","):
            measurements[name]()
        machine = f"Linux {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        text = f"{machine}, medians of {options.rounds} rounds.\n\n"
        text += table(tools)
        wait_until_over(home)
    print(text)
    if options.write:
        before, _, rest = options.write.read_text().partition("<!-- table -->\n")
        _, _, after = rest.partition("<!-- end -->\n")
        options.write.write_text(f"{before}<!-- table -->\n{text}<!-- end -->\n{after}")


if __name__ == "__main__":
    main()

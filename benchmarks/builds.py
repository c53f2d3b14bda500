"""Measure how long builds take, beside buildah and Docker.

    python benchmarks/builds.py [--base ROOTFS.tar] [--buildah COMMAND] [--docker COMMAND] [--rounds N] [--files N]

The base is a Debian with Python, made by mmdebstrap or given as an archive of its root file system. The application has
12 steps and needs no network. COMMAND leads to the tool, in one word or several. Docker builds with BuildKit if its
client has buildx.

``BUILDAH_ISOLATION`` counts for buildah: crun refuses machines with both versions of cgroups. ``DOCKER_HOST`` and
``DOCKER_BUILDKIT`` count for Docker.

cold: nothing but the base is known. again: nothing has changed. line: one line of the source has changed, which four
steps depend on. context: one of many files has changed. Within a round each tool has its turn, so a slow moment of the
machine hits all of them. Absolute times are noise on a shared machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

DOCKERFILE = """\
FROM localhost/bench-base
ENV PYTHONDONTWRITEBYTECODE=1 APP=/app
WORKDIR /app
COPY requirements.txt .
COPY packages /packages
RUN mkdir /app/lib && for one in /packages/*.zip; do python3 -m zipfile -e "$one" /app/lib; done
RUN useradd --system --home-dir /app app
COPY src ./src
RUN python3 -m compileall -q src lib
RUN python3 -c "import sys; sys.path[:0] = ['src', 'lib']; import main"
RUN find src -name '*.py' | wc -l > modules && chown -R app /app/src
COPY --chown=app start.sh .
USER app
CMD ["./start.sh"]
"""
CONTEXT = "FROM localhost/bench-base\nCOPY . /all\n"
KINDS = {"cold": "cold", "again": "nothing changed", "line": "one line changed", "many": "{files} files, cold"}
KINDS |= {"many again": "{files} files, nothing changed", "one of many": "{files} files, one changed"}


def make_application(path: Path) -> None:
    """20 packages of 40 modules each, and a source of 60 modules."""
    for name in ("packages", "src"):
        (path / name).mkdir(parents=True)
    module = "\n".join(f"def function_{n}(value):\n    return [value + {n} for _ in range({n})]\n" for n in range(60))
    for number in range(20):
        package = path / f"scratch/package_{number}"
        package.mkdir(parents=True)
        for each in range(40):
            (package / f"module_{each}.py").write_text(f"# {number}\n{module}")
        shutil.make_archive(str(path / f"packages/package_{number}"), "zip", path / "scratch", package.name)
    shutil.rmtree(path / "scratch")
    for each in range(60):
        (path / f"src/part_{each}.py").write_text(f"# {each}\n{module}")
    (path / "src/main.py").write_text("import part_0\nimport package_0.module_1\n")
    (path / "requirements.txt").write_text("package_0\n")
    (path / "start.sh").write_text("#!/bin/sh\nexec python3 src/main.py\n")
    (path / "Dockerfile").write_text(DOCKERFILE)


def make_files(path: Path, number: int) -> None:
    for each in range(number):
        place = path / f"d{each // 100}/f{each}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{each}\n" * 200)
    (path / "Dockerfile").write_text(CONTEXT)


class Tool:
    """reset: what makes all but the base unknown, which is not measured. leave: what is run at the end."""

    def __init__(self, name: str, build: list, reset: list, environment: dict, leave: tuple | list = ("true",)) -> None:
        self.name, self.build, self.reset, self.leave = name, build, reset, leave
        self.environment = os.environ | environment
        self.seconds: dict[str, list[float]] = defaultdict(list)

    def run(self, command: list) -> float:
        begin = time.perf_counter()
        done = subprocess.run(
            command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        elapsed = time.perf_counter() - begin
        if done.returncode:
            raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stderr[-3000:]}")
        return elapsed

    def measure(self, kind: str, context: Path) -> None:
        os.sync()
        self.seconds[kind].append(self.run([*self.build, str(context)]))


def tools(options: argparse.Namespace, work: Path, base: Path) -> list[Tool]:
    """Each has the base already."""
    command = [sys.executable, "-m", "orchestra"]
    ours = Tool(
        "orchestra",
        [*command, "image", "build", "-q", "-t", "bench-app"],
        [*command, "image", "prune", "-f", "--build-cache"],
        {"ORCHESTRA_HOME": str(work / "home")},
        [*command, "system", "prune", "-f"],
    )
    ours.run([*command, "image", "import", str(base), "localhost/bench-base"])
    found = [ours]
    if options.buildah:
        buildah = [*shlex.split(options.buildah), f"--root={work}/buildah", f"--runroot={work}/buildah-run"]
        reset = ["sh", "-c", '"$@" rmi localhost/bench-app; "$@" rmi --prune; true', "sh", *buildah]
        build = [*buildah, "bud", "-q", "--layers", "--format=docker", "--network=none", "-t", "localhost/bench-app"]
        theirs = Tool(
            "buildah",
            build,
            reset,
            {},
            ["sh", "-c", '"$@" rm -a > /dev/null; umount "$0/overlay"; true', f"{work}/buildah", *buildah],
        )
        theirs.run(
            [
                "sh",
                "-c",
                'n=$("$@" from scratch) && "$@" add "$n" "$0" / && "$@" commit "$n" localhost/bench-base',
                base,
                *buildah,
            ]
        )
        found.append(theirs)
    if options.docker:
        docker = shlex.split(options.docker)
        reset = ["sh", "-c", '"$@" rmi bench-app; "$@" builder prune -af; "$@" image prune -f; true', "sh", *docker]
        build = [*docker, "build", "-q", "--network=none", "-t", "bench-app"]
        theirs = Tool("docker", build, reset, {})
        theirs.run([*docker, "import", str(base), "localhost/bench-base"])
        found.append(theirs)
    return found


def run_round(number: int, tool: Tool, application: Path, files: Path) -> None:
    tool.run(tool.reset)
    tool.measure("cold", application)
    tool.measure("again", application)
    source = application / "src/main.py"
    before = source.read_text()
    source.write_text(f"{before}# {number}\n")
    tool.measure("line", application)
    source.write_text(before)
    tool.measure("many", files)
    tool.measure("many again", files)
    (files / "d7/f700").write_text(f"{number} {tool.name}\n")
    tool.measure("one of many", files)


def table(found: list[Tool], options: argparse.Namespace) -> str:
    lines = [
        f"Linux {platform.release()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians of "
        f"{options.rounds} rounds, seconds.",
        "",
        f"| | {' | '.join(tool.name for tool in found)} | ours / the better |",
        f"|---|{'---:|' * (len(found) + 1)}",
    ]
    for kind, name in KINDS.items():
        medians = [statistics.median(tool.seconds[kind]) for tool in found]
        ratio = f"{medians[0] / min(medians[1:]):.2f}" if medians[1:] else "-"
        cells = " | ".join(f"{median:.2f}" for median in medians)
        lines.append(f"| {name.format(files=options.files)} | {cells} | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--base", type=Path)
    parser.add_argument("--buildah", default="buildah" if shutil.which("buildah") else "")
    parser.add_argument("--docker", default="")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        base = options.base or work / "base.tar"
        if not base.exists():
            # A mirror may be older than a month.
            undated = '--aptopt=Acquire::Check-Valid-Until "false"'
            subprocess.run(
                ["mmdebstrap", "--variant=minbase", "--include=python3", undated, "stable", str(base)], check=True
            )
        make_application(work / "application")
        make_files(work / "files", options.files)
        found = tools(options, work, base)
        try:
            for number in range(options.rounds):
                for tool in found:
                    run_round(number, tool, work / "application", work / "files")
        finally:
            for tool in found:
                tool.run(tool.leave)
    print(table(found, options))


if __name__ == "__main__":
    main()

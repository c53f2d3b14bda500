"""Measure containers: our two ways beside crun, runc and unshare, all in one run.

    python benchmarks/runtime.py [--rounds N] [--python PROGRAM]

Needs root and busybox. What is not installed is left out. In each round every way has its turn, so a slow moment of the
machine hits all; ratios are of medians. PROGRAM is the interpreter of the command line, by default this one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
MARK = "ORCHESTRA_BENCHMARK_INSIDE"
COMMAND = "import sys; sys.path.append({!r}); from orchestra.oci_cli.__main__ import main; sys.exit(main())"
SUPERVISOR = """
import os, select, socket
control, parent = (int(os.environ[f"ORCHESTRA_{name}_FD"]) for name in ("CONTROL", "PARENT"))
if control in select.select([control, parent], [], [])[0]:
    socket.socket(fileno=control).accept()
"""
AT_ONCE = 50
GROUPS = f"/orchestra/benchmark-{os.getpid()}"


def describe(name: str, root: str, *args: str) -> dict:
    from orchestra.oci_cli.spec import example

    config = example()
    config["ociVersion"] = "1.0.2"
    config["process"] |= {"terminal": False, "args": list(args), "env": ["PATH=/bin"], "rlimits": []}
    config["root"]["path"] = root
    config["linux"]["resources"] = {}  # a rule for devices is completed by runtimes, and by our driver, not by shims
    config["linux"]["cgroupsPath"] = f"{GROUPS}/{name}"
    return config


def make_bundle(directory: Path, name: str, root: Path, *args: str) -> Path:
    bundle = directory / name
    bundle.mkdir(parents=True)
    (bundle / "config.json").write_text(json.dumps(describe(name, str(root), *args)))
    return bundle


def make_root(directory: Path) -> Path:
    root = directory / "root"
    for name in ("bin", "proc", "dev", "sys", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    for applet in ("true", "sleep"):
        (root / "bin" / applet).symlink_to("busybox")
    return root


class Warm:
    """A stack with a fork server; its supervisor does nothing."""

    def __init__(self, directory: Path, root: Path) -> None:
        from orchestra.home import Home
        from orchestra.shim import launch

        self.home = Home(f"{directory}/data", f"{directory}/run").stack("b")
        self.root = root
        self.directories: list[str] = []
        os.makedirs(self.home.logs, exist_ok=True)
        program = directory / "supervisor.py"
        program.write_text(SUPERVISOR)
        launch.launch(self.home, [str(program)])

    def add(self, name: str, *args: str) -> str:
        directory = self.home.container(name)
        Path(directory, "rootfs").mkdir(parents=True)
        Path(directory, "config.json").write_text(json.dumps(describe(name, "rootfs", *args)))
        layers = [{"type": "bind", "source": str(self.root), "options": ["rbind", "ro"]}]
        log = {"path": f"{self.home.logs}/{name}.log"}
        Path(directory, "shim.json").write_text(json.dumps({"rootfs": layers, "log": log}))
        self.directories.append(directory)
        return directory

    def run(self, directory: str) -> None:
        """Returns when the program runs."""
        from orchestra.shim import client

        client.run(self.home.fork_socket, directory)

    def finish(self, directory: str) -> None:
        from orchestra.shim import client

        assert client.wait(directory).exit_code == 0

    def run_to_exit(self, directory: str) -> None:
        self.run(directory)
        self.finish(directory)

    def execute(self, directory: str) -> None:
        from orchestra.shim import client

        description = json.loads(Path(directory, "config.json").read_text())["process"] | {"args": ["true"]}
        with (
            open(os.devnull, "r+b") as null,
            client.exec_(self.home.fork_socket, directory, description, [null.fileno()] * 3) as execution,
        ):
            assert execution.wait() == 0

    def end(self, directory: str) -> None:
        from orchestra.shim import client

        client.delete(directory)

    def processes(self) -> dict[str, list[int]]:
        """Fork server, and below it shims and zygote: what is neither the supervisor nor a container's."""
        from orchestra.linux import unix_socket

        with unix_socket.connect(self.home.fork_socket) as connection:
            server = int.from_bytes(connection.getsockopt(1, 17, 12)[:4], sys.byteorder)  # SO_PEERCRED
        shims = [pid for pid in children(server) if name_of(pid) == "orchestra-shim"]
        zygotes = [pid for shim in shims for pid in children(shim) if name_of(pid) == "orchestra-fork"]
        return {"fork server": [server], "shims": shims, "zygote": zygotes}

    def close(self) -> None:
        from orchestra.linux import unix_socket

        for directory in self.directories:
            self.end(directory)
        unix_socket.connect(self.home.control_socket).close()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def command(*words: str):
    def run() -> None:
        pid = os.posix_spawnp(words[0], words, os.environ)
        assert os.waitpid(pid, 0)[1] == 0, words

    return run


def compare(rounds: int, ways: dict, *, after: dict | None = None) -> dict[str, float]:
    """Medians in milliseconds. after: what is to be done behind a way, untimed."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 2):
        for way, run in ways.items():
            begin = time.perf_counter()
            run()
            if number > 1:
                seconds[way].append((time.perf_counter() - begin) * 1000)
            if after and way in after:
                after[way]()
    return {way: statistics.median(values) for way, values in seconds.items()}


def show(title: str, medians: dict[str, float]) -> None:
    unit = next((value for way, value in medians.items() if way.startswith("crun")), None)
    print(f"\n| {title} | median | of crun |\n|---|---|---|")
    for way, value in sorted(medians.items(), key=lambda row: row[1]):
        print(f"| {way} | {value:.1f} ms | {f'{value / unit:.2f}' if unit else ''} |")


def others() -> list[str]:
    return [runtime for runtime in ("crun", "runc") if shutil.which(runtime)]


def whole(rounds: int, directory: Path, root: Path, ours: tuple[str, ...], warm: Warm) -> None:
    """`true` in a container, from the call to its end or, where that is said, until it is executed."""
    inside = ("--root", f"{directory}/state", "run", "--bundle")
    ways = {"`orchestra-runtime run`": command(*ours, *inside, str(make_bundle(directory, "ours", root, "true")), "c")}
    for runtime in others():
        bundle = make_bundle(directory, runtime, root, "true")
        ways[f"{runtime} run"] = command(runtime, *inside, str(bundle), f"c-{runtime}")
    ways["unshare, chroot"] = command("unshare", "-mpniuCf", "chroot", str(root), "/bin/true")
    ways["an interpreter that does nothing"] = command(*ours[:3], "-c", "pass")
    first, second = warm.add("first", "true"), warm.add("second", "true")
    ways["fork server, until it is executed"] = lambda: warm.run(first)
    ways["fork server, run to exit"] = lambda: warm.run_to_exit(second)
    show(
        "`true` in a container",
        compare(rounds, ways, after={"fork server, until it is executed": lambda: warm.finish(first)}),
    )


def many(directory: Path, root: Path, warm: Warm) -> None:
    """As many at once, started and running; the time of each is the whole divided by their number."""
    names = [f"many-{number}" for number in range(AT_ONCE)]
    directories = [warm.add(name, "sleep", "60") for name in names]
    starts = {}
    ends = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        starts["fork server"] = lambda: list(pool.map(warm.run, directories))
        ends["fork server"] = lambda: list(pool.map(warm.end, directories))
        for runtime in others():
            state = ("--root", f"{directory}/state-{runtime}")
            bundles = [make_bundle(directory, f"{runtime}-{name}", root, "sleep", "60") for name in names]
            runs = [(runtime, *state, "run", "--detach", "--bundle", str(path), path.name) for path in bundles]
            deletions = [(runtime, *state, "delete", "--force", bundle.name) for bundle in bundles]
            starts[f"{runtime} run --detach"] = lambda runs=runs: list(pool.map(at_once, runs))
            ends[f"{runtime} run --detach"] = lambda deletions=deletions: list(pool.map(at_once, deletions))
        medians = compare(3, starts, after=ends)
    show(f"{AT_ONCE} at once, each", {way: value / AT_ONCE for way, value in medians.items()})


def at_once(words: tuple[str, ...]) -> None:
    subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


def executions(rounds: int, directory: Path, root: Path, warm: Warm) -> None:
    running = warm.add("running", "sleep", "600")
    warm.run(running)
    ways = {"fork server": lambda: warm.execute(running)}
    for runtime in others():
        bundle = make_bundle(directory, f"{runtime}-running", root, "sleep", "600")
        state = ("--root", f"{directory}/state-{runtime}")
        at_once((runtime, *state, "run", "--detach", "--bundle", str(bundle), "c"))
        ways[f"{runtime} exec"] = command(runtime, *state, "exec", "c", "true")
    show("`true` executed in a running container", compare(rounds, ways))
    for runtime in others():
        at_once((runtime, "--root", f"{directory}/state-{runtime}", "delete", "--force", "c"))


def memory(warm: Warm) -> None:
    """PSS: a page that several processes share counts for each by its part, so the sum is what they all cost."""
    warm.run_to_exit(warm.add("settled", "true"))
    alone = total(warm.processes())
    directories = [warm.add(f"memory-{number}", "sleep", "600") for number in range(AT_ONCE)]
    for directory in directories:
        warm.run(directory)
    found = total(warm.processes())
    print(f"\n| memory (PSS), {AT_ONCE} containers | KiB |\n|---|---|")
    print(f"| fork server, process of the shims and zygote, once for a stack | {alone} |")
    print(f"| each running container beyond its program | {(found - alone) / AT_ONCE:.0f} |")


def total(processes: dict[str, list[int]]) -> int:
    """KiB; of the fork server and the shims that there are."""
    found = 0
    for pid in (pid for pids in processes.values() for pid in pids):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
    return found


def measure(rounds: int, python: str) -> None:
    sys.path.insert(0, str(HERE))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        root = make_root(directory)
        ours = (python, "-I", "-S", "-c", COMMAND.format(str(HERE)))
        warm = Warm(directory, root)
        try:
            memory(warm)
            for running in warm.directories:
                warm.end(running)
            whole(rounds, directory, root, ours, warm)
            executions(rounds, directory, root, warm)
            many(directory, root, warm)
        finally:
            warm.close()
            for tree in Path("/sys/fs/cgroup").glob(f"[!u]*{GROUPS}"):
                tree.rmdir()  # runc leaves the groups above its own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    if MARK not in os.environ:
        # crun takes no machine that has both versions of cgroups: all are shown the first alone.
        script = '! test -d /sys/fs/cgroup/unified || mount -t tmpfs none /sys/fs/cgroup/unified; exec "$0" "$@"'
        words = ["unshare", "--mount", "sh", "-c", script, sys.executable, *sys.argv]
        sys.exit(subprocess.run(words, env={**os.environ, MARK: "1"}).returncode)
    measure(options.rounds, options.python)


if __name__ == "__main__":
    main()

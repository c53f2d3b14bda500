"""Measure `true` in a container, from the call to its end: our two ways beside crun, runc and unshare.

    python benchmarks/runtime.py [--rounds N] [--python PROGRAM]

Needs root and busybox. What is not installed is left out. In each round every way has its turn, so a slow moment of the
machine hits all; ratios are of medians. PROGRAM is the interpreter of the command line, by default this one.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
MARK = "ORCHESTRA_BENCHMARK_INSIDE"
COMMAND = "import sys; sys.path.append({!r}); from orchestra.runtime.__main__ import main; sys.exit(main())"
SUPERVISOR = """
import os, select, socket
control, parent = (int(os.environ[f"ORCHESTRA_{name}_FD"]) for name in ("CONTROL", "PARENT"))
if control in select.select([control, parent], [], [])[0]:
    socket.socket(fileno=control).accept()
"""


def make_bundle(directory: Path, name: str, root: Path) -> Path:
    from orchestra.runtime.spec import example

    config = example()
    config["ociVersion"] = "1.0.2"
    config["process"] |= {"terminal": False, "args": ["true"], "env": ["PATH=/bin"], "rlimits": []}
    config["root"]["path"] = str(root)
    config["linux"]["resources"] = {}  # a rule for devices is completed by runtimes, and by our driver, not by shims
    config["linux"]["cgroupsPath"] = f"/orchestra/benchmark-{os.getpid()}/{name}"
    bundle = directory / name
    bundle.mkdir(parents=True)
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


def make_root(directory: Path) -> Path:
    root = directory / "root"
    for name in ("bin", "proc", "dev", "sys", "etc"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), root / "bin/busybox")
    (root / "bin/true").symlink_to("busybox")
    return root


class Warm:
    """A fork server, asked to run the bundle; it is over when the record of the end is there."""

    def __init__(self, directory: Path, root: Path) -> None:
        from orchestra.home import Home
        from orchestra.shim import launch

        self.home = Home(f"{directory}/data", f"{directory}/run").stack("b")
        self.directory = self.home.container("c")
        bundle = make_bundle(directory / "bundles", "warm", root)
        os.makedirs(self.directory)
        config = json.loads((bundle / "config.json").read_text())
        config["root"]["path"] = "rootfs"
        Path(self.directory, "config.json").write_text(json.dumps(config))
        layers = [{"type": "bind", "source": str(root), "options": ["rbind", "ro"]}]
        Path(self.directory, "rootfs").mkdir()
        os.makedirs(self.home.logs, exist_ok=True)
        settings = {"rootfs": layers, "log": None, "stack": "b", "container": "c"}
        Path(self.directory, "shim.json").write_text(json.dumps(settings))
        launch.launch(self.home, [sys.executable, "-I", "-S", "-c", SUPERVISOR])

    def __call__(self) -> None:
        from orchestra.shim import client

        client.run(self.home.fork_socket, self.directory)
        pidfd = client.open_run(self.directory)
        if pidfd is not None:
            select.select([pidfd], [], [])
            os.close(pidfd)
        assert client.state(self.directory).exit.exit_code == 0

    def close(self) -> None:
        from orchestra.linux import unix_socket
        from orchestra.shim import client

        client.delete(self.directory)
        unix_socket.connect(self.home.control_socket).close()


def command(*words: str):
    def run() -> None:
        pid = os.posix_spawnp(words[0], words, os.environ)
        assert os.waitpid(pid, 0)[1] == 0

    return run


def measure(rounds: int, python: str) -> None:
    sys.path.insert(0, str(HERE))
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        root = make_root(directory)
        inside = ("--root", f"{directory}/state", "run", "--bundle")
        ours = (python, "-I", "-S", "-c", COMMAND.format(str(HERE)))
        ways = {"orchestra-runtime run": command(*ours, *inside, str(make_bundle(directory, "ours", root)), "c")}
        for runtime in ("crun", "runc"):
            if shutil.which(runtime):
                bundle = make_bundle(directory, runtime, root)
                ways[f"{runtime} run"] = command(runtime, *inside, str(bundle), f"c-{runtime}")
        ways["unshare, chroot"] = command("unshare", "-mpniuCf", "chroot", str(root), "/bin/true")
        ways["python -I -S -c pass"] = command(python, "-I", "-S", "-c", "pass")
        warm = Warm(directory, root)
        ways["fork server, run to exit"] = warm
        seconds = {way: [] for way in ways}
        try:
            for number in range(rounds + 2):
                for way, run in ways.items():
                    begin = time.perf_counter()
                    run()
                    if number > 1:
                        seconds[way].append(time.perf_counter() - begin)
        finally:
            warm.close()
            for group in Path("/sys/fs/cgroup").glob(f"*/orchestra/benchmark-{os.getpid()}"):
                group.rmdir()  # runc leaves the groups above its own
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    unit = medians.get("crun run")
    print("| way | median | of crun |\n|---|---|---|")
    for way, value in sorted(medians.items(), key=lambda row: row[1]):
        print(f"| {way} | {value * 1000:.1f} ms | {f'{value / unit:.2f}' if unit else ''} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    if MARK not in os.environ:
        # crun takes no machine that has both versions of cgroups mounted: all are shown the first alone.
        script = 'while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done; exec "$0" "$@"'
        words = ["unshare", "--mount", "sh", "-c", script, sys.executable, *sys.argv]
        sys.exit(subprocess.run(words, env={**os.environ, MARK: "1"}).returncode)
    measure(options.rounds, options.python)


if __name__ == "__main__":
    main()

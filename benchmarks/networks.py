"""Measure what it costs to attach containers to a network, and to look whether all of it is as it should be.

    python benchmarks/networks.py [--rounds N] [--beside DIRECTORY]

Needs root. Everything happens in a network namespace of its own. DIRECTORY is another working tree, measured in turn
with this one, so that a slow moment of the machine hits both; ratios are of medians. Times are of processor, in
milliseconds for one container.
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
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
SIZES = (50, 500)


def measure(directory: str, count: int) -> dict[str, float]:
    """In a process of its own, with the modules of that working tree."""
    sys.path.insert(0, directory)
    from orchestra.driver.local.net import network
    from orchestra.home import find_home
    from orchestra.linux.mounts.mount import MS_PRIVATE, MS_REC, mount
    from orchestra.linux.namespaces import CLONE_NEWNET, CLONE_NEWNS, unshare
    from orchestra.model.container import ContainerSpec, Endpoint
    from orchestra.model.desired import NetworkSpec

    unshare(CLONE_NEWNET | CLONE_NEWNS)
    mount("", "/", flags=MS_PRIVATE | MS_REC)
    folder = tempfile.mkdtemp(prefix="orchestra-benchmark-")
    try:
        home = find_home({"ORCHESTRA_HOME": folder}, 0)
        network.create_network(home, "s", NetworkSpec(key="d", name="s_default", subnet="10.200.0.0/16"))
        network.apply(home, "s")
        began = time.process_time()
        for number in range(count):
            name = f"s-web-{number}"
            spec = ContainerSpec(name, "web", number, "", "", endpoints=(Endpoint("s_default"),))
            network.attach(home, "s", spec, f"{number:064x}", home.stack("s").container(name))
        attached = time.process_time()
        network.observe_networks(home, "s")
        return {"attach": (attached - began) / count * 1e3, "look": (time.process_time() - attached) / count * 1e3}
    finally:
        # The mounts end with this process; what is left are files.
        subprocess.run(["umount", "-R", "-l", home.network_namespaces], check=False)
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], int(options.measure[1]))))
        return
    trees = [HERE, *([options.beside.resolve()] if options.beside else [])]
    times: dict[tuple[str, int, Path], list[float]] = {}
    for _ in range(options.rounds):
        for count in SIZES:
            for tree in trees:
                command = [sys.executable, __file__, "--measure", str(tree), str(count)]
                done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env=os.environ)
                for what, took in json.loads(done.stdout).items():
                    times.setdefault((what, count, tree), []).append(took)
    for (what, count, tree), took in sorted(times.items()):
        ratio = statistics.median(took) / statistics.median(times[what, count, trees[-1]])
        print(f"{what} {count:4}  {statistics.median(took):6.2f} ms  x{ratio:.2f}  {tree}")


if __name__ == "__main__":
    main()

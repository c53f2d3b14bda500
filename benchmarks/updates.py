"""Measure updates under load: how many requests fail while a service is replaced again and again.

    python benchmarks/updates.py [--requests N] [--replicas N] [--order start-first|stop-first] [--port N]

Needs root. The stack is that of tests/examples/under_load: an HTTP service, and two clients in network namespaces of
their own, of which one uses its name and the other its published port. Half of their connections stay open. Versions
alternate until each client has sent half of the requests; then the last update ends, and the clients tell their counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOAD = ROOT / "tests" / "examples" / "under_load"
CLIENTS = ("by-name", "by-port")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--order", default="start-first", choices=("start-first", "stop-first"))
    parser.add_argument("--port", type=int, default=18480)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="orchestra-updates-") as folder:
        environment = {
            **os.environ,
            "ORCHESTRA_HOME": folder,
            "LOAD": str(LOAD),
            "PORT": str(options.port),
            "REPLICAS": str(options.replicas),
            "ORDER": options.order,
            "REQUESTS": str(options.requests // len(CLIENTS)),
        }
        try:
            measure(environment)
        finally:
            run(environment, "down", "-v", "-t", "0")


def run(environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "orchestra", "-f", str(LOAD / "compose.yaml"), "-p", "updates", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def measure(environment: dict[str, str]) -> None:
    run(environment, "up", "-d")
    began, updates = time.monotonic(), 0
    while not all("enough" in run(environment, "logs", client) for client in CLIENTS):
        updates += 1
        environment["COMMAND"] = f"python3 -I /load/server.py 8000 v{updates + 1}"
        run(environment, "up", "-d")
    seconds = time.monotonic() - began
    run(environment, "stop", *CLIENTS)
    total = failed = 0
    for client in CLIENTS:
        told = json.loads(run(environment, "logs", "--no-log-prefix", client).splitlines()[-1])
        print(f"{client}: {told['sent']} requests, {told['on open connections']} of them on open connections;", end=" ")
        print(f"failed: {told['failed'] or 'none'}")
        total, failed = total + told["sent"], failed + sum(told["failed"].values())
    print(f"{updates} updates in {seconds:.0f} s: {failed} of {total} requests failed")


if __name__ == "__main__":
    main()

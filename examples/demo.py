"""The life of a container, told with the guestbook: `make demo`. Exits with 1 as soon as something does not hold."""

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestra.driver.local.net.mark import home_hash
from orchestra.home import find_home

STACK = Path(__file__).parent / "stacks" / "guestbook" / "compose.yaml"


def say(text: str) -> None:
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


def check(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"demo: this does not hold: {what}")
    print(f"  ok: {what}", flush=True)


class Demo:
    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.data = home / "guestbook-data"
        self.environment = os.environ | {
            "ORCHESTRA_HOME": str(home / "orchestra"),
            "GUESTBOOK_PORT": str(self.port),
            "GUESTBOOK_DATA": str(self.data),
        }

    def orchestra(self, *arguments: str, check: bool = True) -> str:
        """Run one command before the reader's eyes and give what it printed."""
        print(f"$ orchestra {shlex.join(arguments)}", flush=True)
        command = [sys.executable, "-m", "orchestra", "-f", str(STACK), *arguments]
        done = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout, end="", flush=True)
        if check and done.returncode:
            raise SystemExit(f"demo: exit code {done.returncode}")
        return done.stdout

    def http(self, method: str, path: str, value: object = None) -> object:
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.load(reply)

    def containers(self) -> dict[str, dict[str, object]]:
        lines = self.orchestra("ps", "--format", "json").splitlines()
        return {row["Service"]: row for row in map(json.loads, lines)}


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> float:
    """Seconds until it held. OSError means "not yet"."""
    begin = time.monotonic()
    while time.monotonic() < begin + seconds:
        with contextlib.suppress(OSError):
            if holds():
                return time.monotonic() - begin
        time.sleep(0.01)
    raise SystemExit(f"demo: not within {seconds} seconds")


def main_process(name: str) -> int:
    """The host's pid of the process that is number 1 of its own world and has ``name`` in its command line."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            pids = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()[1:]
            if len(pids) > 1 and pids[-1] == "1" and name.encode() in (status.parent / "cmdline").read_bytes():
                return int(pids[0])
    raise SystemExit(f"demo: no process of {name} found")


def traces(home: Path) -> Iterator[str]:
    """Whatever of this home is still on the machine."""
    for table in ("/proc/self/mountinfo",):
        yield from (line for line in Path(table).read_text().splitlines() if str(home) in line)
    for environ in Path("/proc").glob("[0-9]*/environ"):
        if environ.parent.name != str(os.getpid()):
            with contextlib.suppress(OSError):
                if (
                    str(home).encode() in environ.read_bytes()
                    or str(home).encode() in (environ.parent / "cmdline").read_bytes()
                ):
                    yield f"process {environ.parent.name}"
    for alias in Path("/sys/class/net").glob("*/ifalias"):
        with contextlib.suppress(OSError):
            if str(home) in alias.read_text():
                yield f"interface {alias.parent.name}"
    mark = home_hash(find_home({"ORCHESTRA_HOME": str(home / "orchestra")}, 0))
    for here, below, _files in os.walk("/sys/fs/cgroup"):
        yield from (f"cgroup {here}/{name}" for name in below if name == mark)


def wait_for_nothing(home: Path, seconds: float = 10.0) -> list[str]:
    """What is left after at most that time: processes that have been told to end may still be ending."""
    deadline = time.monotonic() + seconds
    while (left := list(traces(home))) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def story(demo: Demo, home: Path) -> None:
    say("A stack goes up: store first, then web and worker once the store is healthy")
    demo.orchestra("up", "-d", "--wait")
    demo.orchestra("ps")

    say("Entries are posted to the published port")
    for name, text in (("Ada", "hello engine"), ("Grace", "hello compiler")):
        demo.http("POST", "/entries", {"name": name, "text": text})
    check(len(demo.http("GET", "/entries")) == 2, "both entries are there")
    eventually(lambda: demo.http("GET", "/counts").get("hello") == 2)
    check(True, "the worker has counted their words")

    say("What a container writes in itself dies with it; what it writes to a host volume stays")
    demo.orchestra("exec", "-T", "web", "sh", "-c", "echo ephemeral > /note && cat /note")
    check((demo.data / "entries.jsonl").read_text().count("\n") == 2, "the entries are on this machine's disk")
    demo.orchestra("down")
    demo.orchestra("up", "-d", "--wait")
    check(len(demo.http("GET", "/entries")) == 2, "after down and up the entries are still there")
    answer = demo.orchestra("exec", "-T", "web", "sh", "-c", "test -e /note && echo there || echo gone")
    check(answer.strip() == "gone", "and the file that was written inside the container is gone")

    say("A main process is killed: a new one serves within moments")
    before = main_process("/app/store.py")
    os.kill(before, signal.SIGKILL)
    seconds = eventually(lambda: demo.http("POST", "/entries", {"name": "Alan", "text": "still here"}) is not None)
    check(main_process("/app/store.py") != before, f"another store served after {seconds:.2f} s")
    check(len(demo.http("GET", "/entries")) == 3, "and nothing was lost")
    demo.orchestra("ps")

    say("The stack goes down and leaves nothing but the data")
    demo.orchestra("down")
    left = wait_for_nothing(home)
    check(not left, f"no process, mount, interface or cgroup is left {', '.join(left)}".rstrip())
    check((demo.data / "entries.jsonl").read_text().count("\n") == 3, "the entries are still on the disk")


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="orchestra-demo-"))
    demo = Demo(home)
    try:
        story(demo, home)
    finally:
        demo.orchestra("down", "-v", check=False)
        shutil.rmtree(home)
    say("That was the life of a container. Its stack is in examples/stacks/guestbook.")


if __name__ == "__main__":
    main()

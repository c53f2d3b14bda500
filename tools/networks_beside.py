"""Compares what containers find on their networks under Docker Compose and under Orchestra.

``python -m tools.networks_beside docker compose`` starts the stack of ``networks_beside.yaml`` with both, one after the
other, and prints what differs in the files in /etc, addresses, routes, settings of the kernel's network, answers to
questions for names, and in who reaches whom. Its arguments begin a command of Docker Compose; what comes before
``docker`` leads to the machine that it runs on. ``--image NAME`` and ``--own NAME`` say what the image is called on
either side. Needs root, and an image with busybox.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from orchestra.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STACK = Path(__file__).with_suffix(".yaml")
IMAGE = "busybox:1.37"
SERVICES = ("web", "app", "db", "far", "side", "alone")
NAMES = (
    *("web", "shop", "db", "app", "far", "app.example.org", "probe-web-1", "web.probe_front", "db.probe_back"),
    *("nosuch", "_http._tcp.web"),
)
POINTERS = ("2.1.201.10.in-addr.arpa", "3.2.201.10.in-addr.arpa", "9.9.201.10.in-addr.arpa")
QUESTIONS = "\n".join(
    [f"{kind} {name}" for name in NAMES for kind in ("a", "aaaa", "srv")] + [f"ptr {name}" for name in POINTERS]
)
TARGETS = (
    *("10.201.1.2", "10.201.1.3", "10.201.2.2", "10.201.2.3", "10.201.3.2", "[fd66:201:1::2]", "[fd66:201:1::3]"),
    *("10.201.1.1:18080", "10.201.2.1:18080", "10.201.3.1:18080", "127.0.0.1:18080", "127.0.0.1:18081"),
    *("[::1]:18080", "[fd66:201:1::1]:18080"),
)
# Measured, drawn at random, or of the machine as a whole.
VARYING = re.compile(r"ipv4/(neigh|route|tcp_fastopen_key)|stable_secret|ipv6/neigh|temp_prefered|max_addresses|flush$")

INSIDE = f"""
show() {{ sed "s|^|$1\t|"; }}
sort /etc/hosts | sed "s/$(hostname)/HOSTNAME/" | show "hosts file"
grep -v '^#' /etc/resolv.conf | show resolv.conf
ip -o addr | awk '{{print $2, $4}}' | grep -v fe80: | show addresses
ip route | show routes
ip -6 route | grep -v '^\\(fe80:\\|ff00:\\)' | sed 's/ pref .*//; s/ metric [0-9]*//' | show routes
for file in $(find /proc/sys/net/ipv4 /proc/sys/net/ipv6 -type f); do
  value=$(cat $file 2>/dev/null) && echo $value | show "setting ${{file#/proc/sys/net/}}"
done
ask() {{
  nslookup -type=$1 $2 127.0.0.11 2>&1 | grep -v -e ^Server: -e 127.0.0.11 -e ^Non-auth -e '^$' |
    sed 's/^Address [0-9]*:/Address:/' | sort | grep . || echo nothing
}}
[ -z "$(ip route)" ] || while read kind name; do ask $kind $name | show "$kind of $name" & done <<END
{QUESTIONS}
END
wait
reach() {{ wget -q -T 3 -O /dev/null "http://$1/hosts" 2>/dev/null && echo yes || echo no; }}
for to in {" ".join(TARGETS)}; do reach $to | show "reaches $to" & done; wait
"""
OUTSIDE = f"""
import urllib.request
for to in {TARGETS!r}:
    try:
        urllib.request.urlopen(f"http://{{to}}/hosts", timeout=3).read()
        print(f"reaches {{to}}\\tyes")
    except OSError:
        print(f"reaches {{to}}\\tno")
"""


class Row(Record):
    """A fact, ``SERVICE: WHAT``, that differs: its value under Docker Compose and under Orchestra."""

    where: str
    docker: str
    own: str

    def render(self) -> str:
        values = (f"`{value}`" if value else "" for value in (self.docker, self.own))
        return f"| `{self.where}` | {' | '.join(values)} |"


def look(
    program: Sequence[str], machine: Sequence[str], text: str, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Start the stack, look, and remove it. machine: begins a command on the machine that it runs on.

    Returns each fact with its value: lines, separated by semicolons. Raises CalledProcessError.
    """

    def run(*arguments: str) -> str:
        command = [*program, "-f", "-", *arguments]
        return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=True).stdout

    found: dict[str, str] = {}
    try:
        run("up", "-d")
        for service in SERVICES:
            found |= facts(service, run("exec", "-T", service, "sh", "-c", INSIDE))
        outside = [*machine, "python3", "-c", OUTSIDE]
        found |= facts("machine", subprocess.run(outside, capture_output=True, text=True, check=True).stdout)
    finally:
        run("down")
    return found


def facts(place: str, text: str) -> dict[str, str]:
    """From lines of a key and a value."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition("\t")
        if not VARYING.search(key):
            found.setdefault(f"{place}: {key}", []).append(" ".join(value.split()))
    return {key: "; ".join(filter(None, values)) for key, values in found.items()}


def differences(docker: Mapping[str, str], own: Mapping[str, str]) -> list[Row]:
    keys = sorted(docker.keys() | own.keys())
    rows = (Row(key, docker.get(key, ""), own.get(key, "")) for key in keys)
    return [row for row in rows if row.docker != row.own]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.networks_beside")
    parser.add_argument("--image", default=IMAGE)
    parser.add_argument("--own", default=IMAGE)
    parser.add_argument("docker", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    docker = options.docker or ["docker", "compose"]
    machine = docker[: docker.index("docker")]
    text = STACK.read_text()
    beside = look(docker, machine, text.replace(IMAGE, options.image))
    own = look([sys.executable, "-m", "orchestra"], (), text.replace(IMAGE, options.own))
    found = differences(beside, own)
    print("| where | Docker Compose | Orchestra |", "|---|---|---|", *(row.render() for row in found), sep="\n")
    print(f"{len(beside.keys() | own.keys())} facts, {len(found)} differ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

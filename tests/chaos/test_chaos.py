"""Chaos on real containers, bounded and seeded: whatever is killed, lost or full, the stack comes back whole.

A few blows in the test run; ``make chaos`` goes on for half an hour. Each blow is named as it is dealt, with the seed.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
import urllib.error
import urllib.request
from random import Random

import pytest

from tests.chaos.blows import BLOWS, interfaces, mounts_below
from tests.cli.test_prune import processes_of
from tests.driver.local.net.conftest import LACK, own_network
from tests.examples.conftest import eventually, stacks_in
from tests.examples.test_firewall import nft

SECONDS = float(os.environ.get("CHAOS_SECONDS", "0"))
"""How long to go on; 0: until each blow was dealt once."""
SEED = int(os.environ.get("CHAOS_SEED", "1"))
PATIENCE = 120.0
"""Seconds in which everything is well again, on the busiest machine."""

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(bool(LACK), reason=LACK),
    pytest.mark.timeout(SECONDS + len(BLOWS) * 2 * PATIENCE),
]

STACK = """
x-all: &all
  image: "rootfs:/"
  init: true
  stop_signal: SIGKILL
  restart: always
  environment: ["VERSION=${{VERSION:-0}}"]
services:
  store:
    <<: *all
    command: [python3, -I, /app/store.py]
    volumes: ["data:/data", "{program}:/app/store.py:ro"]
    ports: ["127.0.0.1:7000:7000"]
    healthcheck: {{test: ["CMD", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7000"], interval: 2s, retries: 30}}
  web:
    <<: *all
    command: [sleep, infinity]
    depends_on: {{store: {{condition: service_healthy}}}}
    networks: [default, inside]
    deploy: {{replicas: 2}}
volumes: {{data: }}
networks: {{inside: {{internal: true}}}}
"""


class Client(threading.Thread):
    """Posts one entry after the other, and remembers which were acknowledged. What was not is posted again."""

    def __init__(self) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self.leave = threading.Event()

    def run(self) -> None:
        while not self.leave.wait(0.1):
            text = f"entry {len(self.acknowledged) + 1}"
            try:
                ask(text.encode())
            except OSError:
                continue
            self.acknowledged.append(text)


def ask(entry: bytes | None = None) -> list[str]:
    """Raises OSError without a good answer."""
    try:
        with urllib.request.urlopen("http://127.0.0.1:7000/entries", entry, timeout=5) as reply:
            return reply.read().decode().splitlines()
    except urllib.error.HTTPError as error:
        error.close()
        raise


@pytest.fixture
def stack(tmp_path, request):
    """On a network of its own, in a home that can be full."""
    home = tmp_path / "home"
    home.mkdir()
    with own_network():
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "chaos", home], check=True)
        try:
            with stacks_in(tmp_path, tmp_path) as write:
                yield write(STACK.format(program=request.path.parent / "store.py"))
        finally:
            subprocess.run(["umount", home], check=True)


def is_well(stack, client: Client) -> bool:
    """Everything runs as it should, by its own word, and the store takes entries."""
    count = len(client.acknowledged)
    if stack.run("status", code=None, seconds=PATIENCE).returncode:
        return False
    return bool(eventually(lambda: len(client.acknowledged) > count, PATIENCE))


def test_whatever_happens_the_stack_comes_back_and_loses_nothing(stack):
    chance = Random(SEED)
    client = Client()
    stack.run("up", "-d", "--wait", seconds=PATIENCE)
    client.start()
    began, dealt = time.monotonic(), []
    try:
        while not dealt or (SECONDS and time.monotonic() < began + SECONDS) or len(dealt) < len(BLOWS):
            if len(dealt) % len(BLOWS) == 0:
                names = chance.sample(sorted(BLOWS), len(BLOWS))
            name = names[len(dealt) % len(BLOWS)]
            dealt.append(name)
            print(f"seed {SEED}, blow {len(dealt)}: {name}", flush=True)
            BLOWS[name](stack, chance)
            eventually(lambda: is_well(stack, client), PATIENCE)
    finally:
        client.leave.set()
        client.join()
    stored = eventually(ask)
    # One whose acknowledgement was lost on its way was posted again.
    assert list(dict.fromkeys(stored))[: len(client.acknowledged)] == client.acknowledged
    assert len(stack.run("ps", "-q").stdout.split()) == 3

    stack.run("down", "-v", "-t", "0", seconds=PATIENCE)
    assert eventually(lambda: not processes_of(stack))
    assert interfaces("veth") == interfaces("bridge") == []
    assert nft("list", "ruleset") == ""
    assert mounts_below(stack.home) == []

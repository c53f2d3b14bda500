"""A command that changes a running stack is killed, or its supervisor is, at any moment; or two run at once.

What becomes of the containers is what was asked for, or what was there before: never something between. Moments are
random, and stand in the message of a failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import tarfile
import urllib.error
import urllib.request

import pytest

from orchestra.linux.process import identify, open_pidfd
from tests.driver.local.image.registry.real import REGISTRY, running
from tests.examples.conftest import eventually, needs_containers
from tests.examples.test_killed_in_the_middle import find
from tests.examples.test_reboot import lose_what_a_reboot_loses, wait_until_kept
from tests.examples.test_watch import Watching

pytestmark = needs_containers

STACK = """
services:
  db:
    image: "rootfs:BUSYBOX"
    command: [sleep, "1000"]
    stop_signal: SIGKILL
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    restart: unless-stopped
    depends_on: [db]
    scale: 2
"""

UP = {"db-1": "running", "web-1": "running", "web-2": "running"}
STOPPED = {"db-1": "running", "web-1": "exited", "web-2": "exited"}
# Each begins where the one before it ended, if nothing is killed: the command, and what is there after it.
COMMANDS = [
    ("stop web", STOPPED),
    ("start web", UP),
    ("kill db", {**UP, "db-1": "exited"}),
    ("up -d", UP),
    ("pause web", {**UP, "web-1": "paused", "web-2": "paused"}),
    ("unpause web", UP),
    ("restart web", UP),
    ("up -d --force-recreate", UP),
    ("scale web=3", {**UP, "web-3": "running"}),
    ("scale web=1", {"db-1": "running", "web-1": "running"}),
    ("up -d", UP),
    ("run -d --name one web sleep 1000", {**UP, "one": "running"}),
    ("down -v", {}),
    ("create", {"db-1": "created", "web-1": "created", "web-2": "created"}),
    ("rm -f web", {"db-1": "created"}),
    ("up -d --wait", UP),
]
OTHERS = [
    ("exec -T web sleep 0.1", UP),
    ("cp /etc/passwd web:/tmp", UP),
    ("cp web:/etc/passwd -", UP),
    ("export -o /dev/null web", UP),
    ("commit web kept:1", UP),
    ("run --rm -T web true", UP),
    ("network disconnect stack_default stack-web-1", UP),
    ("network connect stack_default stack-web-1", UP),
    ("volume create kept", UP),
    ("network create shared", UP),
    ("volume rm kept", UP),
    ("stop", dict.fromkeys(UP, "exited")),
    ("start", UP),
    ("rm -fs web", {"db-1": "running"}),
    ("up -d web", UP),
]
IMAGES, VOLUMES, NETWORKS = "image ls --format {{.Repository}}", "volume ls -q", "network ls --format {{.Name}}"
OF_HOME = [
    ("image import FOLDER/root.tar imported:1", IMAGES, "imported", True),
    ("image build -q -t built:1 FOLDER", IMAGES, "built", True),
    ("image tag built:1 tagged:1", IMAGES, "tagged", True),
    ("image save -o FOLDER/saved.tar built:1", IMAGES, "built", True),
    ("image rm built:1", IMAGES, "built", False),
    ("image load -q -i FOLDER/saved.tar", IMAGES, "built", True),
    ("image prune -af", IMAGES, "imported", False),
    ("volume create kept", VOLUMES, "kept", True),
    ("volume prune -af", VOLUMES, "kept", False),
    ("network create shared", NETWORKS, "shared", True),
    ("network rm shared", NETWORKS, "shared", False),
    ("network create unused", NETWORKS, "unused", True),
    ("network prune -f", NETWORKS, "unused", False),
    ("system prune -f", VOLUMES, "kept", False),
]
"""Commands on what no stack owns, a question that lists it, and whether a word is in the answer when all is done."""
BETWEEN = {"rm -fs web": STOPPED}
"""Of commands that consist of two."""
LONGEST = 0.6
THERE = "there"


def states(stack) -> dict[str, str]:
    """The state of each container, by the end of its name."""
    lines = stack.run("ps", "-a", "--format", "json").stdout.splitlines()
    return {row["Name"].removeprefix("stack-"): row["State"] for row in map(json.loads, lines)}


def becomes(stack, wanted: dict[str, str], seconds: float) -> bool:
    try:
        return eventually(lambda: states(stack) == wanted, seconds)
    except AssertionError:
        return False


def kill(pid: int) -> None:
    """A process that has ended by now is no fault."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        pidfd = open_pidfd(identify(pid))
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)


@pytest.mark.parametrize("commands", [COMMANDS, OTHERS], ids=["changing", "other"])
def test_a_command_that_is_killed_is_done_whole_or_not_at_all(write_stack, commands):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    before = UP
    for line, after in commands:
        check_whole(stack, line, before, after)
        before = after


def check_whole(stack, line: str, before: dict[str, str], after: dict[str, str]) -> None:
    """Run the command, and kill it or its supervisor; run it again if it was not done."""
    victim, moment = random.choice(["command", "supervisor"]), random.uniform(0, LONGEST)
    with stack.start(*line.split(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as command:
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(moment)
        for pid in [command.pid] if victim == "command" else find(stack, "supervisor"):
            kill(pid)
        said, _ = command.communicate(timeout=60)
    told = f"{line!r}, {victim} killed after {moment:.3f} s: exit code {command.returncode}\n{said}"
    if not becomes(stack, after, 60 if command.returncode == 0 else 3):
        assert command.returncode != 0, f"{told}\n{states(stack)}"
        wholes = (before, BETWEEN.get(line), after)
        # The supervisor may still be carrying out what it was asked for.
        assert eventually(lambda: states(stack) in wholes, 60), f"{told}\n{states(stack)}"
        again = None if states(stack) == after else stack.run(*line.split(), code=None)
        assert becomes(stack, after, 10), f"{told}\nand again\n{again}\n{states(stack)}"


def test_a_return_after_a_reboot_a_plan_and_a_rollback_are_done_whole_or_not_at_all(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d", "--wait")
    wait_until_kept(stack, db="running", web="running")
    lose_what_a_reboot_loses(stack)
    check_whole(stack, "recover", {}, {**UP, "db-1": "exited"})
    stack.run("up", "-d")
    stack.write(STACK.replace("scale: 2", "scale: 3"))
    stack.run("plan", "--out", f"{stack.folder}/plan", code=2)
    more = {**UP, "web-3": "running"}
    check_whole(stack, f"apply {stack.folder}/plan", UP, more)
    check_whole(stack, "rollback 1", more, UP)


@pytest.mark.parametrize(
    ("one", "other", "outcomes"),
    [
        ("stop web", "start web", (UP, STOPPED)),
        ("up -d --force-recreate", "restart", (UP,)),
        ("scale web=3", "scale web=1", ({**UP, "web-3": "running"}, {"db-1": "running", "web-1": "running"})),
        ("up -d", "down", (UP, {})),
        ("down", "down", ({},)),
    ],
)
def test_two_commands_at_once_are_done_one_after_the_other(write_stack, one, other, outcomes):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with stack.start(*one.split(), **pipes) as first, stack.start(*other.split(), **pipes) as second:
        told = [(process.communicate(timeout=60)[0], process.returncode) for process in (first, second)]
    assert eventually(lambda: states(stack) in outcomes), told
    assert 0 in (first.returncode, second.returncode), told
    assert all(code in (0, 1) for _said, code in told), told


def test_a_command_on_what_no_stack_owns_is_done_whole_or_not_at_all(write_stack):
    stack = write_stack("services: {web: {image: 'rootfs:BUSYBOX'}}")
    (stack.folder / "Dockerfile").write_text("FROM imported:1\nCOPY root.tar /\n")
    pack(stack)
    check_each(stack, OF_HOME, lambda question: sorted(stack.run(*question.split()).stdout.split()))


@pytest.mark.skipif(not REGISTRY, reason="needs docker-registry (Debian: docker-registry)")
def test_what_goes_to_a_registry_and_comes_from_there_does_so_whole_or_not_at_all(write_stack, tmp_path):
    with running(tmp_path / "registry") as host:
        image = f"{host}/app:1"
        stack = write_stack(f"services: {{web: {{image: '{image}', build: .}}}}")
        (stack.folder / "Dockerfile").write_text("FROM scratch\nCOPY root.tar /\nCOPY Dockerfile /\n")
        pack(stack)

        def answer(question: str) -> list[str]:
            if question == IMAGES:
                return sorted(stack.run(*question.split()).stdout.split())
            try:
                kinds = "application/vnd.oci.image.manifest.v1+json"
                url = f"http://{host}/v2/{question}/manifests/1"
                with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": kinds})) as reply:
                    return [THERE, *(layer["digest"] for layer in json.load(reply)["layers"])]
            except urllib.error.HTTPError:
                return []

        check_each(stack, [("build -q", IMAGES, f"{host}/app", True)], answer)
        check_each(stack, [("push -q", "app", THERE, True)], answer)
        stack.run("image", "rm", image)
        check_each(stack, [("pull -q --policy always", IMAGES, f"{host}/app", True)], answer)
        check_each(stack, [(f"publish -y {host}/stack:1", "stack", THERE, True)], answer)
        assert "app:1" in stack.run("-f", f"oci://{host}/stack:1", "config").stdout


def pack(stack) -> None:
    with tarfile.open(stack.folder / "root.tar", "w") as archive:
        archive.add(__file__, "file")


def check_each(stack, rows, answer) -> None:
    """Kill each command, then run it again: what there is in between is what was there before it, or after it."""
    for line, question, word, is_there in rows:
        before, moment = answer(question), random.uniform(0, LONGEST)
        words = line.replace("FOLDER", str(stack.folder)).split()
        with stack.start(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as command:
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.wait(moment)
            kill(command.pid)
            said, _ = command.communicate(timeout=60)
        left = answer(question)
        again = stack.run(*words, code=None)
        after = answer(question)
        told = f"{line!r}, killed after {moment:.3f} s\n{said}\nand again\n{again.stdout}{again.stderr}\n{after}"
        assert (word in after) is is_there, told
        assert left in (before, after), f"{told}\nin between {left}"
        # The supervisor of networks may have carried out in between what it had been asked for.
        assert again.returncode == 0 or left == after or line.startswith("network"), told


def test_a_watch_that_is_killed_leaves_whole_files_and_the_next_one_goes_on(write_stack):
    size = 3_000_000
    stack = write_stack(
        """services:
  web:
    image: rootfs:BUSYBOX
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    develop: {watch: [{path: ./src, target: /src, action: sync, initial_sync: true}]}
""",
        files={"src/file": "a" * size},
    )
    stack.run("up", "-d")

    def within(*command: str) -> str:
        return stack.run("exec", "-T", "web", *command).stdout

    with Watching(stack, "watch") as watch:
        watch.until("Watch enabled")
        eventually(lambda: within("sh", "-c", "wc -c < /src/file") == f"{size}\n")
        new = stack.folder / "new"
        new.write_text("b" * size)
        new.rename(stack.folder / "src/file")
        moment = random.uniform(0, LONGEST / 2)
        with contextlib.suppress(subprocess.TimeoutExpired):
            watch.process.wait(moment)
        kill(watch.process.pid)
    left = within("sh", "-c", "tr -s ab < /src/file; wc -c < /src/file; ls -A /src")
    assert left in (f"a{size}\nfile\n", f"b{size}\nfile\n"), f"killed after {moment:.3f} s: {left}"
    with Watching(stack, "watch") as watch:
        watch.until("Watch enabled")
        eventually(lambda: within("sh", "-c", "tr -d b < /src/file | wc -c; ls -A /src") == "0\nfile\n")

"""Every page does what it says: its files are written, its commands run in order, and they show what it shows."""

from __future__ import annotations

import difflib
import shutil
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.debian import needs_debian
from tests.driver.local.image.registry.real import REGISTRY
from tests.driver.local.net.conftest import needs_network
from tests.examples.images import needs_busybox

from .page import Command, File, Untested, alike, is_shown, read_page

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = sorted(path.relative_to(DOCS) for kind in ("tutorial", "how-to") for path in (DOCS / kind).glob("*.md"))
SERVERS = {"tutorial/real-application.md"}
"""Pages with images of large servers."""
PRIVATE = {"how-to/private-registries.md", "how-to/share-a-stack.md"}
UNTESTED = {
    "$ sudo apt-get install python3-venv nftables git": "it changes the machine",
    "$ sudo python3 -m venv /opt/orchestra": "it downloads what Orchestra needs",
    "$ docker save shop:1 | orchestra image load": "it needs Docker's daemon",
    "$ find /var/lib/orchestra/volumes/shop_data/_data -mindepth 1 -delete": "it copies from Docker's volumes next",
    "$ podman save shop:1 | orchestra image load": "Podman would write to its own store of the machine",
    "$ podman volume export shop_data | tar -C /var/lib/orchestra/volumes/shop_data/_data -xp": "likewise",
    "$ sudo sysctl fs.inotify.max_user_watches=524288": "it changes the machine",
    "$ sudo orchestra enable --now": "it needs systemd as the first process",
    "$ orchestra -p shop recover": "it is for a machine that has just started",
    "$ orchestra up -d": "it is for a user without root, see tests/rootless",
    "$ sudo apt install uidmap passt nftables": "it changes the machine",
    "$ sudo mkdir -p /etc/systemd/system/user@.service.d": "it changes the machine",
    '$ sudo loginctl enable-linger "$USER"': "it needs the systemd of a user",
    "$ orchestra unshare ls -ln data": "it is for a user without root, see tests/rootless",
    "$ pip install 'orchestra[tui]'": "it downloads a package",
    "$ orchestra ui": "it is for keys at a terminal, see tests/tui",
    "$ pip install 'orchestra[api]'": "it downloads a package, and serves until it is stopped",
    "$ export DOCKER_HOST=unix:///run/orchestra/docker.sock": "it needs Docker's clients, see tests/engine_api",
    "$ sudo orchestra api --socket /run/shop.sock --read-only --stack shop": "it serves until it is stopped",
    "$ pip install 'orchestra[traces]'": "it needs a collector, see tests/traces",
    "$ sudo orchestra metrics --listen 127.0.0.1:9323": "it serves until it is stopped",
    "$ pip install 'orchestra[web]'": "it downloads a package, and serves until it is stopped",
    "$ orchestra web --read-only": "it serves until it is stopped",
    "$ orchestra web --url https://stack.example.com": "likewise",
    "$ orchestra --host ssh://root@server.example up -d": "it needs another machine, see tests/ssh",
    "$ orchestra --host ssh://root@server.example ui": "likewise",
    "$ orchestra create": "likewise",
    "$ ORCHESTRA_HOST= orchestra image save shop/web:1.4 > web.tar": "likewise",
    "$ ssh -L 7070:127.0.0.1:7070 server orchestra -p shop web": "it needs another machine",
    "$ sudo systemctl enable --now orchestra-api.socket": "it needs systemd as the first process",
}
"""The reasons, by the first line of the block."""

LOOKS = ("orchestra ps", "orchestra logs", "orchestra why", "orchestra status", "orchestra events --since", "curl ")
"""Commands that change nothing are repeated until they show what the page shows: a reader is slower than this."""
PATIENCE = 20.0
"""Seconds."""
MISSING = [name for name in ("bash", "curl", "skopeo", "systemd-analyze", "unshare") if not shutil.which(name)]
pytestmark = [
    *needs_busybox,
    *needs_network,
    pytest.mark.skipif(not REGISTRY, reason="needs docker-registry (Debian: docker-registry)"),
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]


def follow(text, shell, patience=PATIENCE):
    """Do what a page says. Fails at the first command that does something else.

    A command has to succeed, unless the page asks for its exit code next; 2 is success of ``plan``.
    """
    steps = read_page(text)
    commands = iter([step.text for step in steps if isinstance(step, Command)][1:])
    for step in steps:
        match step:
            case File(path, content):
                target = shell.folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(content)
            case Command(command, output):
                done = look(shell, command, output, patience) if command.startswith(LOOKS) else shell.run(command)
                if not is_shown(output, done.output):
                    pytest.fail(f"$ {command}\n{difference(output, done.output)}")
                allowed = {0, 2} if command.startswith("orchestra plan") else {0}
                assert next(commands, "") == "echo $?" or done.code in allowed, (
                    f"$ {command}\nexit code {done.code}, which the page does not mention\n{done.output}"
                )
            case Untested():
                pass


def look(shell, command, output, patience):
    deadline = time.monotonic() + patience
    while True:
        asked = time.monotonic()
        done = shell.run(command)
        if is_shown(output, done.output) or time.monotonic() > deadline:
            return done
        time.sleep(max(0.05, time.monotonic() - asked))


def difference(expected, actual):
    lines = (alike(text).splitlines() for text in (expected, actual))
    return "\n".join(difflib.unified_diff(*lines, "the page", "the command", lineterm="", n=100)) + f"\n\n{actual}"


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=needs_debian if page in SERVERS else []) for page in map(str, PAGES)]
)
def test_a_page_shows_what_its_commands_do(page, request, enter):
    registry = request.getfixturevalue("server_registry" if page in SERVERS else "registry")
    private = request.getfixturevalue("private_registries") if page in PRIVATE else nullcontext
    with enter(registry) as shell, private():
        follow((DOCS / page).read_text(), shell)


def test_blocks_that_are_not_run_are_known():
    first_lines = {
        step.text.partition("\n")[0]
        for page in PAGES
        for step in read_page((DOCS / page).read_text())
        if isinstance(step, Untested)
    }
    assert first_lines == UNTESTED.keys()


def page_fails(text, enter, registry):
    with enter(registry) as shell, pytest.raises((pytest.fail.Exception, AssertionError)) as failed:
        follow(text, shell, patience=0)
    return str(failed.value)


FIRST = (DOCS / "tutorial/first-stack.md").read_text()


def test_a_page_with_a_wrong_output_fails(enter, registry):
    wrong = FIRST.replace("not ready on this machine", "not on this machine")
    assert wrong != FIRST
    shown = page_fails(wrong, enter, registry)
    assert shown.startswith("$ orchestra plan\n")
    assert "-1. pull image/busybox:1.37 not on this machine" in shown


def test_a_page_with_a_wrong_file_fails(enter, registry):
    wrong = FIRST.replace("./site:/www:ro", "./sites:/www:ro")
    assert page_fails(wrong, enter, registry).startswith("$ curl http://localhost:8080\n")


def test_a_page_that_hides_a_failure_fails(enter, registry):
    failing = "```console\n$ orchestra config -q\n...\n```\n"
    assert "exit code 14" in page_fails(failing, enter, registry)


def test_a_page_may_show_the_code_of_a_failure(enter, registry):
    with enter(registry) as shell:
        follow("```console\n$ orchestra config -q\n...\n$ echo $?\n14\n```\n", shell)

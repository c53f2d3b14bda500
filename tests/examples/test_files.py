"""Configs and secrets in real containers: what is in them, whose they are, and that nobody else sees them."""

from __future__ import annotations

import os
import stat

import pytest

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]

STACK = """
services:
  web:
    image: "rootfs:/"
    user: "1000:1000"
    command: [sleep, infinity]
    stop_signal: SIGKILL
    configs: [{source: greeting, target: /srv/greeting}]
    secrets:
      - token
      - {source: key, target: /srv/key, uid: "1000", gid: "5", mode: 0400}
  other: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL}
configs: {greeting: {content: "hello $$you\\n"}}
secrets: {token: {environment: TOKEN}, key: {file: ./key}}
"""


@pytest.fixture
def stack(write_stack):
    made = write_stack(STACK, TOKEN="open sesame")
    key = made.file.parent / "key"
    key.write_text("k1")
    key.chmod(0o600)
    return made


def said(stack, *command: str) -> str:
    return stack.run("exec", "-T", "web", *command).stdout


def test_configs_and_secrets_are_there_and_for_their_owner(stack, tmp_path):
    stack.run("up", "-d")
    assert said(stack, "cat", "/srv/greeting", "/run/secrets/token", "/srv/key") == "hello $you\nopen sesamek1"
    assert said(stack, "stat", "-c", "%u:%g %a", "/srv/greeting", "/run/secrets/token", "/srv/key").splitlines() == [
        "0:0 444",
        "0:0 444",
        "1000:5 400",
    ]
    assert "Read-only file system" in stack.run("exec", "-u", "0", "-T", "web", "touch", "/srv/key", code=1).stderr

    # Below run/ nobody but root gets there, however readable the files themselves are.
    private = tmp_path / "home/run/stacks/stack/containers/stack-web-1"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert [path.read_text() for path in sorted((private / "files").iterdir())][1] == "open sesame"
    # What is wanted is kept on disk, secrets included: for root alone.
    kept = [path for path in (tmp_path / "home/data").rglob("*") if path.is_file() and not path.is_symlink()]
    holders = [path for path in kept if b"open sesame" in path.read_bytes()]
    assert holders
    assert not [path for path in holders if path.stat().st_mode & 0o077]
    stack.run("down")
    assert not private.exists()


def test_another_secret_is_another_container_and_no_output_shows_it(stack):
    stack.run("up", "-d")
    before = stack.containers()
    assert stack.run("plan", code=0)
    stack.environment["TOKEN"] = "close sesame"
    for command in (("plan",), ("plan", "--format", "json"), ("config",), ("ps", "-a", "--format", "json")):
        done = stack.run(*command, code=None)
        assert "sesame" not in done.stdout + done.stderr
    stack.run("up", "-d")
    after = stack.containers()
    assert said(stack, "cat", "/run/secrets/token") == "close sesame"
    assert {name for name in after if after[name]["ID"] != before[name]["ID"]} == {"web"}


def test_a_secret_without_its_variable_starts_nothing_and_says_so(stack):
    del stack.environment["TOKEN"]
    done = stack.run("up", "-d", code=None)
    assert done.returncode != 0
    assert "secret token is to be mounted at /run/secrets/token, but its variable is not set" in done.stderr
    assert "the variable TOKEN, which is to be mounted at /run/secrets/token, is not set" in done.stderr

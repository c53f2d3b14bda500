"""A user without root is told that root keeps its stacks in another home."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

USER = "1234567"
BECOME = (
    "mount -t tmpfs tmpfs /run\n"
    "mount -t tmpfs tmpfs /var/lib\n"
    'if [ -n "$ROOTS_HOME" ]; then mkdir "$ROOTS_HOME"; fi\n'
    # The interpreter may lie where only root can read.
    f"exec setpriv --reuid {USER} --regid {USER} --clear-groups "
    '--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search "$@"\n'
)

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be another user for a while"),
]


def run_as_user(directory, *arguments, roots_home="", **environment):
    environment = {key: value for key, value in os.environ.items() if key != "ORCHESTRA_HOME"} | environment
    return subprocess.run(
        ["unshare", "--mount", "sh", "-ec", BECOME, "sh", sys.executable, "-m", "orchestra", *arguments],
        env=environment | {"HOME": str(directory), "ROOTS_HOME": roots_home},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("-p", "s", "ps"), ("ls",), ("-p", "s", "logs"), ("-p", "s", "images")])
@pytest.mark.parametrize("roots_home", ["/run/orchestra", "/var/lib/orchestra"])
def test_a_user_without_stacks_gets_a_hint_to_roots(arguments, roots_home, tmp_path):
    done = run_as_user(tmp_path, *arguments, roots_home=roots_home)
    assert done.returncode == 0
    assert (
        done.stderr == f"note: only stacks of user {USER} are shown; run sudo orchestra {arguments[-1]} to see root's\n"
    )


@pytest.mark.parametrize("command", ["ps", "logs", "images"])
def test_a_hint_to_roots_stacks_comes_before_a_refused_service(command, tmp_path):
    done = run_as_user(tmp_path, "-p", "s", command, "web", roots_home="/run/orchestra")
    note, error, hint = done.stderr.splitlines()
    assert done.returncode == 1
    assert note.startswith(f"note: only stacks of user {USER} are shown")
    assert (error, hint) == ("error: no such service: web", "  hint: nothing is running")


def test_nothing_is_said_where_root_has_no_stacks_or_another_home_is_meant(tmp_path):
    assert run_as_user(tmp_path, "ls").stderr == ""
    assert run_as_user(tmp_path, "ls", roots_home="/run/orchestra", ORCHESTRA_HOME=f"{tmp_path}/home").stderr == ""

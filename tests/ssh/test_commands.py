"""Commands that are given here, on a stack of a second machine."""

from __future__ import annotations

from tests.ssh.conftest import needs_ssh

pytestmark = needs_ssh

STACK = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sh, -c, "cat /run/config; echo GREETING=$$GREETING; sleep infinity"]
    init: true
    env_file: [web.env]
    environment: {WORD: "${WORD:-none}"}
    stop_grace_period: 0s
    configs: [{source: text, target: /run/config}]
configs:
  text: {file: ./text.conf}
"""
FILES = {"web.env": "GREETING=hello\n", "text.conf": "from here\n"}


def test_a_stack_runs_there_with_the_files_and_variables_of_this_machine(write_remote_stack, server):
    stack = write_remote_stack(STACK, files=FILES, WORD="spoken")
    stack.run("up", "-d")
    assert stack.states() == {"web": "running"}
    assert (server.home / "run" / "stacks" / "stack").is_dir()
    assert stack.run("exec", "-T", "web", "sh", "-c", "echo $WORD; cat /run/config").stdout == "spoken\nfrom here\n"
    assert "GREETING=hello" in stack.run("logs", "--no-log-prefix").stdout
    assert stack.run("plan", code=0).stdout
    stack.run("down")
    assert stack.states() == {}

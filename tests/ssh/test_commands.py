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


def test_everything_that_a_load_reads_is_of_this_machine(write_remote_stack, server):
    text = """
name: ${NAME}
include: [more/other.yaml]
services:
  web:
    extends: {file: base.yaml, service: base}
    environment: [PASSED]
  job: {extends: {file: base.yaml, service: base}, profiles: [jobs], env_file: [job.env]}
"""
    files = {
        "base.yaml": "services: {base: {image: 'rootfs:/', stop_signal: KILL, command: [sleep, infinity]}}",
        "more/other.yaml": "services: {other: {image: 'rootfs:/', stop_signal: KILL, command: [sleep, '${WORD}']}}",
        "more/.env": "WORD=1000",
        ".env": "NAME=read-from-env-file\nCOMPOSE_PROGRESS=quiet\n",
        "job.env": "JOB=yes\n",
        "run.env": "MORE=${PASSED}\n",
    }
    stack = write_remote_stack(text, files=files, PASSED="passed")
    assert stack.run("up", "-d").stderr == ""
    assert stack.states() == {"web": "running", "other": "running"}
    assert stack.run("ls", "-q").stdout == "read-from-env-file\n"
    assert stack.run("exec", "-T", "web", "printenv", "PASSED").stdout == "passed\n"
    script = "echo $JOB $MORE $PASSED"
    words = ["--rm", "-T", "-e", "PASSED", "--env-from-file", f"{stack.folder}/run.env", "job", "sh", "-c", script]
    assert stack.run("run", *words).stdout == "yes passed passed\n"


def test_a_file_on_standard_input(write_remote_stack):
    stack = write_remote_stack(STACK, files=FILES)
    piped = stack.folder / "piped.yaml"
    piped.write_text(stack.file.read_text())
    stack.file = "-"
    with piped.open() as file, stack.start("up", "-d", stdin=file, cwd=piped.parent) as process:
        assert process.wait(60) == 0
    stack.file = piped
    assert stack.states() == {"web": "running"}


def test_a_preview_changes_nothing_there(write_remote_stack, server):
    stack = write_remote_stack(STACK, files=FILES)
    assert "container/stack-web-1" in stack.run("--dry-run", "up", "-d").stdout
    assert stack.states() == {}


def test_the_machine_is_told_by_the_option_before_the_variable(write_remote_stack, server):
    stack = write_remote_stack(STACK, files=FILES, ORCHESTRA_HOST="ssh://127.0.0.1:1")
    assert stack.run("-H", server.url, "ps", "-q").stdout == ""


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

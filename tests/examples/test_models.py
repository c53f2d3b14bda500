"""AI models, run by a program of Docker's protocol."""

from __future__ import annotations

import os

from tests.examples.conftest import needs_containers

pytestmark = needs_containers

RUNNER = """#!/bin/sh
echo "$@" >> @LOG@
case $1 in
  ls) echo '[{"id": "x", "tags": ["ai/here"]}]' ;;
  pull) [ "$2" != ai/broken ] || { echo noise >&2; echo "no such model" >&2; exit 3; } ;;
  status) echo '{"status": "running", "endpoint": "http://models:'$(cat @PORT@)'/"}' ;;
esac
"""
FILE = """
services:
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    init: true
    stop_signal: SIGKILL
    models: {small-one: {endpoint_var: AI, model_var: NAME}, big: }
models:
  small-one: {model: ai/here, context_size: 1024}
  big: {model: ai/big, runtime_flags: [--fast, "--depth=2"]}
  unused: {model: ai/unused}
"""
ASK = "echo $NAME $AI $BIG_MODEL $BIG_URL"


def test_services_are_told_their_models(write_stack, tmp_path):
    (tmp_path / "port").write_text("1")
    program = tmp_path / "docker-model"
    program.write_text(RUNNER.replace("@LOG@", f"{tmp_path}/log").replace("@PORT@", f"{tmp_path}/port"))
    program.chmod(0o755)
    stack = write_stack(FILE, PATH=f"{tmp_path}:{os.environ['PATH']}")
    told = stack.run("up", "-d").stderr
    assert "model big: pulling ai/big" in told
    assert "not applied" not in told
    names = "ai/here http://models:{0}/ ai/big http://models:{0}/\n"
    assert stack.run("exec", "web", "sh", "-c", ASK).stdout == names.format(1)
    calls = (tmp_path / "log").read_text().splitlines()
    assert calls == [
        "ls --json",
        "configure --context-size 1024 ai/here",
        "pull ai/big",
        "configure ai/big -- --fast --depth=2",
        "status --json",
    ]
    assert stack.run("plan").stdout == "nothing to do\n"
    (tmp_path / "port").write_text("2")
    assert stack.run("run", "--rm", "-T", "web", "sh", "-c", ASK).stdout == names.format(2)
    stack.run("up", "-d")
    assert stack.run("exec", "web", "sh", "-c", ASK).stdout == names.format(2)
    stack.write(FILE.replace("ai/big", "ai/broken"))
    assert "docker-model pull ai/broken: no such model" in stack.run("up", "-d", code=1).stderr


def test_without_a_runner_the_place_of_the_model_is_shown(write_stack, tmp_path):
    stack = write_stack(FILE, PATH="/usr/bin:/bin", HOME=str(tmp_path))
    told = stack.run("up", "-d", code=15).stderr
    assert "compose.yaml:10:3: 'models' support requires Docker Model plugin" in told
    assert "  10 |   small-one: {model: ai/here, context_size: 1024}" in told
    assert "no-model-runner" in told

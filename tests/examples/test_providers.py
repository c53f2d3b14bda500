"""Services that another program provides."""

from __future__ import annotations

import os

from tests.examples.conftest import needs_containers

pytestmark = needs_containers

PROVIDER = """#!/bin/sh
if [ "$2" = metadata ]; then
  echo '{"up": {"parameters": [{"name": "size"}]}, "down": {"parameters": []}}'
  exit
fi
echo "$@" >> @LOG@
if [ "$3" = up ]; then
  echo '{"type": "debug", "message": "hidden"}'
  echo '{"type": "info", "message": "making a database"}'
  echo '{"type": "setenv", "message": "URL=db://'$(cat @VALUE@)'"}'
  echo '{"type": "rawsetenv", "message": "RAW=1"}'
fi
"""
FILE = """
services:
  my-db: {provider: {type: awesome, options: {size: 256, color: red}}}
  web:
    image: "rootfs:BUSYBOX"
    command: [sleep, infinity]
    init: true
    depends_on: [my-db]
  other: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true}
"""


def test_variables_reach_those_that_depend_on_it(write_stack, tmp_path):
    (tmp_path / "value").write_text("one")
    program = tmp_path / "awesome"
    program.write_text(PROVIDER.replace("@LOG@", f"{tmp_path}/log").replace("@VALUE@", f"{tmp_path}/value"))
    program.chmod(0o755)
    stack = write_stack(FILE, PATH=f"{tmp_path}:{os.environ['PATH']}")
    told = stack.run("up", "-d").stderr
    assert "my-db: making a database" in told
    assert "hidden" not in told
    assert stack.run("exec", "web", "sh", "-c", "echo $MY_DB_URL $RAW").stdout == "db://one 1\n"
    assert stack.run("exec", "other", "sh", "-c", "echo $MY_DB_URL").stdout == "\n"
    assert stack.run("plan").stdout == "nothing to do\n"
    (tmp_path / "value").write_text("two")
    stack.run("up", "-d")
    assert stack.run("exec", "web", "sh", "-c", "echo $MY_DB_URL").stdout == "db://two\n"
    stack.run("down")
    up = "compose --project-name=stack up --size=256 my-db"
    assert (tmp_path / "log").read_text().splitlines() == [up, up, "compose --project-name=stack down my-db"]


def test_a_provider_that_fails_or_is_missing(write_stack, tmp_path):
    stack = write_stack(FILE, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert "service my-db: no provider awesome is in PATH" in stack.run("up", "-d", code=None).stderr
    program = tmp_path / "awesome"
    program.chmod(0o755) if program.exists() else program.touch(0o755)
    program.write_text('#!/bin/sh\n[ $2 = metadata ] || echo \'{"type": "error", "message": "no money"}\'\n')
    refused = stack.run("up", "-d", code=None)
    assert refused.returncode != 0
    assert "provider awesome failed to up: no money" in refused.stderr
    program.write_text("#!/bin/sh\necho hello\n")
    assert "wrote no message: hello" in stack.run("up", "-d", code=None).stderr
    assert stack.states() == {}

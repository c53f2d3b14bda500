"""What variables say in place of options, and ``--dry-run``."""

from __future__ import annotations

import json

import pytest

from orchestra.cli.parse import parse
from orchestra.cli.surroundings import settle
from orchestra.errors import UserError
from tests.examples.conftest import needs_containers

pytestmark = needs_containers

STACK = """
services:
  web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL, depends_on: [db]}
  db: {image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL, volumes: ["data:/data"]}
volumes: {data: }
"""
ORPHANED = """
services:
  web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], stop_signal: SIGKILL}
"""


def settled(line: str, **variables: str):
    invocation = parse(line.split())
    assert invocation is not None
    settle(invocation, variables)
    return invocation


def test_options_take_precedence_over_variables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settled("up").shared["progress"] == "auto"
    assert settled("up", COMPOSE_PROGRESS="plain").shared["progress"] == "plain"
    assert settled("--progress auto up", COMPOSE_PROGRESS="plain").shared["progress"] == "auto"
    assert settled("up", COMPOSE_ANSI="never").shared["ansi"] == "never"
    assert settled("--no-ansi up", COMPOSE_ANSI="always").shared["ansi"] == "never"
    assert settled("--ansi always up", COMPOSE_ANSI="never").shared["ansi"] == "always"
    assert settled("pull", COMPOSE_PARALLEL_LIMIT="2").shared["parallel"] == 2
    assert settled("--parallel -1 pull", COMPOSE_PARALLEL_LIMIT="2").shared["parallel"] == -1
    assert settled("--workdir /x up").shared["project_directory"] == "/x"


@pytest.mark.parametrize("value", ["1", "true", "True", "yes", "t", "y"])
def test_orphans_are_removed_or_ignored(tmp_path, monkeypatch, value):
    monkeypatch.chdir(tmp_path)
    assert settled("down", COMPOSE_REMOVE_ORPHANS=value).values["remove_orphans"] is True
    assert settled("up", COMPOSE_IGNORE_ORPHANS=value).shared["ignore_orphans"] is True
    assert settled("up", COMPOSE_IGNORE_ORPHANS="0").shared["ignore_orphans"] is False


@pytest.mark.parametrize(
    ("line", "variables", "message"),
    [
        ("up --remove-orphans", {"COMPOSE_IGNORE_ORPHANS": "1"}, "cannot combine COMPOSE_IGNORE_ORPHANS"),
        ("up", {"COMPOSE_ANSI": "no"}, "COMPOSE_ANSI is 'no'"),
        ("up", {"COMPOSE_PROGRESS": "bar"}, "COMPOSE_PROGRESS is 'bar'"),
        ("up", {"COMPOSE_PARALLEL_LIMIT": "many"}, "COMPOSE_PARALLEL_LIMIT is 'many'"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(tmp_path, monkeypatch, line, variables, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        settled(line, **variables)


def test_variables_may_stand_in_the_env_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("COMPOSE_PROGRESS=json\nCOMPOSE_REMOVE_ORPHANS=$YES\nYES=1\n")
    assert settled("up").shared["progress"] == "json"
    assert settled("up", YES="true").values["remove_orphans"] is True
    assert settled("up", COMPOSE_PROGRESS="plain").shared["progress"] == "plain"
    assert settled("up", COMPOSE_DISABLE_ENV_FILE="1").shared["progress"] == "auto"
    monkeypatch.chdir("/")
    assert settled(f"-f {tmp_path}/compose.yaml up").shared["progress"] == "json"
    assert settled("up").shared["progress"] == "auto"


def test_a_dry_run_shows_the_plan_and_changes_nothing(write_stack):
    stack = write_stack(STACK)
    planned = stack.run("plan", code=2).stdout
    assert stack.run("--dry-run", "up", "-d").stdout == planned
    assert stack.containers() == {}
    stack.run("up", "-d")
    assert stack.run("--dry-run", "up").stdout == "nothing to do\n"
    lines = stack.run("--dry-run", "down", "-v").stdout.splitlines()
    assert lines[0].startswith("1. ")
    assert sum("the stack goes down" in line for line in lines) == 5
    assert "asked to be removed with the stack" in lines[-1]
    assert "web" in stack.run("--dry-run", "down", "web").stdout
    assert stack.states() == {"web": "running", "db": "running"}
    assert "no such service: nix" in stack.run("--dry-run", "down", "nix", code=1).stderr
    assert "attach has no preview" in stack.run("--dry-run", "attach", "web", code=1).stderr
    copied = stack.run("--dry-run", "cp", "/etc/hostname", "web:/x").stdout
    assert copied == "copy   /etc/hostname to stack-web-1:/x\n"
    assert stack.run("--dry-run", "cp", "web:/x", "y").stdout == "copy   stack-web-1:/x to y\n"
    committed = stack.run("--dry-run", "commit", "web", "x").stdout
    assert committed == "commit container/stack-web-1  to image/docker.io/library/x:latest\n"
    exported = stack.run("--dry-run", "export", "-o", "x.tar", "web").stdout
    assert exported == "export container/stack-web-1  to x.tar\n"
    assert not list(stack.folder.glob("x*"))
    dry = [
        stack.run("--dry-run", *words).stdout for words in (["exec", "web", "rm", "-r", "/x"], ["pause"], ["unpause"])
    ]
    assert dry[0] == "exec   container/stack-web-1  rm -r /x\n"
    assert dry[1].splitlines() == ["pause  container/stack-db-1", "pause  container/stack-web-1"]
    assert dry[2] == "nothing to do\n"
    assert stack.run("--dry-run", "kill", "-s", "HUP", "web").stdout == (
        "kill   container/stack-web-1  with signal HUP\n"
    )
    assert "no such service" in stack.run("--dry-run", "kill", "nix", code=1).stderr
    shown = stack.run("--dry-run", "run", "--name", "one", "web", "true").stdout.splitlines()
    assert shown[-1].startswith("then run container/one  ")
    assert shown[-1].endswith("  true")
    assert stack.states() == {"web": "running", "db": "running"}
    assert stack.run("--dry-run", "ps", "--services").stdout == "db\nweb\n"


def test_a_dry_run_of_pull_and_push_names_the_images(write_stack):
    stack = write_stack("services: {a: {image: 'x.invalid/a:1'}, b: {image: 'x.invalid/a:1'}, c: {image: 'rootfs:/'}}")
    done = stack.run("--dry-run", "pull")
    assert done.stdout == "pull   image/x.invalid/a:1\n"
    assert "A directory needs no pull" in done.stderr
    assert stack.run("--dry-run", "push", "a").stdout == "push   image/x.invalid/a:1\n"
    assert stack.run("--dry-run", "push").stdout == "nothing to do\n"


def test_orphans_and_progress_follow_the_variables(write_stack):
    files = {".env": "COMPOSE_IGNORE_ORPHANS=1"}
    stack = write_stack(STACK, files=files, COMPOSE_PROGRESS="json", COMPOSE_STATUS_STDOUT="true")
    stack.run("up", "-d")
    stack.write(ORPHANED)
    done = stack.run("up", "-d")
    assert done.stderr == ""  # neither progress nor a warning
    stack.write(STACK)  # so that all of it goes at the end
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "done"


def test_names_of_containers_may_be_those_of_the_first_docker_compose(write_stack):
    stack = write_stack(ORPHANED, COMPOSE_COMPATIBILITY="1")
    stack.run("up", "-d")
    assert stack.containers()["web"]["Name"] == "stack_web_1"


def test_resources_that_no_service_uses_may_be_kept(write_stack):
    stack = write_stack("services: {web: {image: x}}\nnetworks: {unused: }\n")
    assert "unused" not in stack.run("config").stdout
    assert "unused" in stack.run("--all-resources", "config").stdout


def test_down_removes_images_on_demand(write_stack):
    stack = write_stack(ORPHANED)
    stack.run("up", "-d")
    for name in ("named:1", "stack-built"):
        stack.run("commit", "web", name)
    stack.write(ORPHANED.replace("rootfs:BUSYBOX", "named:1"))
    stack.run("up", "-d")
    stack.run("down", "--rmi", "local")
    assert "named" in stack.run("image", "ls").stdout
    stack.run("up", "-d")
    assert "image/named" not in stack.run("--dry-run", "pull", "--policy", "missing").stdout
    assert "remove image/named:1" in stack.run("--dry-run", "down", "--rmi", "all").stdout
    done = stack.run("down", "--rmi", "all")
    assert "Image named:1 Removed" in done.stderr
    assert "named" not in stack.run("image", "ls").stdout
    assert "stack-built" in stack.run("image", "ls").stdout
    stack.run("down", "--rmi", "all")


def test_a_dry_run_of_the_life_cycle_is_its_plan(write_stack):
    stack = write_stack(STACK)

    assert "container/stack-web-1" in stack.run("--dry-run", "create").stdout
    assert "start" not in stack.run("--dry-run", "create").stdout
    assert "has no container to start" in stack.run("--dry-run", "start", code=1).stderr
    stack.run("up", "-d")
    before = stack.containers()
    assert "stop   container/stack-web-1  asked to be stopped" in stack.run("--dry-run", "stop", "web").stdout
    assert "asked to be restarted" in stack.run("--dry-run", "restart", "web").stdout
    assert "container/stack-web-3" in stack.run("--dry-run", "scale", "web=3").stdout
    assert stack.run("--dry-run", "rm").stdout == "nothing to do\n"
    assert "remove container/stack-web-1" in stack.run("--dry-run", "rm", "-s", "web").stdout
    assert stack.run("--dry-run", "start").stdout == "nothing to do\n"
    assert {name: row["ID"] for name, row in stack.containers().items()} == {n: r["ID"] for n, r in before.items()}

"""Examples in help are command lines that work, and fit where they are shown."""

from __future__ import annotations

import os
import shlex
import tarfile

import pytest

from orchestra.cli import table
from orchestra.cli.examples import EXAMPLES
from orchestra.cli.parse import parse
from orchestra.cli.typed import run_typed
from tests import warm
from tests.cli.test_generated import typed

FILE = """
services:
  db: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true}
  web: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, depends_on: [db], ports: ["80"]}
"""
SCENARIOS = """
scenarios:
  a kill: {services: [db], steps: [{kill: db}]}
"""
LINES = [example.line for examples in EXAMPLES.values() for example in examples]
# Not run, with what each would need.
POD = "{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: web, image: web}]}}"
NOT_RUN = {
    "exec web sh": "a terminal",
    "run --rm web sh": "a terminal",
    "attach --no-stdin web": "a container that ends",
    "logs -f web db": "Ctrl-C",
    "events --json": "Ctrl-C",
    "api": "Ctrl-C",
    "api --read-only --stack shop --idle 60": "a minute",
    "metrics --listen 127.0.0.1:9323": "Ctrl-C",
    "web": "Ctrl-C",
    "web --read-only --listen 127.0.0.1:8080": "Ctrl-C",
    "stats": "Ctrl-C",
    "ui": "a terminal",
    "ui shop": "a terminal",
    "--dry-run deploy -n shop": "a cluster",
    "deploy --context test -n shop": "a cluster",
    "test": "what is run with -k",
    "watch": "Ctrl-C",
    "watch --no-up web": "Ctrl-C",
    "wait --down-project tests": "a service that ends",
    "unshare ls -ln ~/.local/share/orchestra/volumes": "another user than root",
    "unshare chown -R 0:0 data": "another user than root",
    "enable": "systemd",
    "enable --now": "systemd",
    "image pull --platform linux/arm64 alpine:3.20": "a registry",
    "image push localhost:5000/demo:1": "a registry",
    "publish registry.example.com/team/shop:1": "a registry",
}
# In the order of a stack's life.
FIRST = (
    "image import",
    "plan --out",
    "apply",
    "create",
    "up",
    "network disconnect",
    "network connect",
    "image save",
    "image tag",
    "volume create",
    "network create",
)
LAST = ("restart", "pause", "unpause", "stop", "start", "kill", "scale", "rollback", "rm", "volume rm", "down")
LAST += ("image rm", "image prune", "volume prune", "network rm", "network prune")


def rank(line):
    first = next((place for place, begin in enumerate(FIRST) if line.startswith(begin)), len(FIRST))
    last = next((place for place, begin in enumerate(LAST) if line.startswith(begin)), -1)
    return first, last


def test_every_command_and_group_has_an_example_and_nothing_else_has():
    assert set(EXAMPLES) == {"", *(command.name for command in table.COMMANDS), *table.GROUPS}
    assert all(1 <= len(examples) <= 2 for examples in EXAMPLES.values())
    assert len(set(LINES)) == len(LINES) - 3  # some groups repeat the example of a command
    assert set(NOT_RUN) <= set(LINES)


@pytest.mark.parametrize("name", EXAMPLES, ids=lambda name: name or "orchestra")
def test_an_example_is_understood_and_is_of_its_command(name):
    for example in EXAMPLES[name]:
        words = shlex.split(example.line)
        invocation = parse(words)
        assert invocation is not None, example.line
        assert invocation == typed(words)
        assert invocation.command.startswith(name)
        assert not example.meaning.endswith(".")


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("name", EXAMPLES, ids=lambda name: name or "orchestra")
def test_help_ends_with_the_examples_and_fits(name, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    assert run_typed([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert "..." not in shown.partition("\nCommands:")[2]
    shown_examples = shown.partition("\nExamples:\n")[2]
    for example in EXAMPLES[name]:
        assert f"  {example.command_line}\n    {example.meaning.split()[0]} " in shown_examples


def test_a_wide_terminal_is_used(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    run_typed(["up", "--help"])
    assert max(map(len, capsys.readouterr().out.splitlines())) > 80


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="containers need root")
@pytest.mark.timeout(180)
def test_examples_work(write_stack):
    stack = write_stack(FILE)
    for name in ("base.yaml", "prod.yaml"):
        (stack.folder / name).write_text(stack.file.read_text())
    (stack.folder / "Dockerfile").write_text(f"FROM rootfs:{stack.busybox_root} AS test\nARG A\nRUN true\n")
    (stack.folder / "db.scenario.yaml").write_text(SCENARIOS)
    with tarfile.open(stack.folder / "root.tar", "w") as archive:
        archive.add(stack.busybox_root, ".")
    (stack.folder / "k8s").mkdir()
    (stack.folder / "k8s" / "pod.yaml").write_text(POD)
    (stack.folder / "containers.json").write_text('[{"Name": "/web", "Config": {"Image": "web"}}]')
    failed = {}
    for line in sorted(set(LINES) - set(NOT_RUN), key=rank):
        done = warm.run(shlex.split(line), cwd=stack.folder, env=stack.environment)
        if done.returncode not in (0, *([2] if line.startswith("plan") else [])):
            failed[line] = done.stderr
    assert failed == {}

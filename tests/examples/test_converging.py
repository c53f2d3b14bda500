"""`up` changes exactly what must change, and a plan says so beforehand."""

from __future__ import annotations

import json
import os

import pytest

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]

STACK = """
services:
  a: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, environment: {COLOUR: "${COLOUR:-red}"}}
  b: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, volumes: ["kept:/kept"]}
  c: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL, depends_on: [b]}
volumes: {kept: {}}
"""


def ids(orchestra):
    return {service: row["ID"] for service, row in orchestra.containers().items()}


def test_a_second_up_has_nothing_to_do(write_stack):
    stack = write_stack(STACK)
    assert stack.run("plan", code=2).stdout
    stack.run("up", "-d")
    before = ids(stack)
    plan = stack.run("plan", "--format", "json", code=0)
    assert json.loads(plan.stdout)["rounds"] == []
    stack.run("up", "-d")
    assert ids(stack) == before


def test_a_changed_environment_replaces_exactly_that_container(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    before = ids(stack)
    stack.environment["COLOUR"] = "blue"
    assert "environment" in stack.run("plan", code=2).stdout or "changed" in stack.run("plan", code=2).stdout
    stack.run("up", "-d")
    after = ids(stack)
    assert {service for service in after if after[service] != before[service]} == {"a"}
    assert stack.run("exec", "-T", "a", "sh", "-c", "echo $COLOUR").stdout.strip() == "blue"


def test_down_keeps_volumes_and_down_v_removes_the_projects_own(write_stack, tmp_path):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    stack.run("exec", "-T", "b", "sh", "-c", "echo treasure > /kept/file")
    stack.run("down")
    kept = tmp_path / "home/data/volumes/stack_kept/_data/file"
    assert kept.read_text() == "treasure\n"
    stack.run("up", "-d")
    assert stack.run("exec", "-T", "b", "cat", "/kept/file").stdout == "treasure\n"
    stack.run("down", "-v")
    assert not kept.exists()


def test_scaling_adds_and_removes_replicas(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d", "--scale", "a=3")
    names = {json.loads(line)["Name"] for line in stack.run("ps", "--format", "json").stdout.splitlines()}
    assert {"stack-a-1", "stack-a-2", "stack-a-3"} <= names
    stack.run("up", "-d")
    names = {json.loads(line)["Name"] for line in stack.run("ps", "--format", "json").stdout.splitlines()}
    assert names == {"stack-a-1", "stack-b-1", "stack-c-1"}


def test_a_service_taken_out_of_the_file_is_an_orphan_until_asked(write_stack):
    stack = write_stack(STACK)
    stack.run("up", "-d")
    stack.file.write_text(STACK.replace("  c: {", "  d: {"))
    done = stack.run("up", "-d")
    assert "stack-c-1" in done.stderr
    assert "c" in stack.containers()
    stack.run("up", "-d", "--remove-orphans")
    assert set(stack.containers()) == {"a", "b", "d"}

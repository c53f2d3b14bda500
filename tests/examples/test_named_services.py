"""Services named on the command line, with real containers: what is touched, and what is left alone."""

from __future__ import annotations

import os

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.scenario,
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
]

SLEEP = 'image: "rootfs:/", command: [sleep, "1000"], stop_signal: SIGKILL'
PAIR = f"""
services:
  db: {{{SLEEP}, environment: {{COLOUR: "${{COLOUR:-red}}"}}}}
  web: {{{SLEEP}, depends_on: [db], environment: {{COLOUR: "${{COLOUR:-red}}"}}}}
"""


def ids(stack):
    return {service: row["ID"] for service, row in stack.containers().items()}


def test_no_deps_refused(write_stack):
    stack = write_stack(PAIR)
    stack.run("up", "-d")
    before = ids(stack)
    assert "web-1 Running" in stack.run("up", "-d", "--no-deps", "web").stderr
    assert stack.run("plan", "--no-deps", "web").stdout == "nothing to do\n"
    stack.environment["COLOUR"] = "blue"
    assert "db" not in stack.run("plan", "--no-deps", "web", code=2).stdout.replace("db has started", "")
    assert "db-1" not in stack.run("up", "-d", "--no-deps", "web").stderr
    after = ids(stack)
    assert after["db"] == before["db"]
    assert after["web"] != before["web"]


def test_without_its_dependencies_a_service_starts_from_nothing(write_stack):
    sides = (
        f"  side: {{{SLEEP}, network_mode: 'service:web', profiles: [x]}}\n"
        f"  lender: {{{SLEEP}, volumes_from: [db], profiles: [x]}}\n"
    )
    stack = write_stack(PAIR + sides)
    stack.run("up", "-d", "--no-deps", "web")
    assert set(ids(stack)) == {"web"}
    stack.run("up", "-d", "--no-deps", "side")
    refused = stack.run("up", "-d", "--no-deps", "lender", code=1).stderr
    assert "cannot share volume with service db: container missing" in refused
    assert set(ids(stack)) == {"web", "side"}


def test_force_recreate_takes_dependencies(write_stack):
    stack = write_stack(PAIR)
    stack.run("up", "-d")
    before = ids(stack)
    stack.run("up", "-d", "--force-recreate", "web")
    after = ids(stack)
    assert after["db"] == before["db"]
    assert after["web"] != before["web"]
    stack.run("up", "-d", "--always-recreate-deps", "web")
    last = ids(stack)
    assert last["db"] != after["db"]
    assert last["web"] == after["web"]


def test_existing_containers_stay_as_they_are_when_that_is_asked_for(write_stack):
    stack = write_stack(PAIR)
    stack.run("up", "-d", "web")
    before = ids(stack)
    stack.environment["COLOUR"] = "blue"
    assert stack.run("plan", "--no-recreate").stdout == "nothing to do\n"
    stack.run("up", "-d", "--no-recreate")
    assert ids(stack) == before
    assert "cannot be combined" in stack.run("up", "--no-recreate", "--force-recreate", code=1).stderr
    stack.run("up", "-d")
    assert not set(ids(stack).values()) & set(before.values())


def test_renamed_service_with_container_name(write_stack):
    stack = write_stack(f"services:\n  web: {{{SLEEP}, container_name: nc-fixed}}\n")
    stack.run("up", "-d")
    stack.file.write_text(stack.file.read_text().replace("  web:", "  site:"))
    planned = stack.run("plan", code=2).stdout
    assert "stop   container/nc-fixed  to be replaced: it belongs to service web" in planned
    said = stack.run("up", "-d").stderr
    assert "Container nc-fixed Started" in said
    assert "orphan" not in said
    assert set(ids(stack)) == {"site"}
    stack.run("exec", "-T", "site", "true")
    assert "Container nc-fixed Removed" in stack.run("down").stderr
    assert ids(stack) == {}


def test_two_services_swap_their_container_names(write_stack):
    services = f"a: {{{SLEEP}, container_name: NAME1}}", f"b: {{{SLEEP}, depends_on: [a], container_name: NAME2}}"
    text = f"services: {{{', '.join(services)}}}\n"
    stack = write_stack(text.replace("NAME1", "one").replace("NAME2", "two"))
    stack.run("up", "-d")
    stack.file.write_text(text.replace("NAME1", "two").replace("NAME2", "one"))
    assert "service b still has it" in stack.run("up", "-d", "a", code=1).stderr
    stack.run("up", "-d")
    assert {service: row["Name"] for service, row in stack.containers().items()} == {"a": "two", "b": "one"}


def test_a_container_name_is_a_stacks_own(write_stack):
    text = f"services:\n  web: {{{SLEEP}, container_name: fixed}}\n"
    first, second = write_stack(text, "first"), write_stack(text, "second")
    first.run("up", "-d")
    second.run("up", "-d")
    second.run("down")
    assert first.containers()["web"]["State"] == "running"


def test_a_namespace_of_a_service_with_a_container_name_is_found(write_stack):
    services = f"web: {{{SLEEP}, container_name: fixed}}", f"side: {{{SLEEP}, pid: 'service:web', ipc: 'service:web'}}"
    stack = write_stack(f"services: {{{', '.join(services)}}}\n")
    stack.run("up", "-d")
    assert stack.run("exec", "-T", "side", "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline").stdout == "sleep 1000 "
    assert len(stack.run("exec", "-T", "side", "sh", "-c", "ls -d /proc/[0-9]*").stdout.split()) >= 2


def test_renew_anon_unchanged(write_stack):
    stack = write_stack(f"services:\n  a: {{{SLEEP}, volumes: [/data]}}\n  b: {{{SLEEP}}}\n")
    stack.run("up", "-d")
    before = ids(stack)
    stack.run("exec", "-T", "a", "touch", "/data/stamp")
    assert "its anonymous volumes are to be renewed" in stack.run("plan", "-V", code=2).stdout
    stack.run("up", "-d", "-V")
    assert stack.run("exec", "-T", "a", "ls", "/data").stdout == ""
    assert ids(stack)["b"] == before["b"]


def test_what_cannot_be_named_is_said(write_stack):
    stack = write_stack(PAIR + f"  tool: {{{SLEEP}, profiles: [debug]}}\n")
    for command in (["up", "-d"], ["plan"], ["plan", "--offline"]):
        said = stack.run(*command, "wbe", code=1).stderr
        assert "no such service: wbe" in said
        assert "did you mean web?" in said
    stack.run("up", "-d", "tool")
    assert set(ids(stack)) == {"tool"}
    stack.run("up", "-d")
    assert set(ids(stack)) == {"db", "web", "tool"}, "what no active profile enables is left alone"
    assert "3.  " not in stack.run("plan").stdout
    stack.run("down")
    assert ids(stack) == {}

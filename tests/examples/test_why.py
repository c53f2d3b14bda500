"""``why`` on real containers that have gone wrong in many ways at once."""

from __future__ import annotations

import json
import socket

from tests.examples.conftest import eventually, needs_containers
from tests.ports import free_port

pytestmark = needs_containers

FILE = """
x-base: &base {image: "rootfs:/", stop_signal: SIGKILL}
services:
  ok: {<<: *base, command: sleep 1000}
  job: {<<: *base, command: "true"}
  busy: {<<: *base, command: "sh -c \\"echo 'bind() failed (98: Address already in use)' >&2; exit 3\\""}
  absent: {<<: *base, command: no-such-program}
  oom:
    <<: *base
    mem_limit: 16m
    memswap_limit: 16m
    command: ["sh", "-c", "x=x; while :; do x=$$x$$x; done"]
  db:
    <<: *base
    command: sleep 1000
    healthcheck: {test: "echo no answer; exit 1", interval: 100ms, retries: 2}
  web: {<<: *base, command: sleep 1000, depends_on: {db: {condition: service_healthy}}}
  front: {<<: *base, command: sleep 1000, depends_on: [web]}
  misspelt: {<<: *base, command: ["sh", "-c", "echo getaddrinfo ENOTFOUND dbb; exit 1"]}
  far: {<<: *base, command: ["sh", "-c", "echo \\"bad address 'lonely'\\"; exit 1"]}
  lonely: {<<: *base, command: sleep 1000, networks: [other]}
  missing: {<<: *base, image: "oci:./nowhere"}
  port: {<<: *base, command: sleep 1000, ports: ["127.0.0.1:${PORT}:80"]}
  optional: {<<: *base, profiles: [more]}
networks: {other: }
"""

CAUSES = {
    "busy": ("busy-1", "it wants a port that another program uses"),
    "absent": ("absent-1", "no-such-program"),
    "oom": ("oom-1", "needed more memory than its limit of 16 MiB"),
    "db": ("db-1", "is unhealthy: echo no answer; exit 1 failed"),
    "web": ("db-1", "is unhealthy"),
    "front": ("db-1", "is unhealthy"),
    "misspelt": ("misspelt-1", "does not find the name dbb"),
    "far": ("far-1", "does not find the name lonely"),
    "missing": ("image/oci:", "does not exist"),
    "port": ("port-1", "in use"),
}


def test_the_first_cause_of_each_of_many_faults_is_named(write_stack):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        stack = write_stack(FILE, PORT=str(port))
        stack.run("up", "-d", code=1)
        eventually(lambda: stack.states()["oom"] == "exited")
        found = {each["service"]: each for each in json.loads(stack.run("why", "--format", "json", code=1).stdout)}
    assert found.keys() == CAUSES.keys()
    for service, (subject, words) in CAUSES.items():
        cause = found[service]["cause"]
        assert subject in cause["subject"], service
        assert words in cause["what"], service
    assert found["misspelt"]["cause"]["hint"] == "did you mean db?"
    assert "share no network" in found["far"]["cause"]["hint"]

    told = stack.run("why", "front", "ok", code=1).stdout
    assert told.startswith(f"front: because {stack.folder.name}-db-1 is unhealthy")
    assert f"{stack.folder.name}-ok-1 runs since" in told
    for quiet in ("ok", "job", "optional"):
        stack.run("why", quiet)
    assert "did you mean" in stack.run("why", "fronte", code=1).stderr

    stack.write(FILE.replace("no answer; exit 1", "fine now"))
    stack.run("up", "-d", "--no-deps", "db")
    stack.write(FILE.replace("no answer; exit 1", "worse than ever; exit 4"))
    stack.run("up", "-d", "--no-deps", "--wait", "db", code=1)
    told = stack.run("why", "db", code=1).stdout
    assert "revision 3 (root: up db) changed it:" in told
    assert "healthcheck.test" in told

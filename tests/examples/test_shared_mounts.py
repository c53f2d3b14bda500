"""What containers mount of each other, and how they see the host: in real containers."""

from __future__ import annotations

import json
import os

from tests.examples.conftest import needs_containers

pytestmark = needs_containers

SLEEP = 'image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, stop_signal: SIGKILL'


def inside(stack, service, script):
    return stack.run("exec", "-T", service, "sh", "-c", script).stdout


def test_volumes_from_shares_anonymous_volumes_also_of_containers_of_other_stacks(write_stack):
    lender = f"db: {{{SLEEP}, volumes: [{{type: volume, target: /own, volume: {{labels: {{kind: cache}}}}}}]}}"
    stack = write_stack(f"""
services:
  {lender}
  side: {{{SLEEP}, volumes_from: [db]}}
  last: {{{SLEEP}, volumes_from: [side:ro]}}
""")
    stack.run("up", "-d")
    inside(stack, "db", "echo kept > /own/file")
    assert inside(stack, "side", "cat /own/file") == "kept\n"
    assert inside(stack, "last", "cat /own/file; touch /own/no 2>/dev/null || echo refused") == "kept\nrefused\n"
    (volume,) = (stack.home / "data/volumes").iterdir()
    assert json.loads((volume / "volume.json").read_text())["labels"] == {"kind": "cache"}

    other = write_stack(f"services: {{web: {{{SLEEP}, volumes_from: ['container:stack-db-1']}}}}", name="other")
    other.run("up", "-d")
    assert inside(other, "web", "cat /own/file") == "kept\n"
    other.run("down", "-v")
    # Neither the other stack nor a service that only borrows a volume deletes it.
    stack.run("rm", "-s", "-f", "-v", "side")
    assert inside(stack, "db", "cat /own/file") == "kept\n"

    stack.run("up", "-d", "--force-recreate")
    assert inside(stack, "side", "cat /own/file") == "kept\n"


def test_a_container_may_have_the_control_group_namespace_of_the_host(write_stack):
    stack = write_stack(f"services: {{a: {{{SLEEP}, cgroup: host}}, b: {{{SLEEP}, cgroup: private}}}}")
    stack.run("up", "-d")
    host = os.readlink("/proc/self/ns/cgroup")
    assert inside(stack, "a", "readlink /proc/self/ns/cgroup").strip() == host
    assert inside(stack, "b", "readlink /proc/self/ns/cgroup").strip() != host


def test_an_external_link_is_a_name_of_one_container(write_stack):
    network = "networks: {default: {name: shared"
    first = write_stack(f"services: {{db: {{{SLEEP}}}}}\n{network}}}}}", name="first")
    first.run("up", "-d")
    second = write_stack(
        f"services: {{a: {{{SLEEP}, external_links: ['first-db-1:mysql']}}, b: {{{SLEEP}}}}}\n"
        f"{network}, external: true}}}}",
        name="second",
    )
    second.run("up", "-d")
    address = first.run("exec", "-T", "db", "hostname", "-i").stdout.strip()
    assert address in inside(second, "a", "nslookup mysql. 2>&1; true")
    assert address not in inside(second, "b", "nslookup mysql. 2>&1; true")
    second.run("down")

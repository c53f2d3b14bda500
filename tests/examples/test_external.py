"""What a file takes from elsewhere, and this machine does not have."""

from __future__ import annotations

from tests.examples.conftest import needs_containers

pytestmark = needs_containers


def test_an_external_secret_and_a_device_that_nothing_describes(write_stack):
    stack = write_stack("""
services:
  good: {image: "rootfs:BUSYBOX", command: [sleep, infinity], init: true, userns_mode: host}
  vault: {image: "rootfs:BUSYBOX", command: "true", secrets: [token]}
  render: {image: "rootfs:BUSYBOX", command: "true", gpus: [{driver: nosuch}]}
secrets:
  token: {external: true}
""")
    told = stack.run("up", "-d", code=1).stderr
    assert "unsupported external secret token" in told
    assert "give it a file, content or environment" in told
    assert 'could not select device driver "nosuch" with capabilities: [[gpu]]' in told
    assert "not applied" not in told
    assert stack.states()["good"] == "running"

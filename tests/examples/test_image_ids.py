"""Images by their id: found on this machine, never pulled."""

from __future__ import annotations

import json

from tests.examples.images import busybox, needs_busybox

pytestmark = needs_busybox


def test_a_service_may_name_its_image_by_an_id_or_the_beginning_of_one(write_stack, tmp_path):
    reference = busybox(tmp_path / "image", {"Cmd": ["sleep", "1000"], "StopSignal": "SIGKILL"})
    stack = write_stack("services: {a: {image: '${IMAGE}', pull_policy: '${POLICY}'}}", IMAGE="", POLICY="always")
    stack.run("image", "pull", reference)
    (row,) = json.loads(stack.run("image", "inspect", reference).stdout)
    digest = row["Id"]
    for image in (digest, digest.removeprefix("sha256:"), digest[7:19], digest[:13]):
        stack.environment["IMAGE"] = image
        stack.run("up", "-d")
        assert stack.containers()["a"]["Image"] == image
        assert stack.states()["a"] == "running"
    assert "Recreate" not in stack.run("up", "-d").stderr
    stack.environment["IMAGE"] = f"sha256:{'0' * 64}"
    told = stack.run("up", "-d", code=1).stderr
    assert f"image sha256:{'0' * 64} is not on this machine" in told
    assert "an image cannot be pulled by its ID" in told

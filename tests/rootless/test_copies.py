"""Where the kernel refuses overlays, containers have copies of their images: the same must hold of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.driver.local.image.making import OCI, Made, directory, entry, hard_link, layer, link
from tests.driver.local.image.registry.faulty import Registry, serving
from tests.shim.conftest import eventually

pytestmark = pytest.mark.timeout(600)

STACK = """
services:
  one: {{image: {reference}, hostname: one, volumes: ["vol:/data"]}}
  two: {{image: {reference}, hostname: two}}
  kept: {{image: {reference}, userns_mode: keep-id, user: "0"}}
volumes: {{vol: {{}}}}
"""
SHOWN = "stat -c '%u %g %a %h %n' /bin/sh /bin/stat /data/one /data/two /dir/*; ls /; exec sleep 1000"


def make_image(registry, *, whiteouts):
    """whiteouts: with a deleted file. On overlayfs itself nothing can make the device that stands for one."""
    busybox = Path(shutil.which("busybox")).read_bytes()
    below = [directory("bin"), entry("bin/sh", content=busybox, mode=0o4755), directory("dir")]
    below += [link(f"bin/{name}", "sh") for name in ("stat", "sleep", "ls", "touch", "cat", "rm")]
    below += [entry("dir/hidden"), directory("data", uid=33), entry("data/one")]
    above = [entry("data/one", uid=33, gid=34, content=b"x"), hard_link("data/two", "data/one")]
    above += [directory("dir"), entry("dir/.wh..wh..opq"), entry("dir/shown")]
    if whiteouts:
        below, above = [*below, entry("gone")], [*above, entry(".wh.gone")]
    made = Made()
    layers = [layer(*below), layer(*above)]
    return registry.put(made, made.image(layers, config={"Cmd": ["sh", "-c", SHOWN]}, layer_type=f"{OCI}.layer.v1.tar"))


@pytest.mark.parametrize("overlays", [True, False])
def test_a_container_sees_its_image_and_what_it_writes_dies_with_it(make_plain, overlays):
    plain = make_plain(overlays=overlays)
    with serving(Registry()) as registry:
        plain.write(STACK.format(reference=make_image(registry, whiteouts=overlays)))
        told = plain.orchestra("up", "-d").stderr
    assert ("warning: containers get copies of their images" in told) is not overlays
    state = "ok" if overlays else "limited"
    (fact,) = [line for line in plain.orchestra("doctor").stdout.splitlines() if "overlayfs" in line and state in line]
    assert fact

    for service in ("one", "two", "kept"):
        said = eventually(
            lambda each=service: (text := plain.orchestra("logs", "--no-log-prefix", each).stdout) and text
        )
        assert said.splitlines()[:5] == [
            "0 0 4755 1 /bin/sh", "0 0 777 1 /bin/stat", "33 34 644 2 /data/one", "33 34 644 2 /data/two",
            "0 0 644 1 /dir/shown",
        ]  # fmt: skip
        assert "gone" not in said
    plain.orchestra("exec", "one", "sh", "-c", "touch /new /data/new; rm /dir/shown")
    plain.orchestra("exec", "two", "stat", "/dir/shown")
    plain.orchestra("exec", "two", "stat", "/new", code=1)
    plain.orchestra("restart", "-t", "1", "one")
    plain.orchestra("exec", "one", "stat", "/new")

    plain.orchestra("commit", "one", "made:1")
    plain.write(
        "services: {made: {image: 'made:1', pull_policy: never, command: [sh, -c, 'ls / /dir; sleep 1000']}}",
        "stack/made.yaml",
    )
    plain.orchestra("-f", "made.yaml", "-p", "made", "up", "-d")
    said = eventually(lambda: plain.orchestra("-f", "made.yaml", "-p", "made", "logs", "--no-log-prefix").stdout)
    assert "new" in said.split()
    assert not {"shown", "gone", "hidden"} & set(said.split())
    plain.orchestra("-f", "made.yaml", "-p", "made", "down")

    plain.orchestra("up", "-d", "--force-recreate", "one")
    plain.orchestra("exec", "one", "stat", "/new", code=1)
    plain.orchestra("exec", "one", "stat", "/data/new", "/dir/shown")
    plain.orchestra("down", "-v")
    eventually(lambda: not plain.processes(), 60)


def test_what_needs_overlays_is_refused(make_plain):
    plain = make_plain(overlays=False)
    plain.write("FROM scratch\nCOPY compose.yaml /\n", "stack/Dockerfile")
    plain.write("services: {one: {build: .}}")
    assert "the kernel refuses to overlay their layers" in plain.orchestra("build", code=None).stderr

"""`down` removes what it can, says what it cannot remove and why, and its exit code tells."""

from __future__ import annotations

import os
import shutil

import pytest

from orchestra.linux.mounts import mount
from orchestra.linux.network import libnftables
from tests.examples.conftest import eventually

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]

WEB = 'services: {web: {image: "rootfs:/", command: [sleep, infinity], stop_signal: SIGKILL}}\n'
GUEST = WEB + "networks: {default: {external: true, name: owner_default}}\n"


def test_a_network_that_another_stack_still_uses_stays_and_is_named(write_stack):
    owner, guest = write_stack(WEB, "owner"), write_stack(GUEST, "guest")
    owner.run("up", "-d")
    guest.run("up", "-d")
    done = owner.run("down")
    assert "Network owner_default Resource is still in use" in done.stderr
    assert "network owner_default is still in use by container guest-web-1 of stack guest" in done.stderr
    assert "error" not in done.stderr.lower()
    assert owner.containers() == {}
    assert guest.containers()["web"]["State"] == "running"
    assert "guest-web-1 of stack guest" in owner.run("down").stderr
    guest.run("down")
    owner.run("down")
    assert not [name for name in os.listdir("/sys/class/net") if name.startswith("or-")]


def test_what_another_stack_used_goes_once_nothing_uses_it(write_stack):
    """Without another `down`: its supervisor, which serves the network meanwhile, leaves with it."""
    owner, guest = write_stack(WEB, "owner"), write_stack(GUEST, "guest")
    owner.run("up", "-d")
    guest.run("up", "-d")
    owner.run("down")
    guest.run("down")
    eventually(lambda: not (owner.home / "data/stacks/owner/desired.json").exists(), seconds=60)


def test_what_cannot_be_removed_is_named_with_the_reason(write_stack, tmp_path):
    stack = write_stack(WEB)
    stack.run("up", "-d")
    (directory,) = (tmp_path / "home/run/stacks/stack/containers").iterdir()
    (directory / "kept").mkdir()
    mount.mount("tmpfs", str(directory / "kept"), "tmpfs")
    try:
        done = stack.run("down", code=1)
        assert "container stack-web-1" in done.stderr
        assert str(directory) in done.stderr or "busy" in done.stderr.lower()
    finally:
        mount.unmount(str(directory / "kept"))
    stack.run("down")
    assert stack.containers() == {}


def test_a_removal_that_failed_half_way_is_not_said_to_be_done(write_stack, tmp_path):
    """The rules of a network cannot be removed: there is no library that does so, and the program fails."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / libnftables.LIBRARY).touch()
    fake, luck = programs / "nft", programs / "luck"
    luck.touch()
    fake.write_text(
        "#!/bin/sh\nunset LD_LIBRARY_PATH\n"
        f"[ -e {luck} ] && exec {shutil.which('nft')} \"$@\"\necho 'nft: out of luck' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    stack = write_stack(WEB, PATH=f"{programs}:{os.environ['PATH']}", LD_LIBRARY_PATH=str(programs))
    stack.run("up", "-d")
    luck.unlink()
    done = stack.run("down", code=1)
    assert "out of luck" in done.stderr
    luck.touch()
    stack.run("down")

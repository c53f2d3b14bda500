"""``build --builder``: another program builds, and its image is used like one of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from tests.examples.conftest import needs_containers

pytestmark = [*needs_containers, pytest.mark.skipif(not shutil.which("buildah"), reason="needs buildah")]

STACK = """
services:
  web:
    build:
      context: .
      args: {GREETING: hello}
      secrets: [token]
      additional_contexts: {other: more}
    stop_signal: SIGKILL
  plain:
    build:
      dockerfile_inline: |
        FROM base
        LABEL colour=green
      additional_contexts: {base: "service:web"}
secrets:
  token: {environment: TOKEN}
"""
DOCKERFILE = """\
FROM localhost/root:1
ARG GREETING
COPY --from=other /file /
RUN --mount=type=secret,id=token grep -qx "hidd.n" /run/secrets/token && echo $GREETING > /greeting
HEALTHCHECK --interval=1h CMD true
CMD ["sleep", "600"]
"""


@pytest.fixture
def stack(write_stack, busybox_root, tmp_path):
    """buildah has a store of its own, with the root file system of busybox in it."""
    settings = tmp_path / "storage.conf"
    settings.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/root"\nrunroot = "{tmp_path}/run"\n')
    # crun refuses machines with both versions of cgroups.
    own = {"CONTAINERS_STORAGE_CONF": str(settings), "BUILDAH_ISOLATION": "chroot"}
    script = 'n=$(buildah from scratch) && buildah add -q "$n" "$0" / && buildah commit -q "$n" localhost/root:1'
    subprocess.run(
        ["sh", "-ec", script, busybox_root], env={**os.environ, **own}, check=True, stdout=subprocess.DEVNULL
    )
    files = {"Dockerfile": DOCKERFILE, "more/file": "from elsewhere"}
    return write_stack(STACK, files=files, TOKEN="hidden", ORCHESTRA_BUILDER="buildah", **own)


def test_buildah_builds_for_a_stack(stack):
    up = stack.run("up", "-d", "web")
    assert "STEP 4/8: RUN" in up.stderr
    assert "hidden" not in up.stderr
    assert stack.run("exec", "-T", "web", "cat", "/greeting", "/file").stdout.split() == ["hello", "from", "elsewhere"]
    stack.run("build", "plain")
    [found] = json.loads(stack.run("image", "inspect", "stack-plain").stdout)
    assert found["Config"]["Labels"]["colour"] == "green"
    # What only Docker's form of an image has.
    assert found["Config"]["Healthcheck"]["Test"] == ["CMD-SHELL", "true"]
    assert stack.run("image", "fsck").returncode == 0


def test_a_failed_build_is_told(stack):
    (stack.folder / "Dockerfile").write_text("FROM localhost/root:1\nRUN exit 3\n")
    failed = stack.run("build", "web", code=1)
    assert "buildah build: exit code" in failed.stderr
    assert stack.run("image", "ls", "-q").stdout == ""

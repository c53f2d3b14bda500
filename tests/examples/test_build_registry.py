"""Images that were built go to a registry and come back as they were, and are bases of builds elsewhere."""

from __future__ import annotations

import json

import pytest

from tests.driver.local.image.making import Made, layer
from tests.driver.local.image.registry.real import REGISTRY, running
from tests.examples.conftest import Orchestra, needs_containers
from tests.examples.images import busybox_layer

pytestmark = [*needs_containers, pytest.mark.skipif(not REGISTRY, reason="needs docker-registry")]

FIRST = """\
FROM oci:base
RUN echo first > /first && mkdir /empty
ONBUILD RUN echo triggered > /triggered
LABEL made=here
CMD ["cat", "/first"]
"""
SECOND = """\
FROM HOST/first:1
RUN cat /first /triggered > /second
COPY --from=HOST/first:1 /first /copied
"""


def inspect(stack, name):
    [found] = json.loads(stack.run("image", "inspect", name).stdout)
    return found["Id"], found["Config"], found["RootFS"]["Layers"], found["RepoDigests"]


def test_what_was_built_is_pushed_pulled_and_built_upon(tmp_path):
    context = tmp_path / "context"
    context.mkdir()
    made = Made()
    made.name(made.image([busybox_layer(), layer()], config={"Env": ["PATH=/bin"]})).write(context / "base")
    here, there = (Orchestra(context / "compose.yaml", tmp_path / name) for name in ("here", "there"))
    with running(tmp_path / "registry") as host:
        (context / "Dockerfile").write_text(FIRST)
        here.run("image", "build", "-q", "-t", f"{host}/first:1", str(context))
        here.run("image", "push", "-q", f"{host}/first:1")
        (context / "Dockerfile").write_text(SECOND.replace("HOST", host))
        there.run("image", "build", "-q", "-t", f"{host}/second:1", str(context))
        there.run("image", "push", "-q", f"{host}/second:1")
        here.run("image", "pull", "-q", f"{host}/second:1")
        for name in ("first", "second"):
            assert inspect(here, f"{host}/{name}:1") == inspect(there, f"{host}/{name}:1")
    # The registry is gone: what is here already is enough, and what is not is said.
    (context / "Dockerfile").write_text(f"FROM {host}/second:1\nRUN grep -c first /second /copied > /third\n")
    here.run("image", "build", "-q", str(context))
    (context / "Dockerfile").write_text(f"FROM {host}/third:1\n")
    failed = here.run("image", "build", "-q", str(context), code=None)
    assert failed.returncode != 0
    assert f"registry {host} cannot be reached" in failed.stderr
    assert here.run("image", "fsck").returncode == 0

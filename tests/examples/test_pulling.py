"""When ``up`` asks a registry, and as whom: real registries, and containers that say which image they are."""

from __future__ import annotations

import os

import pytest

from orchestra.driver.local.image.library import Library
from orchestra.driver.local.image.registry import Access
from orchestra.home import Home
from orchestra.model.desired import ImageSpec
from tests.driver.local.image.making import entry
from tests.driver.local.image.registry.real import OPENSSL, REGISTRY, log_in, running, running_closed
from tests.examples.images import busybox, needs_busybox

pytestmark = [
    *needs_busybox,
    pytest.mark.skipif(not REGISTRY, reason="needs docker-registry (Debian: docker-registry)"),
]

FILE = """
services:
  one: {{image: "{image}", stop_signal: SIGKILL{more}}}
"""


class Publisher:
    """Puts images into a registry, from a home of its own."""

    def __init__(self, path, host, **environment) -> None:
        access = Access({"HOME": str(path), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(path), **environment})
        self._library = Library(Home(f"{path}/data", f"{path}/run"), access)
        self._path = path
        self.name = f"{host}/team/app:1"

    def push(self, version):
        reference = busybox(
            self._path / version, {"Cmd": ["sleep", "1000"]}, entry("version", content=version.encode())
        )
        self._library.store.pull(ImageSpec(reference))
        self._library.tag(reference, self.name)
        self._library.push(self.name)


@pytest.fixture
def publisher(tmp_path):
    with running(tmp_path / "registry") as host:
        yield Publisher(tmp_path / "publisher", host)


def version(stack, service="one"):
    return stack.run("exec", "-T", service, "cat", "/version").stdout


def test_up_asks_as_the_file_says_and_the_command_goes_over_that(write_stack, publisher):
    publisher.push("first")
    stack = write_stack(FILE.format(image=publisher.name, more=""))
    stack.run("up", "-d")
    publisher.push("second")
    stack.run("up", "-d")
    assert version(stack) == "first", "it is here: nobody is asked"
    shown = stack.run("up", "-d", "--pull", "always", "--quiet-pull").stderr
    assert version(stack) == "second"
    assert "Image" not in shown
    assert "Container stack-one-1 Started" in shown

    publisher.push("third")
    stack.file.write_text(FILE.format(image=publisher.name, more=", pull_policy: daily"))
    assert stack.run("plan").stdout == "nothing to do\n"
    stack.run("up", "-d")
    assert version(stack) == "second", "it was asked for today"
    stack.file.write_text(FILE.format(image=publisher.name, more=", pull_policy: refresh, pull_refresh_after: 1ms"))
    stack.run("up", "-d", "--pull", "missing")
    assert version(stack) == "second"
    assert "pull_policy is every_0.001s" in stack.run("plan", code=2).stdout
    assert f"Image {publisher.name} Pulled" in stack.run("up", "-d").stderr
    assert version(stack) == "third"


def test_never_means_that_only_what_is_here_will_do(write_stack, publisher):
    publisher.push("first")
    stack = write_stack(FILE.format(image=publisher.name, more=", pull_policy: always"))
    refused = stack.run("up", "-d", "--pull", "never", code=1)
    assert f"image {publisher.name} is not on this machine, and its pull_policy is never" in refused.stderr
    stack.run("up", "-d")
    publisher.push("second")
    stack.run("up", "-d", "--pull", "never")
    assert version(stack) == "first"
    stack.run("up", "-d")
    assert version(stack) == "second"


@pytest.mark.skipif(not OPENSSL, reason="needs openssl")
def test_registries_are_asked_with_the_environment_of_the_up_that_asks(write_stack, tmp_path):
    """The supervisor was started by the first one, which knew no password."""
    known, unknown = tmp_path / "known", tmp_path / "unknown"
    known.mkdir()
    unknown.mkdir()
    with running_closed(tmp_path / "registry") as host:
        log_in(known, host)
        publisher = Publisher(tmp_path / "publisher", host, HOME=str(known))
        publisher.push("first")
        local = busybox(tmp_path / "image", {"Cmd": ["sleep", "1000"]})
        more = f'}}\n  two: {{image: "{publisher.name}", stop_signal: SIGKILL'
        stack = write_stack(FILE.format(image=local, more=""), HOME=str(unknown), XDG_RUNTIME_DIR=str(tmp_path))
        stack.run("up", "-d")
        stack.file.write_text(FILE.format(image=local, more=more))
        assert publisher.name in stack.run("up", "-d", code=1).stderr
        stack.environment["DOCKER_CONFIG"] = str(known / ".docker")
        stack.run("up", "-d")
        assert version(stack, "two") == "first"
        del stack.environment["DOCKER_CONFIG"]
        assert publisher.name in stack.run("up", "-d", "--pull", "always", code=1).stderr

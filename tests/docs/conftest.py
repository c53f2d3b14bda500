"""What a reader of the pages has: a machine with Orchestra, a registry that serves images, and nothing else.

Network, /etc and ORCHESTRA_HOME are made for each page. ``docker.io`` is a registry within that network.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.debian import debian_images as debian_images
from tests.driver.local.image.registry.real import PASSWORD_FILE, fill, make_certificate, running
from tests.driver.local.net.conftest import own_network

from .images import REDIS, busybox_image, reconfigured
from .shell import Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

CLOSED = """
  tls: {{certificate: {0}/crt, key: {0}/key}}
auth:
  htpasswd: {{realm: team, path: {0}/htpasswd}}
"""
MIRROR = '[[registry]]\nprefix = "docker.io"\nlocation = "{}"\ninsecure = true\n'


@pytest.fixture(scope="session")
def registry(tmp_path_factory) -> Path:
    """The directory of a registry with small images."""
    path = tmp_path_factory.mktemp("registry")
    busybox = busybox_image(path / "busybox")
    fill(path, {"library/busybox:1.37": busybox, "team/app:1": busybox})
    return path


@pytest.fixture(scope="session")
def server_registry(tmp_path_factory, debian_images) -> Path:
    """The directory of a registry with servers that are large."""
    path = tmp_path_factory.mktemp("servers")
    images = {
        "library/nginx:1.28": f"oci:{debian_images}:nginx",
        "library/python:3.13-slim": f"oci:{debian_images}:shop",
        "library/redis:8": reconfigured(debian_images, "redis", REDIS, path / "redis"),
    }
    fill(path, images)
    return path


@pytest.fixture
def enter(tmp_path) -> Callable[[Path], AbstractContextManager[Shell]]:
    """A context manager: the directory of the registry gives a shell in an empty directory. Its stacks are removed."""

    @contextmanager
    def enter(registry: Path) -> Iterator[Shell]:
        own, scratch = tmp_path / "me", tmp_path / "scratch"
        (own / "run").mkdir(parents=True)
        scratch.mkdir()
        with own_network(), running(registry) as host:
            write(scratch / "etc/containers/registries.conf", MIRROR.format(host))
            write(scratch / "etc/hosts", "127.0.0.1 localhost registry.example.com registry.lan\n")
            write(own / ".curlrc", "silent\nshow-error\n")  # as on a terminal
            kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TZ") if name in os.environ}
            environment = {
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "HOME": str(own),
                "ORCHESTRA_HOME": str(tmp_path / "home"),
                "XDG_RUNTIME_DIR": str(own / "run"),
            }
            shell = Shell(own, scratch, kept | environment)
            try:
                yield shell
            finally:
                shell.run("for s in $(orchestra ls -aq); do orchestra -p $s down -v -t 0 --remove-orphans; done")
                shell.close()

    return enter


@pytest.fixture
def private_registries(registry, tmp_path) -> Callable[[], AbstractContextManager[None]]:
    """A context manager: registry.example.com with TLS, user "me", password "secret"; registry.lan:5000 without."""

    @contextmanager
    def serve() -> Iterator[None]:
        closed, plain = tmp_path / "closed", tmp_path / "plain"
        for path in (closed, plain):
            path.mkdir()
            (path / "data").symlink_to(registry / "data")
        make_certificate(closed, "DNS:registry.example.com")
        shutil.copy(closed / "crt", tmp_path / "me/ca.crt")
        (closed / "htpasswd").write_text(PASSWORD_FILE)
        with running(closed, settings=CLOSED.format(closed), port=443), running(plain, port=5000):
            yield

    return serve


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

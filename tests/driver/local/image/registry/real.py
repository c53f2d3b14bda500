"""The registry that everybody runs, in a process of its own on a loopback address."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REGISTRY = shutil.which("docker-registry")
OPENSSL = shutil.which("openssl")
TAG = "org.opencontainers.image.ref.name"
# "secret" by bcrypt, which the registry wants and the standard library cannot make.
PASSWORD_FILE = "me:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"


@contextlib.contextmanager
def running(path: Path, *, settings: str = "", secure: bool = False, port: int = 0) -> Iterator[str]:
    """A registry on this port, or a free one, of this machine; its host and port."""
    port = port or free_port()
    path.mkdir(exist_ok=True)
    (path / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {path}/data}}}}\nhttp:\n  addr: 127.0.0.1:{port}\n{settings}"
    )
    with (path / "log").open("wb") as log:
        process = subprocess.Popen([REGISTRY, "serve", str(path / "config.yml")], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert time.monotonic() < deadline, (path / "log").read_text()
            assert process.poll() is None, (path / "log").read_text()
            time.sleep(0.02)
        yield f"{'localhost' if secure else '127.0.0.1'}:{port}"
    finally:
        process.terminate()
        process.wait(30)


def fill(path: Path, images: Mapping[str, str]) -> None:
    """Put images where a registry keeps them, with links to their files in image layouts. It has not begun yet.

    images: by name and tag there; ``oci:DIRECTORY:TAG``, or ``oci:DIRECTORY`` where there is one image. The places are
    those of https://github.com/distribution/distribution, ``registry/storage/paths.go``.
    """
    root = path / "data/docker/registry/v2"
    for target, reference in images.items():
        layout, _, wanted = reference.removeprefix("oci:").partition(":")
        name, tag = target.rsplit(":", 1)

        def put(digest: str, *places: str, layout=layout, name=name) -> bytes:
            kind, word = digest.split(":")
            blob = root / f"blobs/{kind}/{word[:2]}/{word}/data"
            blob.parent.mkdir(parents=True, exist_ok=True)
            if not blob.exists():
                blob.symlink_to(f"{layout}/blobs/{kind}/{word}")
            for place in places:
                link = root / f"repositories/{name}/{place}/link"
                link.parent.mkdir(parents=True, exist_ok=True)
                link.write_text(digest)
            return blob.read_bytes() if "_manifests" in places[0] else b""

        index = json.loads(Path(layout, "index.json").read_text())["manifests"]
        digest = next(each["digest"] for each in index if not wanted or each["annotations"][TAG] == wanted)
        below = digest.replace(":", "/")
        places = (f"revisions/{below}", f"tags/{tag}/current", f"tags/{tag}/index/{below}")
        manifest = json.loads(put(digest, *(f"_manifests/{place}" for place in places)))
        for part in (manifest["config"], *manifest["layers"]):
            put(part["digest"], f"_layers/{part['digest'].replace(':', '/')}")


@contextlib.contextmanager
def running_closed(path: Path) -> Iterator[str]:
    """One with TLS, whose certificate nobody knows, and a password."""
    path.mkdir()
    make_certificate(path)
    (path / "htpasswd").write_text(PASSWORD_FILE)
    settings = f"  tls: {{certificate: {path}/crt, key: {path}/key}}\nauth:\n"
    settings += f"  htpasswd: {{realm: test, path: {path}/htpasswd}}\n"
    with running(path, settings=settings, secure=True) as host:
        yield host


def make_certificate(path: Path, *names: str) -> None:
    """``crt`` and ``key``, signed by itself. names: as openssl writes them, DNS:localhost when there are none."""
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", f"subjectAltName={','.join(names or ('DNS:localhost',))}"),
            *("-keyout", f"{path}/key", "-out", f"{path}/crt"),
        ],
        check=True,
        capture_output=True,
    )


def log_in(home: Path, host: str) -> None:
    """As the user and with the password of ``running_closed``."""
    auth = base64.b64encode(b"me:secret").decode()
    (home / ".docker").mkdir(exist_ok=True)
    (home / ".docker/config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))

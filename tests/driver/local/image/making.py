"""Layers, image layouts and archives made of a few words, as the tools of the field write them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import platform
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestra.linux import namespaces
from orchestra.linux.mounts import mount
from tests.forking import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OCI = "application/vnd.oci.image"
DOCKER = "application/vnd.docker"
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())

needs_root = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for owners, devices and trusted attributes"),
]


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields: Any
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(content)
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def directory(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.DIRTYPE, **fields)


def link(name: str, target: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.SYMTYPE, linkname=target, **fields)


def hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return entry(name, tarfile.LNKTYPE, linkname=target)


def layer(*entries: tuple[tarfile.TarInfo, bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def archive(files: Mapping[str, bytes]) -> bytes:
    return layer(*(entry(name, content=content) for name, content in files.items()))


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Made:
    """An OCI layout in the making: its files by name."""

    files: dict[str, bytes] = field(default_factory=lambda: {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'})
    listed: list[dict[str, Any]] = field(default_factory=list)

    def blob(self, data: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        self.files[f"blobs/{digest(data).replace(':', '/')}"] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}

    def image(
        self,
        layers: Iterable[bytes],
        *,
        config: Mapping[str, Any] | None = None,
        family: str = OCI,
        compress: Callable[[bytes], bytes] | None = None,
        architecture: str = ARCHITECTURE,
        diff_ids: Iterable[str] | None = None,
        layer_type: str = "",
        config_type: str = "",
        history: Iterable[str] = (),
    ) -> dict[str, Any]:
        """The descriptor of a manifest. history: what made each layer."""
        plain = list(layers)
        packed = [compress(data) if compress else data for data in plain]
        is_docker = family == DOCKER
        layer_type = layer_type or (f"{DOCKER}.image.rootfs.diff.tar.gzip" if is_docker else f"{OCI}.layer.v1.tar+gzip")
        config_type = config_type or (f"{DOCKER}.container.image.v1+json" if is_docker else f"{OCI}.config.v1+json")
        document = render_config(plain, config, architecture, diff_ids, history)
        manifest = {
            "schemaVersion": 2,
            "config": self.blob(document, config_type),
            "layers": [self.blob(data, layer_type) for data in packed],
        }
        kind = f"{DOCKER}.distribution.manifest.v2+json" if is_docker else f"{OCI}.manifest.v1+json"
        return self.blob(json.dumps(manifest).encode(), kind)

    def index(self, *manifests: dict[str, Any], media_type: str = f"{OCI}.index.v1+json") -> dict[str, Any]:
        return self.blob(json.dumps({"schemaVersion": 2, "manifests": manifests}).encode(), media_type)

    def name(self, descriptor: dict[str, Any], tag: str = "") -> Made:
        notes = {"annotations": {"org.opencontainers.image.ref.name": tag}} if tag else {}
        self.listed.append({**descriptor, **notes})
        self.files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": self.listed}).encode()
        return self

    def write(self, path: Path) -> str:
        """As a directory; the reference."""
        for name, data in self.files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        return f"oci:{path}"


def render_config(
    layers: Iterable[bytes],
    config: Mapping[str, Any] | None = None,
    architecture: str = ARCHITECTURE,
    diff_ids: Iterable[str] | None = None,
    history: Iterable[str] = (),
) -> bytes:
    ids = list(diff_ids) if diff_ids is not None else [digest(data) for data in layers]
    document = {"os": "linux", "config": config or {}, "rootfs": {"type": "layers", "diff_ids": ids}}
    if architecture:
        document["architecture"] = architecture
    if rows := [{"created_by": text} for text in history]:
        document["history"] = rows
    return json.dumps(document).encode()


def docker_archive(
    path: Path, layers: Iterable[bytes], *, names: Iterable[str] = ("app:1",), modern: bool = False
) -> str:
    """What ``docker save`` writes, up to Docker 24 or since; the reference."""
    plain = list(layers)
    config = render_config(plain)
    if modern:
        paths = [f"blobs/{digest(data).replace(':', '/')}" for data in plain]
        config_path = f"blobs/{digest(config).replace(':', '/')}"
    else:
        paths = [f"{digest(data)[7:]}/layer.tar" for data in plain]
        config_path = f"{digest(config)[7:]}.json"
    manifest = [{"Config": config_path, "RepoTags": list(names), "Layers": paths}]
    files = dict(zip(paths, plain, strict=True))
    path.write_bytes(archive({**files, config_path: config, "manifest.json": json.dumps(manifest).encode()}))
    return f"docker-archive:{path}"


def in_mount_namespace(work: Callable[[], Any]) -> Any:
    """What ``work`` returns, run in a child with mounts of its own, so that none can be left; JSON comes back."""
    reader, writer = os.pipe()
    child = fork()
    if child == 0:
        status = 1
        try:
            os.close(reader)
            namespaces.unshare(namespaces.CLONE_NEWNS)
            mount.mount("", "/", flags=mount.MS_REC | mount.MS_PRIVATE)
            answer = {"value": work()}
            status = 0
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        with open(writer, "w") as file:
            json.dump(answer, file)
        os._exit(status)
    os.close(writer)
    with open(reader) as file:
        answer = json.loads(file.read())
    os.waitpid(child, 0)
    assert "error" not in answer, answer["error"]
    return answer["value"]


def mount_snapshot(mounts: Iterable[Mapping[str, Any]], target: Path) -> None:
    """As the shim does it."""
    for item in mounts:
        options = mount.parse_options(item["options"])
        kind = "" if item["type"] == "bind" else item["type"]
        mount.mount(item["source"], str(target), kind, options.flags, options.data)
        fd = os.open(target, os.O_PATH)
        mount.set_attributes(fd, mount.attributes_of(options.flags))
        os.close(fd)


def tree(path: Path) -> dict[str, Any]:
    """Everything below a directory that an archive can say about it."""
    found: dict[str, Any] = {}
    for parent, directories, files in os.walk(path):
        for name in (*directories, *files):
            place = os.path.join(parent, name)
            status = os.lstat(place)
            about: list[Any] = [oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns]
            if os.path.islink(place):
                about.append(os.readlink(place))
            elif os.path.isfile(place):
                about += [Path(place).read_bytes().hex(), status.st_nlink]
            elif not os.path.isdir(place):
                about.append(status.st_rdev)
            names = sorted(os.listxattr(place, follow_symlinks=False))
            about.append({key: os.getxattr(place, key, follow_symlinks=False).hex() for key in names})
            found[os.path.relpath(place, path)] = about
    return found


def compressed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)

"""The images that pages name, made of busybox and of the distribution's packages, by the names that Docker Hub has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.driver.local.image.making import Made, compressed, digest, directory, entry, layer, link
from tests.examples.images import BUSYBOX

if TYPE_CHECKING:
    from collections.abc import Mapping

REDIS = {"User": "", "WorkingDir": "/data", "Volumes": {"/data": {}}}
"""As Docker Hub's image has it, which the one of packages has not."""


def busybox_image(path: Path) -> str:
    applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    content = layer(
        *(directory(name) for name in ("bin", "etc", "home", "root", "var")),
        directory("tmp", mode=0o1777),
        entry("bin/busybox", content=Path(BUSYBOX).read_bytes(), mode=0o755),
        *(link(f"bin/{name}", "busybox") for name in applets if name != "busybox"),
        entry("etc/passwd", content=b"root:x:0:0:root:/root:/bin/sh\n"),
        entry("etc/group", content=b"root:x:0:\n"),
    )
    made = Made()
    return made.name(made.image([content], compress=compressed, config={"Cmd": ["sh"]})).write(path)


def reconfigured(layout: Path, tag: str, config: Mapping[str, object], path: Path) -> str:
    """The image of a layout with other words in its configuration, as a layout of its own; the reference."""
    shutil.copytree(layout, path, copy_function=os.symlink)
    listed = json.loads((path / "index.json").read_text())["manifests"]
    descriptor = next(d for d in listed if d["annotations"]["org.opencontainers.image.ref.name"] == tag)

    def read(descriptor: Mapping[str, str]) -> dict:
        return json.loads((path / "blobs" / descriptor["digest"].replace(":", "/")).read_text())

    def write(document: Mapping[str, object]) -> dict:
        data = json.dumps(document).encode()
        (path / "blobs" / digest(data).replace(":", "/")).write_bytes(data)
        return {"digest": digest(data), "size": len(data)}

    manifest = read(descriptor)
    document = read(manifest["config"])
    document["config"] = {**document["config"], **config}
    manifest["config"] = {**manifest["config"], **write(document)}
    (path / "index.json").unlink()  # the other layout's as well
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [{**descriptor, **write(manifest)}]}))
    return f"oci:{path}"

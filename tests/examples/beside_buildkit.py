"""What BuildKit makes of ``dockerfiles/``, recorded from Docker's engine at a socket, as root:

    python -m tests.examples.beside_buildkit SOCKET DOCKER BUILDX

DOCKER and BUILDX: programs. A form that is newer than the BuildKit of Debian 13 (0.13)
is told to it in older words, as to buildah.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.examples.beside_buildah import (
    BASE,
    DOCKERFILES,
    FROM_BASE,
    NAMES,
    make_inputs,
    orchestra,
    read_images,
    said_in,
    without_base,
)
from tests.examples.images import write_busybox_root

RECORD = DOCKERFILES / "buildkit.json"
NEWER = {"copy-newer", "modifiers"}
"""Those with ``NAME.plain.Dockerfile`` that this BuildKit does not understand."""


def main(socket: str, docker: str, buildx: str) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        (work / "busybox").mkdir()
        reference = make_inputs(work, write_busybox_root(work / "busybox"))
        orchestra(work, "image", "pull", "-q", f"{reference}:base")
        orchestra(work, "image", "tag", f"{reference}:base", BASE)
        orchestra(work, "image", "save", "-o", "base.tar", BASE)
        subprocess.run([docker, "load", "-q", "-i", work / "base.tar"], env=environment, check=True)
        began = time.time()
        for name in NAMES:
            file = DOCKERFILES / (f"{name}.plain.Dockerfile" if name in NEWER else f"{name}.Dockerfile")
            # A front end that is named would be fetched.
            text = file.read_text().replace("# syntax=", "# ")
            options = ("--builder=default", "--provenance=false", "--quiet", "--load", "--file=-")
            command = [buildx, "build", *options, f"--tag=localhost/{name}", work / "context"]
            subprocess.run(command, env=environment, input=text, text=True, check=True)
        images = [f"localhost/{name}" for name in NAMES]
        subprocess.run([docker, "save", "-o", work / "made.tar", *images], env=environment, check=True)
        orchestra(work, "image", "load", "-q", "-i", "made.tar")
        found = read_images(work, began)
        base = found[FROM_BASE][1]
        record = {
            name: {
                "config": said_in(document["config"]),
                "files": without_base(files, {} if name == "from-scratch" else base),
            }
            for name, (document, files) in found.items()
        }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

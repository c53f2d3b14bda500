"""The Dockerfiles of ``dockerfiles/`` become the same images here as with buildah, which was recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from orchestra.driver.local.build.trees import FileTree, Trees
from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.home import Home
from tests.examples.beside_buildah import (
    BASE,
    DOCKERFILES,
    FROM_BASE,
    NAMES,
    RECORD,
    describe,
    make_base,
    make_context,
    without_base,
)
from tests.examples.conftest import needs_containers

pytestmark = needs_containers

SETUID = "-rwsr-xr-x 0:0 'setuid\\n' 1500000000"
DIFFERENT = {
    # buildah drops the set-user-ID bit of files of the context
    ("copy-directories", "whole/special/setuid"): SETUID,
    ("ignored", "context/special/setuid"): SETUID,
    ("special", "special/setuid"): SETUID,
    # a symbolic link at the destination is followed, as BuildKit does; buildah replaces it
    ("copy-links", "data/link-to-one"): None,
    ("copy-links", "data/one"): "-rw-r--r-- 0:0 'plain\\n' 1500000000",
    # buildah keeps a range of ports as one word, which runtimes do not understand
    ("configuration", "ExposedPorts"): {
        port: {} for port in ("443/tcp", "53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp")
    },
    # buildah takes the backslash for an escape although the directive names another character
    ("escape", "Env"): ["PATH=/usr/bin:/bin", "OF_BASE=yes", "A=a\\b"],
    # buildah moves a variable of the base to the end when it gets another value
    ("environment", "Env"): [
        *("PATH=/opt/bin:/usr/bin:/bin", "OF_BASE=yes", "A=2", "B=two words", "C=with space"),
        *("OLD=the old form  with  spaces", "D=1", "E=1x", "F=default", "G=set", "H=$A", "I=$A"),
    ],
    # a shell counts for CMD too; buildah takes /bin/sh
    ("shell", "Cmd"): ["/bin/sh", "-xc", "echo shell form"],
    # the working directory of an image is always said
    ("from-scratch", "WorkingDir"): "/",
}
"""What is not as buildah has it, and why."""


def build(path, busybox_root):
    """Configurations and files of the images that one ``orchestra build`` makes, by name."""
    for name in ("context", "base"):
        (path / name).mkdir()
    make_context(path / "context")
    reference = make_base(path / "base", busybox_root)
    began = time.time()
    services = {
        name: {"image": f"localhost/{name}", "build": {"context": "context", "dockerfile": str(file)}}
        for name in NAMES
        for file in [DOCKERFILES / f"{name}.Dockerfile"]
    }
    (path / "compose.yaml").write_text(json.dumps({"services": services}))

    def run(*arguments: str) -> None:
        command = [sys.executable, "-m", "orchestra", *arguments]
        environment = {**os.environ, "ORCHESTRA_HOME": f"{path}/home"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path, env=environment)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"

    run("image", "pull", "-q", f"{reference}:base")
    run("image", "tag", f"{reference}:base", BASE)
    run("build", "-q")
    home = Home(f"{path}/home/data", f"{path}/home/run")
    content = ContentStore(home.content)
    found = {}
    for name in NAMES:
        parts = load_parts(content, content.entries()[f"localhost/{name}:latest"].digest)
        with Trees(home).opened(FileTree(parts.diff_ids)) as root:
            found[name] = (parts.document["config"], describe(f"/proc/self/fd/{root}", began))
    return found


def test_images_are_as_buildah_makes_them(tmp_path, busybox_root):
    ours, expected, found = build(tmp_path, busybox_root), {}, {}
    images = json.loads(RECORD.read_text())
    assert len(images) == len(NAMES) == 31
    for name, recorded in images.items():
        config, files = ours[name]
        labels = {key: text for key, text in config["Labels"].items() if not key.startswith("com.docker.compose.")}
        said = {key: value for key, value in {**config, "Labels": labels}.items() if value}
        files = without_base(files, {} if name == "from-scratch" else ours[FROM_BASE][1])
        found |= {(name, key): value for key, value in {**said, **files}.items()}
        expected |= {(name, key): value for key, value in {**recorded["config"], **recorded["files"]}.items()}
    expected |= DIFFERENT
    assert found == {key: value for key, value in expected.items() if value is not None}

"""The Dockerfiles of ``dockerfiles/`` become the same images here as with buildah and BuildKit, which were recorded."""

from __future__ import annotations

import json
import time

import pytest

from tests.examples import beside_buildkit
from tests.examples.beside_buildah import (
    BASE,
    DOCKERFILES,
    FROM_BASE,
    NAMES,
    RECORD,
    make_inputs,
    orchestra,
    read_images,
    said_in,
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


@pytest.fixture(scope="module")
def ours(tmp_path_factory, busybox_root):
    """Documents and files of the images that one ``orchestra build`` makes, by name."""
    path = tmp_path_factory.mktemp("built")
    reference = make_inputs(path, busybox_root)
    began = time.time()
    services = {
        name: {"image": f"localhost/{name}", "build": {"context": "context", "dockerfile": str(file)}}
        for name in NAMES
        for file in [DOCKERFILES / f"{name}.Dockerfile"]
    }
    (path / "compose.yaml").write_text(json.dumps({"services": services}))
    orchestra(path, "image", "pull", "-q", f"{reference}:base")
    orchestra(path, "image", "tag", f"{reference}:base", BASE)
    orchestra(path, "build", "-q")
    return read_images(path, began)


def facts(ours):
    """What the configurations say and which files there are, by image and name of the fact."""
    found = {}
    for name, (document, files) in ours.items():
        own = without_base(files, {} if name == "from-scratch" else ours[FROM_BASE][1])
        found |= {(name, key): value for key, value in {**said_in(document["config"]), **own}.items()}
    return found


def recorded(images):
    assert len(images) == len(NAMES) == 31
    return {
        (name, key): value
        for name, image in images.items()
        for key, value in {**image["config"], **image["files"]}.items()
    }


def test_images_are_as_buildah_makes_them(ours):
    expected = recorded(json.loads(RECORD.read_text())) | DIFFERENT
    assert facts(ours) == {key: value for key, value in expected.items() if value is not None}


def test_images_are_as_buildkit_makes_them(ours):
    # That a command is in shell form is said for Windows only, where the words of a command become one text.
    expected = {
        key: value
        for key, value in recorded(json.loads(beside_buildkit.RECORD.read_text())).items()
        if key[1] != "ArgsEscaped"
    }
    assert facts(ours) == expected

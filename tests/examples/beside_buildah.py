"""What buildah makes of ``dockerfiles/``, recorded: ``python -m tests.examples.beside_buildah`` does that, as root.

A form that is newer than the buildah of Debian 12 is told to it in older words: ``NAME.plain.Dockerfile``. Recorded are
the configuration of each image and the files that are not as in its base.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from orchestra.driver.local.build.trees import FileTree, Trees
from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.home import Home
from tests.driver.local.image.making import Made, archive, directory, entry, layer, link
from tests.examples.images import write_busybox_root

DOCKERFILES = Path(__file__).parent / "dockerfiles"
NAMES = sorted({path.name.partition(".")[0] for path in DOCKERFILES.glob("*.Dockerfile")})
RECORD = DOCKERFILES / "buildah.json"
BASE = "localhost/base"
FROM_BASE = "from-base"
"""The Dockerfile that adds nothing."""
LONG_AGO = 1_500_000_000
SMALL = 4096
"""Bytes up to which a file's content is compared."""
DATA = layer(
    directory("data", mtime=LONG_AGO),
    entry("data/one", content=b"1", mtime=LONG_AGO),
    entry("data/two", content=b"2", uid=3, gid=4, mode=0o4755, mtime=LONG_AGO),
    directory("data/directory", mode=0o750, uid=5, mtime=LONG_AGO),
    entry("data/directory/file", content=b"f", mtime=LONG_AGO),
    link("data/link", "directory", mtime=LONG_AGO),
    link("data/link-to-one", "/data/one", mtime=LONG_AGO),
)
FILES = {
    "plain.txt": (0o644, b"plain\n"),
    "second.txt": (0o600, b"second\n"),
    "executable": (0o755, b"#!/bin/sh\n"),
    "with space": (0o644, b"space\n"),
    "tree/top": (0o640, b"top\n"),
    "tree/nested/x.c": (0o444, b"x\n"),
    "tree/nested/deep/y.c": (0o664, b"y\n"),
    "hidden/.config": (0o644, b"hidden\n"),
    "closed/file": (0o600, b"closed\n"),
    "links/file": (0o644, b"file\n"),
    "special/setuid": (0o4755, b"setuid\n"),
    "special/deep/empty": (0o644, b""),
    "ignored/not": (0o644, b"not\n"),
    "ignored/kept": (0o644, b"kept\n"),
    "packed.txt.gz": (0o644, gzip.compress(b"not an archive\n", mtime=0)),
    "archive.tar": (0o644, archive({"in/side": b"a", "in/other": b"b"})),
    "archive.tar.gz": (0o644, gzip.compress(archive({"gz/side": b"c"}), mtime=0)),
    ".dockerignore": (0o644, b"# those that are left out\nignored/*\n!ignored/kept\n**/deep/y.c\n*.orig\n"),
}
LINKS = {"links/to-file": "file", "links/to-directory": "../tree/nested", "links/nowhere": "/no/such/file"}


def make_context(path: Path) -> None:
    for name, (mode, content) in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
        (path / name).chmod(mode)
    for name, target in LINKS.items():
        (path / name).symlink_to(target)
    os.link(path / "links/file", path / "links/hard")
    os.chown(path / "tree/top", 1234, 1234)
    for place in path.rglob("*"):
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o700 if place.name == "closed" else 0o755)
        os.utime(place, (LONG_AGO, LONG_AGO), follow_symlinks=False)


def make_base(path: Path, busybox_root: Path) -> str:
    """The reference of a layout at ``path`` with an image of two layers, called ``base``."""
    command = ["tar", "c", f"--mtime=@{LONG_AGO}", "-C", busybox_root, "."]
    packed = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    made = Made()
    config = {"Env": ["PATH=/usr/bin:/bin", "OF_BASE=yes"], "Cmd": ["/bin/sh"], "Labels": {"of": "base"}}
    layers, history = [packed, DATA], ["busybox", "data"]
    image = made.image(layers, config=config, history=history, compress=lambda data: gzip.compress(data, 1, mtime=0))
    return made.name(image, "base").write(path)


def describe(root: str, began: float) -> dict[str, str]:
    """What there is at each path: type, mode, owner, content or target, and the time if it is older than the build."""
    found = {}
    for parent, directories, files in os.walk(root):
        for name in (*directories, *files):
            place = f"{parent}/{name}"
            status = os.lstat(place)
            words = [stat.filemode(status.st_mode), f"{status.st_uid}:{status.st_gid}"]
            if stat.S_ISREG(status.st_mode) and status.st_size < SMALL:
                words.append(ascii(Path(place).read_bytes())[1:])
            elif stat.S_ISLNK(status.st_mode):
                words.append(os.readlink(place))
            if not stat.S_ISDIR(status.st_mode):
                words.append("new" if status.st_mtime >= began - 1 else str(int(status.st_mtime)))
            found[place.removeprefix(f"{root}/")] = " ".join(words)
    return found


def orchestra(path: Path, *arguments: str) -> None:
    """Run a command in this directory, with a home of its own there."""
    environment = {**os.environ, "ORCHESTRA_HOME": f"{path}/home"}
    command = [sys.executable, "-m", "orchestra", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=path, env=environment)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"


def read_images(path: Path, began: float) -> dict[str, tuple[dict, dict[str, str]]]:
    """Documents and files of the images ``localhost/NAME`` in the home of this directory, by name."""
    home = Home(f"{path}/home/data", f"{path}/home/run")
    content = ContentStore(home.content)
    found = {}
    for name in NAMES:
        parts = load_parts(content, content.entries()[f"localhost/{name}:latest"].digest)
        with Trees(home).opened(FileTree(parts.diff_ids)) as root:
            found[name] = (parts.document, describe(f"/proc/self/fd/{root}", began))
    return found


def said_in(config: dict) -> dict:
    """What a configuration says, without the labels that Compose gives."""
    labels = {key: text for key, text in config["Labels"].items() if not key.startswith("com.docker.compose.")}
    return {key: value for key, value in sorted({**config, "Labels": labels}.items()) if value}


def without_base(files: dict[str, str], base: dict[str, str]) -> dict[str, str]:
    """Only what is not as in the base; what is missing is empty."""
    paths = sorted(files.keys() | base.keys())
    return {path: files.get(path, "") for path in paths if files.get(path) != base.get(path)}


ARTIFACTS = {"etc/hostname", "etc/hosts", "etc/resolv.conf"}
"""Empty files on which buildah mounts those of a container, and which it leaves in the image."""
OF_A_CONTAINER = {"Hostname", "Image"}


def make_inputs(work: Path, busybox_root: Path) -> str:
    """Make the context and the base image below this directory. Returns the reference of the image, without its tag."""
    for name in ("context", "base"):
        (work / name).mkdir()
    make_context(work / "context")
    return make_base(work / "base", busybox_root)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        (work / "busybox").mkdir()
        reference = make_inputs(work, write_busybox_root(work / "busybox"))
        began = time.time()
        buildah = ["buildah", f"--root={work}/root", f"--runroot={work}/run", "--storage-driver=vfs"]
        subprocess.run([*buildah, "pull", "-q", f"{reference}:base"], check=True)
        [pulled] = stored(work)
        subprocess.run([*buildah, "tag", pulled["id"], BASE], check=True)
        for name in NAMES:
            plain = DOCKERFILES / f"{name}.plain.Dockerfile"
            file = plain if plain.exists() else DOCKERFILES / f"{name}.Dockerfile"
            options = ("--format=docker", "--isolation=chroot", "--identity-label=false", "-q", f"--file={file}")
            subprocess.run([*buildah, "bud", *options, f"--tag=localhost/{name}", work / "context"], check=True)
        found = {}
        for row in stored(work):
            blob = base64.b64encode(f"sha256:{row['id']}".encode()).decode()
            config = json.loads((work / f"root/vfs-images/{row['id']}/={blob}").read_text())["config"]
            said = {key: value for key, value in sorted(config.items()) if value and key not in OF_A_CONTAINER}
            files = describe(f"{work}/root/vfs/dir/{row['layer']}", began)
            for artifact in ARTIFACTS:
                files.pop(artifact, None)
            for name in row.get("names") or ():
                found[name.removeprefix("localhost/").removesuffix(":latest")] = (said, files)
        base = found[FROM_BASE][1]
        record = {
            name: {
                "config": found[name][0],
                "files": without_base(found[name][1], {} if name == "from-scratch" else base),
            }
            for name in NAMES
        }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


def stored(work: Path) -> list[dict]:
    return json.loads((work / "root/vfs-images/images.json").read_text())


if __name__ == "__main__":
    main()

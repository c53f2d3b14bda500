"""``export`` and ``commit``: what a container's file system has become, as an archive and as an image."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile

import pytest

from tests.examples.conftest import eventually, needs_containers

pytestmark = needs_containers

STACK = """
services:
  web:
    image: "IMAGE"
    command: [sleep, infinity]
    init: true
    stop_signal: SIGKILL
    environment: {COLOUR: green}
    volumes: [data:/data]
volumes: {data: {}}
"""


def exec_in(stack, script, **options):
    return stack.run("exec", "-T", "web", "sh", "-c", script, **options).stdout


def image(stack, reference):
    return json.loads(stack.run("image", "inspect", reference).stdout)[0]


@pytest.fixture
def stack(write_stack, busybox_root):
    """web, of an image in the store that has a file to be removed and a directory to be emptied."""
    made = write_stack(STACK.replace("IMAGE", "example.org/base:1"))
    packed = subprocess.run(["tar", "c", "-C", busybox_root, "."], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        files = tar.getmembers()
        extended = io.BytesIO()
        with tarfile.open(fileobj=extended, mode="w") as target:
            for member in files:
                target.addfile(member, tar.extractfile(member) if member.isreg() else None)
            for name in ("gone", "full/a", "full/b"):
                entry = tarfile.TarInfo(name)
                entry.size = 3
                target.addfile(entry, io.BytesIO(b"old"))
    (made.folder / "base.tar").write_bytes(extended.getvalue())
    made.run("image", "import", "-c", "ENV A=1", str(made.folder / "base.tar"), "example.org/base:1")
    made.run("up", "-d")
    exec_in(made, "echo new > /new; rm /gone; rm -r /full; mkdir /full; echo c > /full/c; echo v > /data/in-volume")
    return made


def test_an_export_is_the_file_system_without_its_mounts(stack):
    with stack.start("export", "web", stdout=subprocess.PIPE, text=False) as process:
        out = process.communicate()[0]
    assert process.returncode == 0
    with tarfile.open(fileobj=io.BytesIO(out)) as tar:
        names = set(tar.getnames())
        assert tar.extractfile("new").read() == b"new\n"
    assert {"bin/busybox", "full/c", "data", "proc"} <= names
    assert not {"gone", "full/a", "data/in-volume", "proc/1"} & names
    target = stack.folder / "out.tar"
    stack.run("export", "-o", str(target), "web")
    assert target.read_bytes() == out
    stack.run("export", "-o", str(stack.folder / "none.tar"), "--index", "2", "web", code=1)
    assert not (stack.folder / "none.tar").exists()


def test_a_committed_image_has_what_the_container_had(stack):
    line = ["-a", "Ann", "-m", "tried", "-c", "LABEL b=2", "-c", 'CMD ["sleep", "9999"]', "-p"]
    printed = stack.run("commit", *line, "web", "example.org/made:2").stdout.strip()
    made = image(stack, "example.org/made:2")
    assert made["Id"] == printed
    assert made["Author"] == "Ann"
    assert made["Config"]["Env"] == ["A=1", "COLOUR=green"]
    assert made["Config"]["Labels"] == {"b": "2"}
    assert made["Config"]["Cmd"] == ["sleep", "9999"]
    assert len(made["RootFS"]["Layers"]) == 2
    assert exec_in(stack, "echo it runs") == "it runs\n"
    stack.write(STACK.replace("IMAGE", "example.org/made:2").replace("command: [sleep, infinity]", ""))
    stack.run("up", "-d")
    assert exec_in(stack, "cat /new; ls /full; echo $A$COLOUR; test -e /gone || echo gone").split() == [
        *("new", "c", "1green", "gone"),
    ]


def test_a_container_of_a_directory_becomes_one_layer(write_stack):
    stack = write_stack(STACK.replace("IMAGE", "rootfs:BUSYBOX"))
    stack.run("up", "-d")
    exec_in(stack, "echo new > /new")
    stack.run("commit", "--pause=false", "web", "made")
    assert image(stack, "made")["Config"]["Cmd"] == ["sleep", "infinity"]
    stack.write(STACK.replace("IMAGE", "made"))
    stack.run("up", "-d")
    assert exec_in(stack, "cat /new") == "new\n"


def test_a_stopped_container_can_be_committed_and_exported(write_stack):
    stack = write_stack('services: {web: {image: "rootfs:BUSYBOX", command: [sh, -c, "echo x > /made"]}}')
    stack.run("up", "-d")
    eventually(lambda: stack.states()["web"] == "exited")
    stack.run("commit", "web", "made")
    stack.run("export", "-o", str(stack.folder / "out.tar"), "web")
    with tarfile.open(stack.folder / "out.tar") as tar:
        assert "made" in tar.getnames()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("export wep", "did you mean web?"),
        ("commit wep", "did you mean web?"),
        ("commit --index 3 web", "has no container 3"),
        ("commit web Not/A/Name", "Not/A/Name"),
        ("commit -c NONSENSE web", "NONSENSE"),
    ],
)
def test_wrong_input_is_refused(stack, line, said):
    done = stack.run(*line.split(), code=1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr

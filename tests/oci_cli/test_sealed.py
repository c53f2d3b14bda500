"""Writing to the interpreter on the machine from a container (CVE-2019-5736), done as the attack does it."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from pathlib import Path

import pytest

import orchestra
from tests.oci_cli.conftest import eventually

SOURCES = str(Path(orchestra.__path__[0]).parent)
MODULE = ["-m", "orchestra.oci_cli"]
# What would happen without: the same command line, but for the one thing that is tested.
UNPROTECTED = [
    "-c",
    "import sys; from orchestra.oci_cli import __main__, sealed; "
    "sealed.protect = lambda *words, **keys: None; sys.exit(__main__.main())",
]
# The program is the runtime's own interpreter. It keeps that open for reading, since nobody may write to a program
# while it is executed, then executes another, and tries again and again.
ATTACK = """
import os
os.dup2(os.open("/proc/self/exe", os.O_RDONLY), 9)
tries = "i=0; while [ $i -lt 20 ] && ! echo owned 1<>/proc/self/fd/9; do sleep 0.05; i=$((i+1)); done"
os.execv("/usr/bin/sh", ["sh", "-c", f"{tries}; echo over > /tmp/over"])
"""


@pytest.fixture
def interpreter(tmp_path):
    """A copy of ours, which nobody else executes, in an environment of its own."""
    place = tmp_path / "python"
    (place / "bin").mkdir(parents=True)
    home = os.path.dirname(os.path.realpath(sys.executable))
    (place / "pyvenv.cfg").write_text(f"home = {home}\n")
    return Path(shutil.copy(os.path.realpath(sys.executable), place / "bin/python"))


@pytest.fixture
def attacked(ours, tmp_path, interpreter):
    """A bundle whose root has all that the interpreter needs to run there, and a link to itself."""
    (tmp_path / "over").mkdir()
    (tmp_path / "attack.py").write_text(ATTACK)
    libraries = (f"{sys.base_prefix}/lib", "/lib", "/lib64", "/usr/lib")
    bundle = ours.bundle(env=["PATH=/usr/bin", f"PYTHONHOME={sys.base_prefix}"])
    bundle.config["mounts"] += [
        {"destination": path, "type": "bind", "source": os.path.realpath(path), "options": ["rbind", "ro"]}
        for path in libraries
        if os.path.isdir(path)
    ]
    bundle.config["mounts"] += [
        {"destination": "/tmp", "type": "bind", "source": str(tmp_path / "over"), "options": ["bind"]},
        {"destination": "/run/attack.py", "type": "bind", "source": str(tmp_path / "attack.py"), "options": ["bind"]},
    ]
    root = tmp_path / "root"
    shutil.copytree(ours.tree, root, symlinks=True)
    os.symlink("/proc/self/exe", root / "usr/bin/python3")
    bundle.config["root"] = {"path": str(root), "readonly": False}
    ours.attack = ["/usr/bin/python3", "-I", "-S", "/run/attack.py"]
    return bundle


def is_over(tmp_path):
    return (tmp_path / "over/over").exists()


@pytest.mark.parametrize("how", ["start", "exec", "script"])
@pytest.mark.parametrize("words", [MODULE, UNPROTECTED], ids=["protected", "unprotected"])
def test_a_program_that_is_the_runtime_itself_cannot_write_it(ours, attacked, interpreter, tmp_path, how, words):
    before = interpreter.read_bytes()
    plain, ours.command = ours.command, [str(interpreter), *words, "--root", str(ours.root)]
    env = {"PYTHONPATH": SOURCES}
    if how == "script":
        attack = tmp_path / "root/usr/bin/attack"
        attack.write_text(f"#!/proc/self/exe -IS\n{ATTACK}")
        attack.chmod(0o755)
        ours.attack = ["attack"]
    if how == "start":
        attacked.process["args"] = ours.attack
        ours.ok("create", "c", env=env)
        ours.command = plain
        ours.ok("start", "c")
    else:
        ours.command = plain
        ours.ok("run", "--detach", "c")
        ours.command = [str(interpreter), *words, "--root", str(ours.root)]
        ours.ok("exec", "--detach", "c", *ours.attack, env=env)
        ours.command = plain
    eventually(lambda: is_over(tmp_path), seconds=30)
    if words is MODULE:
        assert interpreter.read_bytes() == before
    else:
        assert interpreter.read_bytes()[:6] == b"owned\n"


def test_who_waits_in_a_container_executes_what_nobody_can_write_to(ours):
    ours.bundle()
    ours.ok("create", "c")
    with open(f"/proc/{ours.state()['pid']}/exe", "rb") as program:
        assert fcntl.fcntl(program, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE


@pytest.mark.skipif(not os.path.exists("/proc/sys/vm/memfd_noexec"), reason="needs Linux 6.3")
def test_where_memory_cannot_be_executed_a_read_only_mount_is(ours):
    """The setting belongs to a PID namespace, and the container is made in one of these."""
    bundle = ours.bundle()
    hook = "read state; for pid in /proc/[0-9]*; do readlink $pid/exe; done; stat -f /proc/$PPID/exe; exit 1"
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", hook]}]}
    script = 'echo 2 > /proc/sys/vm/memfd_noexec; exec "$0" "$@"'
    ours.command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, *ours.command]
    said = ours.fails("create", "c")
    assert "memfd" not in said
    assert "createRuntime hook" in said

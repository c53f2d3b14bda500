"""``--host`` to a user without root: the stack is that user's, whoever gives the command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from tests.plain import LIMIT

pytestmark = pytest.mark.timeout(300)


def test_a_stack_of_a_user_without_root_is_asked_from_another_machine(make_plain, tmp_path):
    plain = make_plain()
    enter = ["nsenter", "-t", str(plain.place.pid), "-m", "-n", f"--wd={plain.path}"]
    become = ["setpriv", "--reuid", str(plain.uid), "--regid", str(plain.uid), "--clear-groups", "env", "-i"]
    answer = [*enter, *become, *plain.variables, sys.executable, "-m", "orchestra", "__answer"]
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\nexec {shlex.join(answer)}\n")
    ssh.chmod(0o755)
    (tmp_path / "compose.yaml").write_text(
        f"services: {{web: {{image: 'rootfs:{plain.path}/tree', command: sleep 99, init: true, environment: [WORD]}}}}"
    )
    here = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "ORCHESTRA_HOST": "ssh://plain@server",
        "ORCHESTRA_HOME": f"{tmp_path}/home",
        "WORD": "here",
    }

    def orchestra(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "orchestra", "-p", "shop", *words],
            cwd=tmp_path,
            env=os.environ | here,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}\n{plain.logs()}"
        return done.stdout

    orchestra("up", "-d")
    assert "shop" in plain.orchestra("ls").stdout
    assert orchestra("exec", "-T", "web", "env").count("WORD=here") == 1
    (tmp_path / "file").write_text("from here\n")
    orchestra("cp", "file", "web:/tmp/file")
    assert plain.orchestra("-p", "shop", "exec", "-T", "web", "cat", "/tmp/file").stdout == "from here\n"
    orchestra("down", "-t", "0")
    assert "shop" not in plain.orchestra("ls").stdout
    assert not (tmp_path / "home" / "data" / "stacks").exists()

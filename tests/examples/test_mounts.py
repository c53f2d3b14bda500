"""What is mounted in containers, seen from inside them."""

from __future__ import annotations

import os
import shutil

import pytest

pytestmark = [
    pytest.mark.scenario,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="containers need root"),
    pytest.mark.timeout(120),
]


def test_tmpfs_exec(write_stack):
    stack = write_stack("""
services:
  s6:
    image: rootfs:/
    command:
      - sh
      - -c
      - |
        cp /bin/echo /run/echo && /run/echo ran
        grep -E ' (/run|/cache|/part|/long) ' /proc/mounts; stat -c '%n %u:%g %a' /cache
    tmpfs: ["/run:exec,mode=1777", "/cache:uid=33,gid=33,mode=750,noatime", "/part:size=1%,nr_inodes=99,suid,dev"]
    volumes: [{type: tmpfs, target: /long, tmpfs: {size: 2%, mode: 0o700}}]
""")
    lines = stack.run("up", "--no-color", "--no-log-prefix").stdout.splitlines()
    mounts = {line.split()[1]: set(line.split()[3].split(",")) for line in lines if line.startswith("tmpfs ")}
    assert "ran" in lines
    assert "/cache 33:33 750" in lines
    assert {"nosuid", "nodev"} <= mounts["/run"]
    assert "noexec" not in mounts["/run"]
    assert {"uid=33", "gid=33", "noatime", "noexec"} <= mounts["/cache"]
    assert {"noexec", "nr_inodes=99"} <= mounts["/part"]
    assert not {"nosuid", "nodev"} & mounts["/part"]
    assert {"mode=700", "noexec"} <= mounts["/long"]
    sizes = [next(word for word in mounts[at] if word.startswith("size=")) for at in ("/part", "/long")]
    one, two = (int(size.removeprefix("size=").removesuffix("k")) for size in sizes)
    assert 0 < one < two


SUBPATH = """
services:
  prepare:
    image: rootfs:/
    command: [sh, -c, mkdir -p /all/web; echo page > /all/web/index]
    volumes: ["store:/all"]
  app:
    image: rootfs:/
    command: [cat, /srv/index]
    depends_on: {prepare: {condition: service_completed_successfully}}
    volumes: [{type: volume, source: store, target: /srv, volume: {subpath: web}}]
volumes: {store: {}}
"""


@pytest.mark.parametrize("runtime", ["", "crun", "runc"])
def test_subpath_from_dependency(write_stack, runtime):
    if runtime and not shutil.which(runtime):
        pytest.skip(f"needs {runtime}")
    stack = write_stack(
        SUBPATH.replace("command: [cat", f"runtime: {runtime}\n    command: [cat") if runtime else SUBPATH
    )
    assert "page" in stack.run("up", "--no-log-prefix").stdout.splitlines()


def test_a_subpath_that_no_dependency_makes_is_reported_at_the_start(write_stack):
    stack = write_stack(SUBPATH.replace("/web", "/other"))
    assert "the subpath web of volume stack_store: No such file" in stack.run("up", "-d", code=1).stderr


def test_bind_source_from_dependency(write_stack, tmp_path):
    stack = write_stack(f"""
services:
  prepare: {{image: "rootfs:/", command: [touch, /all/made], volumes: ["{tmp_path}:/all"]}}
  app:
    image: rootfs:/
    command: [ls, /srv/made]
    depends_on: {{prepare: {{condition: service_completed_successfully}}}}
    volumes: [{{type: bind, source: "{tmp_path}/made", target: /srv/made, bind: {{create_host_path: false}}}}]
""")
    assert "/srv/made" in stack.run("up", "--no-log-prefix").stdout.splitlines()
    stack.run("down")
    stack.file.write_text(stack.file.read_text().replace("/all/made", "/all/other"))
    (tmp_path / "made").unlink()
    assert f"{tmp_path}/made, to be mounted at /srv/made, does not exist" in stack.run("up", "-d", code=1).stderr


def test_a_subpath_that_becomes_a_link_leads_nowhere(write_stack):
    """Two containers of one volume: what one makes of the path must not lead the other to the host's files."""
    stack = write_stack("""
services:
  evil:
    image: rootfs:/
    command: ["sh", "-c", "mkdir /all/etc; echo own > /all/etc/mark; mkdir -p /all/web; sleep infinity"]
    stop_signal: SIGKILL
    volumes: ["store:/all"]
    healthcheck: {test: [CMD, test, -d, /all/web]}
  app:
    image: rootfs:/
    command: ["sh", "-c", "cat /srv/mark; ls /srv | wc -l"]
    depends_on: {evil: {condition: service_healthy}}
    volumes: [{type: volume, source: store, target: /srv, volume: {subpath: web}}]
volumes: {store: {}}
""")
    stack.run("up", "-d")
    stack.run("exec", "-T", "evil", "sh", "-c", "rm -r /all/web; ln -s /etc /all/web")
    stack.run("up", "-d", "--no-deps", "--force-recreate", "app")
    lines = stack.run("logs", "--no-log-prefix", "app").stdout.splitlines()
    assert lines[-2:] == ["own", "1"]

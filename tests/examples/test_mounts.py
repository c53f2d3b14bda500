"""What is mounted in containers, seen from inside them."""

from __future__ import annotations

import os

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

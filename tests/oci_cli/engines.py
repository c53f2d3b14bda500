"""A place for podman and Docker: namespaces of their own on a tree that has them installed; nothing of it outlives it.

The tree is the machine's own, or the one that ORCHESTRA_TEST_ENGINES names: a Debian root with podman, docker.io,
docker-cli and python3, made by mmdebstrap say. Its files are under a layer in memory, its network is a loopback, and
its cgroups are below one of the test's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import orchestra
from orchestra.linux import cgroup, namespaces
from orchestra.linux.mounts import mount
from tests.forking import fork
from tests.run import word
from tests.shim.conftest import eventually

VARIABLE = "ORCHESTRA_TEST_ENGINES"
UNPACKED = f"{sys.prefix}/engines"
"""Where ``make test`` unpacks Docker: installing it would start its service, which changes the firewall."""
PATH = f"/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin:{UNPACKED}/usr/bin:{UNPACKED}/usr/sbin"
RUNTIME = "/usr/local/bin/orchestra-runtime"
SOURCES = str(Path(orchestra.__path__[0]).parent)
LAUNCHER = f"""#!/usr/bin/python3 -IS
import sys
sys.path.append({SOURCES!r})
from orchestra.oci_cli.__main__ import main
sys.exit(main())
"""
FIRST_PROCESS = """
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
print(flush=True)
while True:
    signal.sigwait([signal.SIGCHLD])
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        continue
"""
IMAGE, BUILT = "/run/image.tar", "/run/built.tar"
"""A root file system, and an archive of the image that ``orchestra image build`` makes of it."""
OF_THE_MOUNT = ("rw", "ro", "relatime", "nosuid", "nodev", "noexec")
IN_MEMORY = ("run", "tmp", "var/lib", "var/log")


def tree_with(program):
    """The root on which that engine is installed, or beside which it is unpacked."""
    for root in (os.environ.get(VARIABLE), "/"):
        places = ":".join(f"{place}/{where}" for place in (root, UNPACKED) for where in ("usr/bin", "usr/sbin"))
        if root and all(shutil.which(name, path=places) for name in (program, "python3")):
            return root
    return pytest.skip(f"needs {program} and python3, installed here or in a tree that {VARIABLE} names")


DOCKERFILE = """\
FROM scratch
ADD image.tar /
ENV WORD=built
WORKDIR /made
COPY --chown=7:8 --chmod=640 Dockerfile .
RUN echo "$WORD by $(id -u)" > said && chmod 4755 said && ln said same && rm -r /root
USER 7:8
ENTRYPOINT ["sh", "-c"]
CMD ["cat said; stat -c '%a %u:%g' Dockerfile said; pwd; id -u; ls -d /root same 2>&1 || true"]
"""
SAID = "built by 0\n640 7:8\n4755 0:0\n/made\n7\nls: /root: No such file or directory\nsame\n"


def build(path: Path, image: Path) -> str:
    """Make ``built.tar`` of the root file system ``image``, beside it. The digest of the image's configuration."""
    (path / "Dockerfile").write_text(DOCKERFILE)
    command = [sys.executable, "-m", "orchestra", "image"]
    environment = {**os.environ, "ORCHESTRA_HOME": f"{path}/home"}
    done = []
    for words in (("build", "-q", "-t", "built:1", path), ("save", "-o", path / "built.tar", "built:1")):
        done.append(subprocess.run([*command, *words], env=environment, capture_output=True, text=True, check=False))
        assert done[-1].returncode == 0, done[-1].stderr
    return done[0].stdout.strip()


class World:
    """Made by a child, which becomes its first process; ``close`` ends everything in it."""

    def __init__(self, root, path, image_tree) -> None:
        self.path = path
        self.name = f"orchestra-{word()}"
        self.group = cgroup.at(f"/{self.name}")
        self.group.create({})
        self.roots = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
        image = path / "image.tar"
        with tarfile.open(image, "w") as archive:
            archive.add(image_tree, ".")
        self.built = build(path, image)
        reader, writer = os.pipe()
        self.pid = fork()
        if self.pid == 0:
            try:
                os.dup2(writer, 1)
                self._become(root, image)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            finally:
                os._exit(1)
        os.close(writer)
        with open(reader, "rb") as ready:
            begun = ready.read(1)
        if not begun:
            os.waitpid(self.pid, 0)
            self.group.remove()
            pytest.fail("the world of the engines could not be made: see what it said")
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        (self.first,) = children.read_text().split()

    def _become(self, root, image):
        self.group.enter()
        names = ("mount", "network", "ipc", "uts", "cgroup", "pid")
        namespaces.unshare(sum(namespaces.FLAGS[name] for name in names))
        if os.fork():
            os.wait()
            os._exit(0)
        mount.mount("", "/", flags=mount.MS_REC | mount.MS_PRIVATE)
        layer = self.path / "layer"
        layer.mkdir()
        mount.mount("tmpfs", str(layer), "tmpfs")
        for name in ("upper", "work", "root"):
            (layer / name).mkdir()
        # What is below the tree's own mounts is not part of an overlay: neither /proc nor /sys, which come anew.
        options = f"lowerdir={root},upperdir={layer}/upper,workdir={layer}/work"
        here = layer / "root"
        mount.mount("overlay", str(here), "overlay", 0, options)
        for name in IN_MEMORY:
            mount.mount("tmpfs", str(here / name), "tmpfs")
        mount.mount("proc", str(here / "proc"), "proc")
        mount.mount("sysfs", str(here / "sys"), "sysfs")
        mount.mount("/dev", str(here / "dev"), "", mount.MS_BIND | mount.MS_REC)
        mount.mount("tmpfs", str(here / "dev/shm"), "tmpfs")  # podman's locks are there
        self._mount_cgroups(here / "sys/fs/cgroup")
        shared = [(SOURCES, SOURCES), (str(image), IMAGE), (f"{self.path}/built.tar", BUILT)]
        for path, place in [*shared, (UNPACKED, UNPACKED)] if os.path.isdir(UNPACKED) else shared:
            target = Path(f"{here}/{place}")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.mkdir(exist_ok=True) if os.path.isdir(path) else target.touch()
            mount.mount(path, str(target), "", mount.MS_BIND | mount.MS_REC)
        launcher = Path(f"{here}{RUNTIME}")
        launcher.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_text(LAUNCHER)
        launcher.chmod(0o755)
        os.chdir(here)
        mount.pivot_root(".", ".")
        mount.unmount(".", mount.MNT_DETACH)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
        os.execv("/usr/bin/python3", ["python3", "-IS", "-c", FIRST_PROCESS])

    def _mount_cgroups(self, here):
        """Of version 1 alone where there are both: neither engine knows what to do with them side by side."""
        hierarchy = cgroup.machine_hierarchy()
        if hierarchy.version == 2:
            mount.mount("cgroup2", str(here), "cgroup2")
            (here / "first").mkdir()
            (here / "first/cgroup.procs").write_text("0")
            return
        mount.mount("tmpfs", str(here), "tmpfs")
        for directory in dict.fromkeys(hierarchy.v1.values()):
            name = os.path.basename(directory)
            (here / name).mkdir()
            options = next(row[3] for row in self.roots if row[1] == directory).split(",")
            data = ",".join(word for word in options if word not in OF_THE_MOUNT)
            mount.mount("cgroup", str(here / name), "cgroup", 0, data)

    def run(self, *words, timeout=60, **keys):
        entered = ["nsenter", "-t", self.first, "-m", "-n", "-p", "-i", "-u", "-C", "-r", "-w", *words]
        env = {"PATH": PATH, "PODMAN_IGNORE_CGROUPSV1_WARNING": "1"}
        return subprocess.run(entered, capture_output=True, text=True, timeout=timeout, env=env, **keys)

    def start(self, *words):
        """Something that stays, until the end of this world; what it says is in a file of its name."""
        script = f'exec "$@" > /var/log/{os.path.basename(words[0])} 2>&1 < /dev/null &'
        self.run("setsid", "sh", "-c", script, "sh", *words)

    def close(self):
        os.kill(int(self.first), 9)
        os.waitpid(self.pid, 0)
        self.group.kill()
        self.group.remove()
        hierarchy = cgroup.machine_hierarchy()
        eventually(lambda: not any(self._left(root) for root in [*hierarchy.v1.values(), hierarchy.v2] if root))

    def _left(self, root):
        return os.path.exists(f"{root}/{self.name}")

"""A user without root, made in a mount namespace of the test's own: a name, ids in /etc/subuid, a home, and sources and
an interpreter that may be read. The host's own files stay as they are.

With the variable ORCHESTRA_TEST_USER, such a user types the commands of ``tests.examples``.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import orchestra
from orchestra.home import Home
from tests.shim.conftest import eventually

UID, BEYOND, COUNT = 1234567, 2000000, 65536
# Of this run alone: a user made by another run must not be taken for one of these, whose processes are killed.
NUMBERS = itertools.count(10_000_000 + 1000 * (os.getpid() % 100_000))
SOURCES = Path(orchestra.__path__[0]).parent
APPLETS = "sh sleep cat wget nc httpd id ls ip echo touch chown chmod env grep mkdir stat"
LIMIT = 120.0
TUN = "/dev/net/tun"
ELSEWHERE = "203.0.113.7"
"""An address of another machine, which only a way out leads to."""


def lack():
    """Why no user without root can make containers here."""
    for program in ("setpriv", "newuidmap", "busybox", "nft", "nsenter"):
        if shutil.which(program) is None:
            return f"needs the program {program}"
    if os.geteuid() != 0:
        return "needs root to make a user"
    words = ("setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", "unshare", "--user", "true")
    return "" if subprocess.run(words).returncode == 0 else "this machine lets only root make user namespaces"


class Plain:
    """A user, and the command as that user types it.

    programs: those in PATH; None for the machine's. uplink: in a network of the user's own, with a default route to
    another machine, ELSEWHERE, which serves the files passwd and group over HTTP. overlays: whether the file system of
    the user's data can have them: not if it is overlayfs itself. tunnels: whether the user may have network devices.
    """

    def __init__(self, *, ids=True, programs=None, uplink=False, overlays=True, tunnels=True) -> None:
        self.uid = next(NUMBERS)
        self.path = Path(tempfile.mkdtemp(prefix="orc-plain-", dir="/tmp"))
        self.path.chmod(0o755)
        self.home = Home(f"{self.path}/data/orchestra", f"{self.path}/run/orchestra")
        for name in ("data", "run", "stack", "tree", "tree/bin", "tree/etc", "tree/tmp"):
            (self.path / name).mkdir()
        shutil.copy(shutil.which("busybox"), self.path / "tree/bin/busybox")
        for applet in APPLETS.split():
            (self.path / "tree/bin" / applet).symlink_to("busybox")
        (self.path / "tree/etc/passwd").write_text("root:x:0:0::/:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n")
        subprocess.run(["chown", "-R", f"{self.uid}:{self.uid}", self.path], check=True)
        search = os.environ["PATH"]
        if programs is not None:
            search = str(self.path / "programs")
            Path(search).mkdir()
            for program in programs:
                Path(search, program).symlink_to(shutil.which(program))
        self.variables = [
            *(f"HOME={self.path}", f"XDG_DATA_HOME={self.path}/data", f"XDG_RUNTIME_DIR={self.path}/run"),
            *(f"PATH={search}", "PYTHONDONTWRITEBYTECODE=1", "TERM=dumb", f"PYTHONPATH={SOURCES}"),
        ]
        self.place = self._make_place(ids, uplink, overlays, tunnels)

    def _make_place(self, ids, uplink, overlays, tunnels):
        """A process in the mount namespace, which lives as long as this object."""
        etc = self.path / "etc"
        etc.mkdir()
        own = {"passwd": f"plain:x:{self.uid}:{self.uid}::{self.path}:/bin/sh\n", "group": f"plain:x:{self.uid}:\n"}
        for name, line in own.items():
            (etc / name).write_text(Path("/etc", name).read_text() + line)
        for name in ("subuid", "subgid"):
            (etc / name).write_text(f"plain:{BEYOND}:{COUNT}\n" if ids else "")
        covered = {}
        for wanted in (Path(sys.base_prefix), Path(sys.prefix), SOURCES):
            closed = next((above for above in reversed(wanted.parents) if not above.stat().st_mode & 0o001), None)
            if closed is not None:
                covered.setdefault(closed, []).append(wanted)
        script = ["set -e", *(f"mount --bind {etc}/{name} /etc/{name}" for name in os.listdir(etc))]
        for closed, below in covered.items():
            script += ["mount -t tmpfs none /mnt"]
            for number, wanted in enumerate(below):
                script += [f"mkdir /mnt/{number}", f"mount --rbind {wanted} /mnt/{number}"]
            script += [f"mount -t tmpfs -o mode=755 none {closed}"]
            for number, wanted in enumerate(below):
                script += [f"mkdir -p {wanted}", f"mount --rbind /mnt/{number} {wanted}"]
        if not overlays:
            above = self.path / "above"
            for name in ("upper", "work"):
                (above / name).mkdir(parents=True)
            os.chown(above / "upper", self.uid, self.uid)
            options = f"lowerdir={self.path}/run,upperdir={above}/upper,workdir={above}/work"
            script += [f"mount -t overlay -o {options} none {self.path}/data"]
        if os.path.exists(TUN):
            tun = self.path / "tun"
            os.mknod(tun, stat.S_IFCHR, os.makedev(10, 200))
            tun.chmod(0o666 if tunnels else 0o600)  # 0666 as systemd has it; without, it may be for root alone
            script += [f"mount --bind {tun} {TUN}"]
        if uplink:
            # Another machine with a web server, at the end of the user's only cable.
            far = "nsenter -t $far -n ip"
            script += [f"setpriv --pdeathsig KILL unshare --net busybox httpd -f -p 80 -h {etc} & far=$!"]
            script += ['until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do :; done']
            script += ["ip link add up0 type veth peer name far netns $far", "ip link set lo up", "ip link set up0 up"]
            script += ["ip addr add 198.51.100.2/24 dev up0", f"{far} link set lo up", f"{far} link set far up"]
            script += [f"{far} addr add 198.51.100.1/24 dev far", f"{far} addr add {ELSEWHERE}/32 dev lo"]
            script += ["ip route add default via 198.51.100.1"]
        script += ["echo made", "exec sleep infinity"]
        words = ["unshare", "--mount", *(["--net"] if uplink else []), "sh", "-c", "\n".join(script)]
        place = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert place.stdout.readline() == b"made\n"
        return place

    def run(self, *words, cwd="stack", timeout=LIMIT, uid=None):
        """Run a program as the user, or another. Its output goes to a file: what it starts may keep a pipe open."""
        enter = ["nsenter", "-t", str(self.place.pid), "-m", "-n", f"--wd={self.path / cwd}"]
        uid = str(self.uid if uid is None else uid)
        become = ["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"]
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            command = [*enter, *become, "env", "-i", *self.variables, *words]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=timeout)
            out.seek(0)
            err.seek(0)
            done.stdout, done.stderr = out.read(), err.read()
        return done

    def becoming(self, directory):
        """The words before those of a command that the user is to run there, in the network of this process."""
        enter = ["nsenter", "-t", str(self.place.pid), "-m", f"--wd={directory}"]
        return [*enter, "setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups"]

    def give(self, *paths):
        """Give the user these files and directories, with all below; what is above them may be entered."""
        for path in paths:
            for above in path.parents:
                if above.stat().st_uid == os.geteuid() and above.is_relative_to(tempfile.gettempdir()):
                    above.chmod(above.stat().st_mode | 0o011)
            # Files of a stack that runs may go meanwhile.
            subprocess.run(["chown", "-Rhf", "--from=0", f"{self.uid}:{self.uid}", path], check=False)

    def orchestra(self, *words, code=0):
        done = self.run(sys.executable, "-m", "orchestra", *words)
        assert code is None or done.returncode == code, (
            f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}\n{self.logs()}"
        )
        return done

    def logs(self):
        found = [
            *self.path.glob("data/orchestra/stacks/*/supervisor.log"),
            *self.path.glob("run/orchestra/rootless/*.log"),
        ]
        return "\n".join(f"{path}:\n{path.read_text()[-2000:]}" for path in found)

    def write(self, text, name="stack/compose.yaml"):
        path = self.path / name
        path.write_text(text)
        os.chown(path, self.uid, self.uid)

    def processes(self):
        """The user's own and those of containers' roots, by name."""
        found = {}
        for pid in filter(str.isdecimal, os.listdir("/proc")):
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
                if int(fields["Uid"].split()[0]) == self.uid and fields["State"].split()[0] not in "ZX":
                    found.setdefault(fields["Name"].strip(), []).append(int(pid))
        return found

    def has_ended(self):
        """Kills what there is. Some processes begin others anew, which are there when this is asked again."""
        found = self.processes()
        for pids in found.values():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return not found

    def close(self):
        eventually(self.has_ended)
        self.place.kill()
        self.place.wait()
        self.place.stdout.close()
        shutil.rmtree(self.path)


def is_wanted():
    """Whether a user without root is to type the commands of tests that leave it open."""
    return "ORCHESTRA_TEST_USER" in os.environ


@functools.cache
def of_the_run():
    """The user who does; one for each process of pytest, and gone with it."""
    plain = Plain()
    atexit.register(plain.close)
    return plain

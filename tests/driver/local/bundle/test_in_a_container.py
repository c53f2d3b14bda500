"""Bundles mean what they say: real containers, made from them by the real shim, tell what they find."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from pathlib import Path
from uuid import uuid4

import pytest

from orchestra.driver.local.bundle.config import render_bundle, render_etc_files
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.process import render_process
from orchestra.driver.local.confinement import store_filter
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.user import resolve_user
from orchestra.driver.local.volume import create_volume, resolve_mounts
from orchestra.errors import FatalError
from orchestra.home import find_home
from orchestra.linux import cgroup
from orchestra.linux.mounts import mount
from orchestra.linux.network.namespace import pin_namespace, unpin_namespace
from orchestra.linux.security import capabilities
from orchestra.model.desired import VolumeSpec
from orchestra.model.device_edits import DeviceEdits, DeviceNode, EditHook, EditMount
from orchestra.model.limits import BlockIO, Device, DeviceValue, Resources, Ulimit
from orchestra.model.mount import BindMount, TmpfsMount, VolumeMount
from orchestra.model.sharing import Host
from orchestra.shim import client, launch
from tests.driver.local.bundle.containers import attachment, spec
from tests.run import word

BUSYBOX = shutil.which("busybox")
LACK = "needs root to make containers" if os.geteuid() != 0 else "" if BUSYBOX else "needs the program busybox"
pytestmark = [pytest.mark.root, pytest.mark.skipif(bool(LACK), reason=LACK)]

PASSWD = "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"
APPLETS = "sh cat echo env grep head hostname id ls mknod pwd readlink sleep stat touch wc"
GROUP = "root:x:0:\napp:x:1000:\nvideo:x:44:app\n"
# Everything there is to know, one file each in the directory mounted at /out.
TELL = """
cat /proc/self/status > /out/status; env > /out/env; cat /proc/self/mountinfo > /out/mounts
pwd > /out/cwd; id > /out/id; hostname > /out/hostname; cat /proc/sys/kernel/domainname > /out/domainname
ulimit -n > /out/nofile; cat /proc/self/cgroup > /out/cgroup; ls -l /dev > /out/dev; echo $$ > /out/pid
cat /etc/hosts /etc/resolv.conf /etc/hostname > /out/etc
{ SCRIPT; } > /out/said 2>&1
"""


class Machine:
    """One stack's fork server, with a root file system that holds busybox."""

    def __init__(self, path) -> None:
        self.home = find_home({"ORCHESTRA_HOME": str(path / "home")}, 0)
        self.stack = self.home.stack("s")
        self.out = path / "out"
        self.namespace = str(path / "network")
        self.stop = path / "stop"
        self.directory = Path(self.stack.container("s-web-1"))
        self.out.mkdir()
        self.out.chmod(0o777)

    def start(self):
        waiting = self.stop.with_name("waiting.py")
        waiting.write_text(f"import os, time\nwhile not os.path.exists({str(self.stop)!r}): time.sleep(0.05)\n")
        launch.launch(self.stack, [str(waiting)])
        pin_namespace(self.namespace)

    def end(self):
        client.delete(str(self.directory))
        self.stop.touch()
        deadline = time.monotonic() + 30
        while launch.is_running(self.stack) and time.monotonic() < deadline:
            time.sleep(0.02)
        unpin_namespace(self.namespace)

    def run(self, script="true", *, mounts=(), user="", host_network=False, **more):
        """Run a container that tells what it finds, then what ``script`` says; its exit code and the warnings."""
        root = self.directory / "rootfs"
        for name in ("bin", "etc", "tmp"):
            (root / name).mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        for name in APPLETS.split():
            (root / "bin" / name).symlink_to("busybox")
        container = spec(
            mounts=(*mounts, BindMount("/out", str(self.out))),
            user=user,
            command=("sh", "-c", TELL.replace("SCRIPT", script)),
            **more,
        )
        attached = attachment(
            namespace_path=None if host_network else self.namespace, hosts="127.0.0.1 box\n", resolv_conf="# none\n"
        )
        config = render_bundle(
            container,
            ImageConfig(),
            user=resolve_user(user, PASSWD, GROUP),
            attachment=attached,
            mounts=resolve_mounts(self.home, "s", container, {}),
            cgroups_path=f"/orchestra/{word()}/{uuid4().hex}",
            host=observe_host(container),
        )
        for name, text in render_etc_files(attached).items():
            (self.directory / name).write_text(text)
        settings = {"seccomp": store_filter(config, str(self.directory))}
        (self.directory / "config.json").write_text(json.dumps(config))
        (self.directory / "shim.json").write_text(json.dumps(settings))
        self.config = config
        return client.run(self.stack.fork_socket, str(self.directory)).warnings

    def wait(self):
        return client.wait(str(self.directory), 20).exit_code

    def told(self, name):
        return (self.out / name).read_text()

    @property
    def status(self):
        return dict(line.split(":\t", 1) for line in self.told("status").splitlines() if ":\t" in line)

    @property
    def mounts(self):
        """Place to its options, those of the mount and of the file system."""
        lines = [line.split() for line in self.told("mounts").splitlines()]
        return {fields[4]: f"{fields[5]},{fields[-1]}".split(",") for fields in lines}


@pytest.fixture
def machine(tmp_path):
    made = Machine(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.end()


def mask(names):
    return sum(1 << capabilities.NUMBERS[name] for name in names)


def test_a_plain_container(machine):
    ports = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    script = f"touch /written; ls /proc/1 > /dev/null; cat /proc/keys /proc/timer_list | wc -c; cat {ports}"
    assert machine.run(script) == ()
    assert machine.wait() == 0
    expected = mask(machine.config["process"]["capabilities"]["bounding"]) & capabilities.held()
    for kind in ("CapPrm", "CapEff", "CapBnd"):
        assert int(machine.status[kind], 16) == expected, kind
    assert int(machine.status["CapInh"], 16) == int(machine.status["CapAmb"], 16) == 0
    assert machine.told("pid") == "1\n"
    assert machine.told("hostname") == "s-web-1\n"
    assert machine.told("cwd") == "/\n"
    assert machine.told("etc") == "127.0.0.1 box\n# none\ns-web-1\n"
    assert machine.told("said") == "0\n0\n"
    assert {"HOSTNAME=s-web-1", "HOME=/root"} <= set(machine.told("env").splitlines())
    assert "ro" in machine.mounts["/proc/sys"]
    assert "ro" in machine.mounts["/sys"]
    assert {"rw", "size=65536k"} <= set(machine.mounts["/dev/shm"])


def test_everything_that_a_service_may_ask_of_its_process(machine):
    soft = 512
    warnings = machine.run(
        "cat /proc/self/oom_score_adj",
        user="app",
        groups=(),
        working_directory="/made/for/it",
        environment={"A": "b c"},
        hostname="box",
        domainname="example.org",
        cap_drop=("ALL",),
        cap_add=("NET_BIND_SERVICE",),
        security_options=("no-new-privileges",),
        ulimits=(Ulimit("nofile", soft, soft),),
        oom_score_adj=500,
        sysctls={"net.ipv4.ip_forward": "1"},
        init=True,
    )
    assert warnings == ()
    assert machine.wait() == 0
    assert machine.told("id").split() == ["uid=1000", "gid=1000", "groups=44,1000"]
    assert machine.told("cwd") == "/made/for/it\n"
    assert {"A=b c", "HOME=/home/app"} <= set(machine.told("env").splitlines())
    assert machine.told("domainname") == "example.org\n"
    assert machine.told("nofile") == f"{soft}\n"
    assert machine.told("said") == "500\n"
    assert int(machine.told("pid")) > 1
    assert machine.status["NoNewPrivs"] == "1"
    assert int(machine.status["CapBnd"], 16) == mask(["CAP_NET_BIND_SERVICE"])
    assert int(machine.status["CapEff"], 16) == 0


def test_mounts_are_as_read_only_and_as_large_as_asked(machine, tmp_path):
    (tmp_path / "outer/inner").mkdir(parents=True)
    (tmp_path / "file").write_text("of the host\n")
    create_volume(machine.home, "s", VolumeSpec(key="data", name="s_data"))
    machine.run(
        "cat /srv/inner/file; echo x > /srv/inner/data/y; echo x > /srv/z; echo x > /root-is-read-only",
        read_only=True,
        shm_size=1 << 20,
        mounts=(
            BindMount("/srv/inner/file", f"{tmp_path}/file", read_only=True),
            VolumeMount("/srv/inner/data", "s_data"),
            TmpfsMount("/srv/inner", options=("size=1m", "mode=711")),
            BindMount("/srv", f"{tmp_path}/outer", read_only=True),
            BindMount("/etc/hosts", f"{tmp_path}/file"),
        ),
    )
    assert machine.wait() != 0
    said = machine.told("said").splitlines()
    assert said[0] == "of the host"
    assert len(said) == 3
    assert all("Read-only file system" in line for line in said[1:])
    assert Path(machine.home.volumes, "s_data/_data/y").read_text() == "x\n"
    assert {"rw", "nosuid", "nodev", "noexec", "size=1024k", "mode=711"} <= set(machine.mounts["/srv/inner"])
    assert "ro" in machine.mounts["/srv"]
    assert "ro" in machine.mounts["/etc/resolv.conf"]
    assert "rw" in machine.mounts["/etc/hosts"]
    assert "size=1024k" in machine.mounts["/dev/shm"]
    assert machine.told("etc").startswith("of the host")


def test_a_read_only_bind_is_read_only_to_its_depth(machine, tmp_path):
    outer, other = tmp_path / "outer", tmp_path / "other"
    (outer / "inner").mkdir(parents=True)
    other.mkdir()
    mount.mount(str(other), f"{outer}/inner", flags=mount.MS_BIND)
    try:
        machine.run("echo x > /srv/inner/x", mounts=(BindMount("/srv", str(outer), read_only=True),))
        assert machine.wait() != 0
    finally:
        mount.unmount(f"{outer}/inner", mount.MNT_DETACH)
    assert "Read-only file system" in machine.told("said")
    assert list(other.iterdir()) == []


@pytest.mark.skipif(cgroup.machine_hierarchy().version == 0, reason="needs cgroups")
def test_limits_and_devices(machine):
    paths = "/dev/zero /dev/null /dev/full /dev/fulls"
    warnings = machine.run(
        f"for d in {paths}; do head -c 1 $d > /dev/null && echo read $d; done; mknod /dev/ram c 1 1 && cat /dev/ram",
        devices=(Device("/dev/full", "/dev/fulls", "r"),),
        resources=Resources(memory=64 << 20, cpus=0.5, cpu_shares=256, pids=50),
    )
    assert warnings == ()
    assert machine.wait() != 0
    said = machine.told("said").splitlines()
    assert said[:4] == [f"read {path}" for path in paths.split()]
    if cgroup.machine_hierarchy().version == 1:
        assert "Operation not permitted" in said[4]
    assert "fulls" in machine.told("dev")
    groups = [line.split(":", 2)[2] for line in machine.told("cgroup").splitlines() if ":pids:" in line]
    assert groups in ([], ["/"])


DISK = next((f"/dev/{name}" for name in sorted(os.listdir("/sys/block")) if os.path.exists(f"/dev/{name}")), "")
NUMBER = f"{os.major(os.stat(DISK).st_rdev)}:{os.minor(os.stat(DISK).st_rdev)}" if DISK else ""
RATES = BlockIO(read_bytes=(DeviceValue(DISK, 1 << 20),), write_operations=(DeviceValue(DISK, 50),))


@pytest.mark.skipif(cgroup.machine_hierarchy().version == 0, reason="needs cgroups")
@pytest.mark.parametrize(
    ("resources", "files"),
    [
        (Resources(memory_swappiness=7), {"memory.swappiness": "7"}),
        (Resources(oom_kill_disable=True), {"memory.oom_control": "oom_kill_disable 1"}),
        (
            Resources(cpu_quota=30_000, cpu_period=60_000),
            {"cpu.cfs_quota_us": "30000", "cpu.cfs_period_us": "60000", "cpu.max": "30000 60000"},
        ),
        (
            Resources(block_io=RATES),
            {
                "blkio.throttle.read_bps_device": f"{NUMBER} 1048576",
                "blkio.throttle.write_iops_device": f"{NUMBER} 50",
                "io.max": f"{NUMBER} rbps=1048576 wbps=max riops=max wiops=50",
            },
        ),
        (Resources(block_io=BlockIO(weight=300)), {"blkio.bfq.weight": "300", "io.bfq.weight": "default 300"}),
        (Resources(device_rules=("c 10:77 r",)), {"devices.list": "c 10:77 r"}),
    ],
    ids=["swappiness", "oom", "quota", "rates", "weight", "devices"],
)
def test_a_limit_arrives_in_its_group_or_is_a_warning(machine, resources, files):
    warnings = machine.run("sleep 100", resources=resources)
    group = cgroup.at(machine.config["linux"]["cgroupsPath"], everywhere=False)
    places = {file: Path(group.directory(file.partition(".")[0]), file) for file in files}
    there = {file: path.read_text().splitlines() for file, path in places.items() if path.exists()}
    assert there or warnings
    assert {file: files[file] for file in there if files[file] not in there[file]} == {}


def test_a_group_above_has_as_much_real_time_as_those_below(machine):
    tree = Path(cgroup.machine_hierarchy().v1.get("cpu", "/nowhere"))
    if not (tree / "cpu.rt_runtime_us").exists():
        pytest.skip("this kernel divides no real time between groups")
    given = sum(int(file.read_text()) for file in tree.glob("*/cpu.rt_runtime_us"))
    if int((tree / "cpu.rt_runtime_us").read_text()) - given < 10_000:
        pytest.skip("somebody else has all of the machine's real time")
    machine.run("sleep 100", resources=Resources(realtime_runtime=1000, realtime_period=500_000))
    own = Path(f"{tree}{machine.config['linux']['cgroupsPath']}")
    above = own.parent
    assert (own / "cpu.rt_runtime_us").read_text() == "1000\n"
    assert (above / "cpu.rt_runtime_us").read_text() == "2000\n"
    other = cgroup.at(f"/orchestra/{above.name}/other", everywhere=False)
    try:
        assert other.create({"cpu": {"realtimeRuntime": 5000}}) == []
        assert (above / "cpu.rt_runtime_us").read_text() == "7000\n"
    finally:
        other.remove()


def test_a_privileged_container_has_it_all(machine):
    assert (
        machine.run("echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward", privileged=True)
        == ()
    )
    assert machine.wait() == 0
    assert int(machine.status["CapEff"], 16) == capabilities.held()
    assert machine.told("said") == "1\n"
    assert "/proc/sys" not in machine.mounts
    on_host = {name for name in os.listdir("/dev") if stat.S_ISCHR(os.lstat(f"/dev/{name}").st_mode)}
    in_container = {line.split()[-1] for line in machine.told("dev").splitlines() if line.startswith("c")}
    assert on_host - {"console", "ptmx"} <= in_container


def test_the_host_is_shared_only_where_asked(machine):
    machine.run("readlink /proc/self/ns/net; readlink /proc/self/ns/uts", uts=Host(), host_network=True)
    assert machine.wait() == 0
    ours = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "uts")]
    assert machine.told("said").split() == ours
    assert machine.told("hostname").strip() == os.uname().nodename


def test_programs_are_executed_as_the_container_or_as_asked(machine):
    machine.run("sleep 100", user="app", cap_drop=("ALL",), cap_add=("KILL",), environment={"A": "b"})
    deadline = time.monotonic() + 30
    while not (machine.out / "said").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    script = "id -u; id -G; echo $HOME $A; grep CapEff /proc/self/status"

    def execute(**more):
        reader, writer = os.pipe()
        null = os.open(os.devnull, os.O_RDONLY)
        process = render_process(machine.config, ("sh", "-c", script), **more)
        with client.exec_(
            machine.stack.fork_socket, str(machine.directory), process, (null, writer, writer)
        ) as program:
            os.close(writer)
            with open(reader) as output:
                text = output.read()
            assert program.wait() == 0
        os.close(null)
        return text.split()

    assert execute() == ["1000", "1000", "44", "/home/app", "b", "CapEff:", f"{0:016x}"]
    root = resolve_user("0", PASSWD, GROUP)
    assert execute(user=root) == ["0", "0", "/root", "b", "CapEff:", f"{mask(['CAP_KILL']):016x}"]
    assert execute(user=root, privileged=True)[-1] == f"{capabilities.held():016x}"


def test_what_devices_of_cdi_files_add(machine, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho $1 $A > {tmp_path}/hooked\n")
    hook.chmod(0o755)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/it").write_text("library")
    edits = DeviceEdits(
        environment=("GPU=7", "PATH=/bin"),
        nodes=(DeviceNode("/dev/gpu0", "/dev/null"), DeviceNode("/dev/made", kind="c", major=1, minor=5, mode=0o600)),
        mounts=(EditMount(str(tmp_path / "lib"), "/lib/gpu", options=("ro", "rbind")),),
        hooks=(EditHook("createRuntime", str(hook), ("hook", "word"), ("A=1", "PATH=/bin:/usr/bin")),),
        groups=(44,),
    )
    script = "echo x > /dev/gpu0; stat -c '%t:%T %a' /dev/gpu0 /dev/made; cat /lib/gpu/it; echo; echo $GPU; id -G"
    machine.run(script, device_edits=edits)
    assert machine.wait() == 0
    seen = machine.told("said").splitlines()
    assert seen[0].startswith("1:3 ")
    assert seen[1:4] == ["1:5 600", "library", "7"]
    assert "44" in seen[4].split()
    assert (tmp_path / "hooked").read_text() == "word 1\n"


def test_a_device_that_no_file_describes_is_refused(machine):
    with pytest.raises(FatalError, match="service web: unresolvable CDI devices a/b=c") as caught:
        machine.run(devices_not_found=("unresolvable CDI devices a/b=c",))
    assert "/etc/cdi" in caught.value.hint

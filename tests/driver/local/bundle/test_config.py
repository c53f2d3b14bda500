"""The whole of a configuration, and its parts that are one line each."""

from __future__ import annotations

import json

import pytest

from orchestra.driver.local.bundle.capability import DEFAULT
from orchestra.driver.local.bundle.config import render_etc_files
from orchestra.driver.local.bundle.seccomp import render_default_profile
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.volume import ResolvedMount
from orchestra.errors import FatalError
from tests.driver.local.bundle.containers import HOST, attachment, render

CAPABILITIES = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SYS_CHROOT",
    "CAP_MKNOD",
    "CAP_AUDIT_WRITE",
    "CAP_SETFCAP",
]


def bound(destination, name):
    return {"destination": destination, "type": "bind", "source": name, "options": ["rbind", "rprivate"]}


def default(destination, kind, source, *options):
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}


# What a container is given when its service says nothing but its image.
PLAIN = {
    "ociVersion": "1.2.0",
    "hostname": "s-web-1",
    "process": {
        "terminal": False,
        "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
        "args": ["serve"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=s-web-1", "HOME=/"],
        "cwd": "/",
        "capabilities": {
            "bounding": CAPABILITIES,
            "effective": CAPABILITIES,
            "permitted": CAPABILITIES,
            "inheritable": [],
            "ambient": [],
        },
        "noNewPrivileges": False,
        "rlimits": [],
    },
    "root": {"path": "rootfs", "readonly": False},
    "mounts": [
        default("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        default("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        default(
            "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"
        ),
        default("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=67108864"),
        default("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
        default("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        default("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro"),
        bound("/etc/hosts", "hosts"),
        bound("/etc/hostname", "hostname"),
        bound("/etc/resolv.conf", "resolv.conf"),
    ],
    "annotations": {"io.orchestra.home-of-user": "true"},
    "linux": {
        "namespaces": [
            {"type": "mount"},
            {"type": "cgroup"},
            {"type": "uts"},
            {"type": "ipc"},
            {"type": "pid"},
            {"type": "network", "path": "/run/netns/c0ffee"},
        ],
        "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647"},
        "cgroupsPath": "/orchestra/s/c0ffee",
        "resources": {
            "devices": [
                {"allow": False, "access": "rwm"},
                {"allow": True, "type": "c", "access": "m"},
                {"allow": True, "type": "b", "access": "m"},
                {"allow": True, "type": "c", "access": "rwm", "major": 1, "minor": 3},
                {"allow": True, "type": "c", "access": "rwm", "major": 1, "minor": 5},
                {"allow": True, "type": "c", "access": "rwm", "major": 1, "minor": 7},
                {"allow": True, "type": "c", "access": "rwm", "major": 1, "minor": 8},
                {"allow": True, "type": "c", "access": "rwm", "major": 1, "minor": 9},
                {"allow": True, "type": "c", "access": "rwm", "major": 5, "minor": 0},
                {"allow": True, "type": "c", "access": "rwm", "major": 5, "minor": 1},
                {"allow": True, "type": "c", "access": "rwm", "major": 5, "minor": 2},
                {"allow": True, "type": "c", "access": "rwm", "major": 136},
            ]
        },
        "devices": [],
        "maskedPaths": [
            "/proc/asound",
            "/proc/acpi",
            "/proc/interrupts",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
}


def test_a_plain_container():
    config = render()
    assert config["linux"].pop("seccomp") == render_default_profile(frozenset(DEFAULT), HOST.machine)
    assert config == PLAIN


def test_a_bundle_is_json():
    config = render(tty=True, init=True, mounts=[ResolvedMount("/t", "tmpfs", "tmpfs", ("mode=1777",), True)])
    assert json.loads(json.dumps(config)) == config


def test_labels_become_annotations_and_the_last_word_counts():
    image = ImageConfig(command=("x",), labels={"a": "image", "b": "image", "c": "image"})
    config = render(image, labels={"b": "label", "c": "label"}, annotations={"c": "annotation"})
    expected = {"a": "image", "b": "label", "c": "annotation", "io.orchestra.home-of-user": "true"}
    assert config["annotations"] == expected


@pytest.mark.parametrize("init", [True, False])
def test_only_init_asks_for_a_reaper(init):
    config = render(init=init, labels={"io.orchestra.init": "true"}, annotations={"io.orchestra.init": "true"})
    assert config["annotations"].get("io.orchestra.init") == ("true" if init else None)


def test_a_privileged_container_is_kept_from_little():
    config = render(privileged=True)
    options = {entry["destination"]: entry["options"] for entry in config["mounts"]}
    assert "ro" not in options["/sys"] + options["/sys/fs/cgroup"]
    assert config["linux"]["maskedPaths"] == config["linux"]["readonlyPaths"] == []
    assert config["linux"]["resources"]["devices"] == [{"allow": True, "access": "rwm"}]


def test_a_read_only_root_leaves_what_is_not_of_the_image():
    config = render(read_only=True)
    assert config["root"] == {"path": "rootfs", "readonly": True}
    read_only = [entry["destination"] for entry in config["mounts"] if "ro" in entry["options"]]
    assert read_only == ["/sys", "/sys/fs/cgroup", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"]


@pytest.mark.parametrize(
    ("options", "no_new_privileges", "masks", "cgroups_read_only"),
    [
        ((), False, True, True),
        (("no-new-privileges",), True, True, True),
        (("no-new-privileges:true",), True, True, True),
        (("no-new-privileges=true",), True, True, True),
        (("no-new-privileges:false",), False, True, True),
        (("systempaths=unconfined",), False, False, True),
        (("writable-cgroups=true",), False, True, False),
        (("seccomp:unconfined", "apparmor=unconfined", "label:disable"), False, True, True),
    ],
)
def test_security_options(options, no_new_privileges, masks, cgroups_read_only):
    config = render(security_options=options)
    assert config["process"]["noNewPrivileges"] is no_new_privileges
    assert bool(config["linux"]["maskedPaths"]) is bool(config["linux"]["readonlyPaths"]) is masks
    [cgroup] = [entry for entry in config["mounts"] if entry["type"] == "cgroup"]
    assert ("ro" in cgroup["options"]) is cgroups_read_only


@pytest.mark.parametrize(
    "option",
    [
        "seccomp",
        "apparmor=docker-default",
        "label:type:svirt_apache",
        "label=user:USER",
        "systempaths=masked",
        "no-new-privileges:maybe",
        "credentialspec=file://x",
        "",
    ],
)
def test_a_security_option_that_would_have_no_effect_is_refused(option):
    with pytest.raises(FatalError, match="service web: security_opt") as caught:
        render(security_options=(option,))
    assert caught.value.hint


def test_the_files_of_etc_have_the_texts_of_the_attachment():
    texts = render_etc_files(attachment(hosts="H\n", resolv_conf="R\n", hostname="box"))
    assert texts == {"hosts": "H\n", "hostname": "box\n", "resolv.conf": "R\n"}

"""OCI runtime specification, config: "Process" and its "User", as far as the caller's own process has a part in it."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.oci_cli.test_namespaces import mapped

# process.env

HOME = ("sh", "-c", "echo $HOME")


NOT_LISTED = pytest.mark.lacks(crun="1.8 sets none for users that are not listed")


@pytest.mark.parametrize(("uid", "home"), [(0, "/root"), (1000, "/"), pytest.param(4321, "/", marks=NOT_LISTED)])
def test_home_defaults_to_that_of_the_user_in_the_image(runtime, uid, home):
    runtime.bundle(*HOME, user={"uid": uid, "gid": 0})
    assert runtime.ok("run", "c") == f"{home}\n"


def test_a_given_home_is_kept(runtime):
    runtime.bundle(*HOME, env=["PATH=/usr/bin", "HOME=/elsewhere"])
    assert runtime.ok("run", "c") == "/elsewhere\n"


def test_what_is_executed_has_the_home_of_its_own_user(ours):
    ours.bundle()
    ours.ok("run", "--detach", "c")
    assert ours.ok("exec", "c", *HOME) == "/root\n"
    assert ours.ok("exec", "--user", "1000", "c", *HOME) == "/\n"
    assert ours.ok("exec", "--env", "HOME=/own", "c", *HOME) == "/own\n"


@pytest.mark.parametrize("kind", ["fifo", "link", "garbage", "none"])
def test_a_malformed_list_of_users_gives_no_home(ours, kind):
    bundle = ours.bundle(*HOME)
    etc = ours.path / "etc"
    etc.mkdir()
    if kind == "fifo":
        os.mkfifo(etc / "passwd")
    if kind == "link":
        (etc / "passwd").symlink_to("passwd")
    if kind == "garbage":
        (etc / "passwd").write_bytes(b"\xff:0:0\n\n:::::::\nroot:x:0:0:\xff:\n")
    bundle.config["mounts"].append({"destination": "/etc", "type": "bind", "source": str(etc), "options": ["bind"]})
    assert ours.ok("run", "c") == "/\n"


# process.cwd


def test_a_missing_working_directory_is_made_before_the_root_is_read_only(runtime):
    bundle = runtime.bundle("pwd", cwd="/made/here")
    root = runtime.path / "root-of-its-own"
    subprocess.run(["cp", "-a", runtime.tree, root], check=True)
    bundle.config["root"] = {"path": str(root), "readonly": True}
    assert runtime.ok("run", "c") == "/made/here\n"


def test_a_working_directory_that_is_a_link_stays_in_the_root(ours):
    bundle = ours.bundle("pwd", cwd="/link")
    root = ours.path / "root-of-its-own"
    subprocess.run(["cp", "-a", ours.tree, root], check=True)
    outside = ours.path / "outside"
    (root / "link").symlink_to(outside)
    bundle.config["root"] = {"path": str(root), "readonly": True}
    assert ours.ok("run", "c") == f"{outside}\n"
    assert not outside.exists()


# process.user


@pytest.mark.parametrize(("word", "kept"), [("1", True), ("0", False)])
def test_groups_of_the_caller_are_kept_where_an_annotation_says_so(ours, word, kept):
    """What podman's ``--group-add keep-groups`` becomes."""
    bundle = ours.bundle("sleep", "60")
    bundle.config["annotations"] = {"run.oci.keep_original_groups": word}
    ours.ok("run", "--detach", "c", extra_groups=[4321])
    pid = ours.state()["pid"]
    with open(f"/proc/{pid}/status") as status:
        (groups,) = [line.split()[1:] for line in status if line.startswith("Groups:")]
    assert groups == (["4321"] if kept else [])


def test_who_says_nothing_of_the_users_of_a_user_namespace_is_its_root(ours):
    bundle = mapped(ours, "cat", "/proc/self/uid_map", "/proc/self/gid_map")
    del bundle.linux["uidMappings"], bundle.linux["gidMappings"]
    for entry in bundle.config["mounts"]:
        entry["options"] = [option for option in entry.get("options", ()) if option != "gid=5"]  # who is nobody here
    assert ours.ok("run", "c").split() == ["0", "0", "1"] * 2


# Descriptors


SHOW = (
    'for n in 3 4 5 6 7 8 9; do readlink /proc/self/fd/$n; done; echo "$LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES"; true'
)


def test_nothing_of_the_runtime_is_among_what_is_preserved(ours):
    ours.bundle("sh", "-c", SHOW)
    ours.command = ["sh", "-c", 'exec "$@" 5</dev/null', "sh", *ours.command]
    assert ours.ok("run", "--preserve-fds", "60", "c").split() == ["/dev/null"]
    ours.bundle("sleep", "60")
    ours.ok("run", "--detach", "c")
    assert ours.ok("exec", "--preserve-fds", "60", "c", "sh", "-c", SHOW).split() == ["/dev/null"]


def test_descriptors_of_a_service_manager_are_passed_on(ours):
    """sd_listen_fds(3)."""
    ours.bundle("sh", "-c", SHOW)
    ours.command = ["sh", "-c", 'exec "$@" 3</dev/null 4</dev/zero 6</dev/null', "sh", *ours.command]
    said = ours.ok("run", "c", env={"LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}).split()
    assert said == ["/dev/null", "/dev/zero", "2", "1", "a:b"]


def test_descriptors_that_are_meant_for_another_process_are_not(ours):
    ours.bundle("sh", "-c", SHOW)
    ours.command = ["sh", "-c", 'exec "$@" 3</dev/null', "sh", *ours.command]
    assert ours.ok("run", "c", env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}).split() == []

"""What the program of a container gets: streams, terminal, exit code, descriptors, root. And hooks, and resources."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from orchestra.linux import cgroup, process, unix_socket
from tests.oci_cli.conftest import eventually


@pytest.fixture
def keeper(tmp_path):
    """Where masters of terminals are sent to."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "console.sock"))
    listener.listen()
    listener.settimeout(30)
    with listener:
        yield listener


def receive_master(listener):
    connection, _address = listener.accept()
    with connection:
        (master,) = unix_socket.receive(connection, 4096)[1]
    return master


def read_terminal(master):
    text = b""
    try:
        while data := os.read(master, 4096):
            text += data
    except OSError:
        pass
    os.close(master)
    return text.decode()


@pytest.mark.parametrize("code", [0, 7])
def test_run_ends_with_the_code_of_the_program(runtime, code):
    runtime.bundle("sh", "-c", f"echo out; exit {code}")
    done = runtime("run", "c")
    assert (done.returncode, done.stdout) == (code, "out\n")
    assert runtime.fails("state", "c")


def test_run_passes_signals_on(ours):
    ours.bundle("sh", "-c", "trap 'exit 5' TERM; kill -TERM $PPID; echo x; while :; do sleep 0.01; done")
    ours.bundles["c"].linux["namespaces"] = [{"type": "mount"}]
    assert ours("run", "c").returncode == 5


def test_streams_are_the_callers(runtime, tmp_path):
    (tmp_path / "in").write_text("asked\n")
    runtime.bundle("sh", "-c", "read word; echo $word; echo no >&2")
    with open(tmp_path / "in") as source:
        done = runtime("run", "c", stdin=source)
    assert (done.stdout, done.stderr) == ("asked\n", "no\n")


def test_a_terminal_goes_to_the_console_socket(runtime, keeper):
    runtime.bundle("sh", "-c", "tty; stty size", terminal=True, consoleSize={"height": 7, "width": 31})
    runtime.ok("create", "--console-socket", keeper.getsockname(), "c")
    master = receive_master(keeper)
    runtime.ok("start", "c")
    assert read_terminal(master).split() == ["/dev/pts/0", "7", "31"]


def test_a_terminal_without_a_keeper_is_an_error(runtime):
    runtime.bundle(terminal=True)
    assert runtime.fails("create", "c")
    assert runtime.fails("state", "c")


def test_a_read_only_root_is_read_only(runtime):
    runtime.bundle("touch", "/tmp/x")
    assert runtime("run", "c").returncode == 1
    assert not (runtime.tree / "tmp/x").exists()


def test_a_root_that_is_a_mount_is_taken_as_it_is(runtime, tmp_path):
    upper = tmp_path / "plain"
    upper.mkdir()
    bundle = runtime.bundle("sh", "-c", "echo written > /file")
    bundle.config["root"] = {"path": "rootfs", "readonly": False}
    root = bundle.path / "rootfs"
    root.mkdir()
    from orchestra.linux.mounts import mount

    options = f"lowerdir={runtime.tree},upperdir={upper},workdir={tmp_path / 'work'}"
    (tmp_path / "work").mkdir()
    mount.mount("overlay", str(root), "overlay", 0, options)
    try:
        runtime.ok("run", "c")
    finally:
        mount.unmount(str(root), mount.MNT_DETACH)
    assert (upper / "file").read_text() == "written\n"


def test_descriptors_are_preserved_only_when_asked_for(runtime, tmp_path):
    runtime.bundle("sh", "-c", "echo told >&3; ls /proc/self/fd/9 2>/dev/null; exit 0")
    shell = ["sh", "-c", f'exec "$@" 3>{tmp_path}/told 9</dev/null', "sh"]
    runtime.command = [*shell, *runtime.command]
    assert runtime.ok("run", "--preserve-fds", "1", "c") == ""
    assert (tmp_path / "told").read_text() == "told\n"


@pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_that_the_caller_has_closed_are_the_null_device(ours, closed):
    ours.bundle("sh", "-c", "for n in 0 1 2; do readlink /proc/self/fd/$n; done > /dev/shm/seen; cat /dev/shm/seen")
    ours.command = ["sh", "-c", f'exec "$@" {closed}', "sh", *ours.command]
    seen = ours.ok("run", "c").split()
    assert seen == [] if ">" in closed else seen[0] == "/dev/null"


def test_exec_runs_one_more_program(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    done = runtime("exec", "c", "sh", "-c", "echo $0; exit 9", "name")
    assert (done.returncode, done.stdout) == (9, "name\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_exec_is_not_held_by_a_container_that_stops_what_enters_it(ours, number):
    ours.bundle("sh", "-c", "while :; do kill -STOP -1; done")
    ours.ok("run", "--detach", "c")
    while True:
        with subprocess.Popen([*ours.command, "exec", "c", "sleep", "1000"], stdin=subprocess.DEVNULL) as command:
            children = Path(f"/proc/{command.pid}/task/{command.pid}/children")
            eventually(lambda at=children: at.read_text() and process.is_stopped(int(at.read_text())))
            if Path(f"/proc/{int(children.read_text())}/cmdline").read_bytes().startswith(b"sleep"):
                command.kill()  # the container was slow: it is the program by now, which is another matter
                continue
            command.send_signal(number)
            assert command.wait(10) == 128 + number
            return


def test_exec_makes_no_directory(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    for _twice in range(2):
        assert "/no/such" in runtime.fails("exec", "--cwd", "/no/such", "c", "true")


def test_exec_changes_user_directory_and_environment(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    words = ("exec", "--user", "1000:1001", "--cwd", "/etc", "--env", "PATH=/usr/bin", "--env", "WORD=x", "c")
    assert runtime.ok(*words, "sh", "-c", "id -u; id -g; pwd; echo $WORD").split() == ["1000", "1001", "/etc", "x"]


def test_exec_adds_capabilities(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    without, with_it = (
        int(runtime.ok("exec", *words, "c", "sh", "-c", "grep CapBnd /proc/self/status").split()[1], 16)
        for words in ((), ("--cap", "CAP_NET_RAW"))
    )
    assert with_it & ~without == 1 << 13


def test_exec_takes_a_process_object(runtime, tmp_path):
    bundle = runtime.bundle()
    runtime.ok("run", "--detach", "c")
    (tmp_path / "process.json").write_text(json.dumps({**bundle.process, "args": ["echo", "described"], "cwd": "/"}))
    assert runtime.ok("exec", "--process", str(tmp_path / "process.json"), "c") == "described\n"


def test_exec_detached_writes_the_pid_and_leaves(runtime, tmp_path):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    runtime.ok("exec", "--detach", "--pid-file", str(tmp_path / "pid"), "c", "sleep", "50")
    pid = int((tmp_path / "pid").read_text())
    assert eventually(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x0050\x00")
    assert pid in json.loads(runtime.ok("ps", "--format", "json", "c"))


def test_exec_with_a_terminal(runtime, keeper):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    runtime.ok("exec", "--tty", "--detach", "--console-socket", keeper.getsockname(), "c", "tty")
    assert read_terminal(receive_master(keeper)) == "/dev/pts/0\r\n"


def test_exec_of_nothing_is_an_error(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    assert runtime.fails("exec", "c", "nothing-of-this-name")


def test_exec_is_not_for_what_is_stopped(runtime):
    runtime.bundle("true")
    runtime.ok("run", "--detach", "c")
    runtime.stopped()
    assert runtime.fails("exec", "c", "true")


@pytest.mark.lacks(crun="1.8 waits until it goes on")
def test_exec_is_not_for_what_is_paused(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    runtime.ok("pause", "c")
    assert "cannot exec in a paused container" in runtime.fails("exec", "c", "true")
    runtime.ok("resume", "c")
    runtime.ok("exec", "--ignore-paused", "c", "true")


def test_a_program_that_only_a_capability_may_execute(runtime):
    """capabilities(7): CAP_DAC_OVERRIDE passes over who may execute it, for a user without rights to it as well."""
    bundle = runtime.bundle("/private/true")
    root = runtime.path / "own"
    shutil.copytree(runtime.tree, root, symlinks=True)
    (root / "private").mkdir()
    shutil.copy(root / "usr/bin/busybox", root / "private/true")
    (root / "private/true").chmod(0o700)
    bundle.config["root"]["path"] = str(root)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {kind: [] for kind in ("bounding", "effective", "permitted")}
    assert "permission denied" in runtime.fails("run", "c").lower()
    runtime("delete", "--force", "c")
    bundle.process["capabilities"] = {kind: ["CAP_DAC_OVERRIDE"] for kind in ("bounding", "effective", "permitted")}
    runtime.ok("run", "c")


def test_pause_and_resume(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    runtime.ok("pause", "c")
    assert runtime.status() == "paused"
    assert runtime.fails("exec", "c", "true")
    runtime.ok("resume", "c")
    assert runtime.status() == "running"
    assert runtime.ok("exec", "c", "echo", "goes on") == "goes on\n"


def test_delete_by_force_of_what_is_paused(runtime):
    runtime.bundle()
    runtime.ok("run", "--detach", "c")
    runtime.ok("pause", "c")
    runtime.ok("delete", "--force", "c")
    assert runtime.fails("state", "c")


HOOK = 'read state; printf "%s %s\\n" "$0" "$(echo "$state" | sed "s/.*\\"status\\": *\\"\\([a-z]*\\).*/\\1/")" >> LOG'
ORDER = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]


def test_hooks_run_in_order_and_get_the_state(ours, tmp_path):
    log = tmp_path / "hooks.log"
    script = HOOK.replace("LOG", str(log))
    bundle = ours.bundle("true")
    bundle.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", script, kind], "env": ["PATH=/usr/bin:/bin"]}] for kind in ORDER
    }
    ours.ok("create", "c")
    assert [line.split()[0] for line in log.read_text().splitlines()] == ORDER[:3]
    ours.ok("start", "c")
    ours.stopped()
    ours.ok("delete", "c")
    said = [line.split() for line in log.read_text().splitlines()]
    assert [kind for kind, _status in said] == ORDER
    assert [status for _kind, status in said[:3]] == ["created", "creating", "creating"]
    assert said[4][1] == "stopped"


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_fails_the_creation(runtime, kind):
    path = "/bin/false"
    runtime.bundle().config["hooks"] = {kind: [{"path": path}]}
    assert runtime.fails("create", "c")
    assert runtime.fails("state", "c")


def test_the_last_hooks_run_when_others_have_failed(ours, tmp_path):
    """runtime, "Lifecycle": the container is stopped, and goes the way of its end."""
    last = [{"path": "/bin/sh", "args": ["sh", "-c", f"cat > {tmp_path}/told"]}]
    ours.bundle().config["hooks"] = {"createRuntime": [{"path": "/bin/false"}], "poststop": last}
    assert "createRuntime hook" in ours.fails("create", "c")
    assert json.loads((tmp_path / "told").read_text())["status"] == "stopped"
    assert ours.fails("state", "c")


def test_a_hook_has_only_its_time(ours):
    ours.bundle().config["hooks"] = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]}
    assert "took too long" in ours.fails("create", "c")


def test_a_hook_has_the_environment_of_the_runtime_or_its_own(runtime):
    script = 'read state; test "$WORD" = {}'
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script.format("outside")]}
    own = {"path": "/bin/sh", "args": ["sh", "-c", script.format("own")], "env": ["WORD=own"]}
    bundle = runtime.bundle("true")
    bundle.config["hooks"] = {kind: [hook, own] for kind in ("prestart", "createRuntime")}
    runtime.ok("run", "c", env={"WORD": "outside"})


def test_a_start_hook_learns_nothing_of_the_runtimes_environment(ours):
    hook = {"path": "/usr/bin/sh", "args": ["sh", "-c", 'test -z "$WORD"']}
    ours.bundle("true").config["hooks"] = {"startContainer": [hook]}
    ours.ok("run", "c", env={"WORD": "outside"})


def test_a_start_hook_runs_in_the_container(ours):
    hook = {"path": "/usr/bin/sh", "args": ["sh", "-c", "cat /etc/secret; exit 3"]}
    ours.bundle().config["hooks"] = {"startContainer": [hook]}
    ours.ok("create", "c")
    assert "secret" in ours.fails("start", "c")
    ours.stopped()


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer", "startContainer"])
def test_hooks_get_no_descriptor_of_the_caller(ours, kind):
    """Theirs are the three of the streams; a directory of the host among others would be a way out of a container."""
    script = "for fd in 3 9; do test -e /proc/self/fd/$fd && echo $fd is open; done; exit 3"
    ours.bundle().config["hooks"] = {kind: [{"path": "/usr/bin/sh", "args": ["sh", "-c", script]}]}
    ours.command = ["sh", "-c", 'exec "$@" 3</ 9</dev/null', "sh", *ours.command]
    said = ours.fails("run", "--preserve-fds", "1", "c")
    assert "ended with 3" in said
    assert "is open" not in said


@pytest.mark.parametrize(("version", "stops"), [("1.0.2-dev", False), ("1.2.0", False), ("1.2.1", True), ("1.3", True)])
def test_a_poststart_hook_that_fails_stops_the_container_in_later_versions(ours, tmp_path, version, stops):
    """runtime, "Lifecycle": up to 1.2.0 it is a warning, and the remaining hooks are run."""
    bundle = ours.bundle()
    bundle.config["ociVersion"] = version
    last = {"path": "/bin/touch", "args": ["touch", f"{tmp_path}/last"]}
    bundle.config["hooks"] = {"poststart": [{"path": "/bin/false"}, last]}
    done = ours("run", "--detach", "c")
    assert "poststart hook" in done.stderr
    assert (done.returncode != 0) == stops
    assert (tmp_path / "last").exists() != stops
    assert ours.status() == ("stopped" if stops else "running")


def test_a_poststop_hook_that_fails_is_a_warning(ours):
    ours.bundle("true").config["hooks"] = {"poststop": [{"path": "/bin/false"}]}
    done = ours("run", "c")
    assert done.returncode == 0
    assert "poststop" in done.stderr
    assert ours.fails("state", "c")


def test_spec_writes_what_create_takes(ours, tmp_path):
    ours.ok("spec", "--bundle", str(tmp_path))
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["ociVersion"] == "1.2.0"
    on_version_2 = cgroup.machine_hierarchy().version == 2
    assert ({"type": "cgroup"} in written["linux"]["namespaces"]) == on_version_2
    assert "remove it first" in ours.fails("spec", "--bundle", str(tmp_path))


@pytest.mark.lacks(crun="newer versions only")
def test_features_are_printed(runtime):
    features = json.loads(runtime.ok("features"))
    assert "poststop" in features["hooks"]
    assert "mount" in features["linux"]["namespaces"]


@pytest.mark.parametrize("options", [["tmpcopyup"], ["tmpcopyup", "ro"]])
def test_a_file_system_in_memory_begins_with_what_was_at_its_place(runtime, options):
    """An option of runc and crun, which podman asks for with --read-only."""
    script = "cat /etc/secret; stat -c %a /etc/secret; ls -l /etc | grep -c link; touch /etc/new 2>/dev/null || echo no"
    bundle = runtime.bundle("sh", "-c", script)
    root = runtime.path / "copied"
    shutil.copytree(runtime.tree, root, symlinks=True)
    (root / "etc/link").symlink_to("/nowhere")
    (root / "etc/secret").chmod(0o640)
    bundle.config["root"]["path"] = str(root)
    bundle.config["mounts"].append({"destination": "/etc", "type": "tmpfs", "source": "tmpfs", "options": options})
    said = runtime.ok("run", "c").split()
    assert said == ["secret", "640", "1", *(["no"] if "ro" in options else [])]
    assert not (root / "etc/new").exists()


@pytest.mark.parametrize(
    ("place", "options", "expected"),
    [
        ("/mine", [], "750 3 4"),
        ("/mine", ["mode=1770"], "1770 3 4"),
        ("/mine", ["uid=7", "gid=8"], "750 7 8"),
        ("/missing", [], "1777 0 0"),
        ("/missing", ["mode=700"], "700 0 0"),
    ],
)
def test_a_file_system_in_memory_that_copies_has_the_mode_and_owner_that_are_asked_for(ours, place, options, expected):
    """Before those of what was there: podman's ``--tmpfs /run:mode=1777`` copies up as well."""
    bundle = ours.bundle("stat", "-c", "%a %u %g", place)
    root = ours.path / "copied"
    shutil.copytree(ours.tree, root, symlinks=True)
    (root / "mine").mkdir(0o750)
    os.chown(root / "mine", 3, 4)
    bundle.config["root"]["path"] = str(root)
    bundle.config["root"]["readonly"] = False
    entry = {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", *options]}
    bundle.config["mounts"].append(entry)
    assert ours.ok("run", "c").strip() == expected


@pytest.mark.parametrize(("source", "target"), [("etc", "/etc/passwd"), ("etc/passwd", "/etc")])
def test_a_directory_over_a_file_is_told_as_docker_looks_for_it(runtime, source, target):
    """It then asks: are you trying to mount a directory onto a file (or vice-versa)?"""
    entry = {"destination": target, "type": "bind", "source": str(runtime.tree / source), "options": ["bind"]}
    runtime.bundle().config["mounts"].append(entry)
    assert "not a directory" in runtime.fails("create", "c").lower()


def test_a_place_that_cannot_be_made_is_named(ours):
    entry = {"destination": "/sys/new", "type": "bind", "source": str(ours.tree), "options": ["bind"]}
    ours.bundle().config["mounts"].append(entry)
    assert "mkdir /sys/new" in ours.fails("create", "c")


@pytest.mark.parametrize("option", ["rro", "rnosuid", "rnoexec"])
def test_recursive_options_are_for_new_file_systems_too(ours, option):
    """config, "Linux mount options"."""
    bundle = ours.bundle("grep", " /new ", "/proc/mounts")
    bundle.config["mounts"].append({"destination": "/new", "type": "tmpfs", "source": "tmpfs", "options": [option]})
    assert option[1:] in ours.ok("run", "c").split()[3].split(",")


def test_read_only_cgroups_are_entirely_read_only(ours):
    bundle = ours.bundle("sh", "-c", "mkdir /sys/fs/cgroup/new 2>&1; grep /sys/fs/cgroup /proc/mounts")
    (entry,) = [entry for entry in bundle.config["mounts"] if entry["type"] == "cgroup"]
    entry["options"] = ["nosuid", "noexec", "nodev", "ro"]
    said, *mounts = ours.ok("run", "c").splitlines()
    assert "Read-only" in said
    assert mounts
    assert all("ro" in line.split()[3].split(",") for line in mounts)


def test_the_configuration_may_stand_elsewhere(ours, tmp_path):
    bundle = ours.bundle("echo", "it")
    bundle.write()
    os.rename(bundle.path / "config.json", bundle.path / "other.json")
    ours.ids.add("c")
    for file in ("other.json", str(bundle.path / "other.json")):
        done = subprocess.run(
            [*ours.command, "run", "--bundle", str(bundle.path), "--config", file, "c"], capture_output=True, check=True
        )
        assert done.stdout == b"it\n"


def test_a_device_may_be_named_with_a_slash_at_its_end(ours):
    device = {"path": "/dev/other/", "type": "c", "major": 1, "minor": 5}
    ours.bundle("sh", "-c", "head -c3 /dev/other | wc -c").linux["devices"] = [device]
    assert ours.ok("run", "c").strip() == "3"


def test_a_link_is_copied_where_the_mount_says_so(ours, tmp_path):
    """An option of crun, which podman asks for with ``no-dereference``."""
    (tmp_path / "link").symlink_to("to/nowhere")
    (tmp_path / "file").write_text("content\n")
    bundle = ours.bundle("sh", "-c", "readlink /run/new/link; cat /run/file")
    bundle.config["mounts"].append({"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": []})
    for place, name in (("new/link", "link"), ("new/link", "link"), ("file", "file")):
        entry = {"destination": f"/run/{place}", "type": "bind", "source": str(tmp_path / name)}
        bundle.config["mounts"].append({**entry, "options": ["bind", "copy-symlink"]})
    assert ours.ok("run", "c") == "to/nowhere\ncontent\n"
    bundle.config["mounts"].append({**bundle.config["mounts"][-1], "source": str(tmp_path / "link")})
    assert "something else is there" in ours.fails("run", "c")


def test_default_devices_are_there_without_a_file_system_for_them(runtime):
    """config-linux, "Default Devices"."""
    bundle = runtime.bundle("sh", "-c", "stat -c %n:%t:%T /dev/null /dev/full /dev/more; readlink /dev/fd")
    root = runtime.path / "root-of-its-own"
    shutil.copytree(runtime.tree, root, symlinks=True)
    (root / "dev/full").touch()
    bundle.config["root"]["path"] = str(root)
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    bundle.linux["devices"] = [{"path": "/dev/more", "type": "c", "major": 1, "minor": 5}]
    (root / "dev/full").unlink()
    assert runtime.ok("run", "c").split() == ["/dev/null:1:3", "/dev/full:1:7", "/dev/more:1:5", "/proc/self/fd"]


def test_only_a_file_system_in_memory_copies_up(ours):
    entry = {"destination": "/tmp", "type": "proc", "source": "proc", "options": ["tmpcopyup"]}
    ours.bundle().config["mounts"].append(entry)
    assert "tmpcopyup is for a tmpfs" in ours.fails("create", "c")

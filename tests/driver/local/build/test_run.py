"""RUN: what a command sees, what its mounts give it, and what is left of them."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import threading

import pytest

from orchestra.build.event import StepOutput
from orchestra.build.step import (
    BindMount,
    CacheMount,
    ContextFiles,
    Copy,
    DeviceRequest,
    InlineFiles,
    MakeDirectory,
    Network,
    Scratch,
    SecretMount,
    Sharing,
    SshMount,
    TmpfsMount,
)
from orchestra.driver.local.build import agents
from orchestra.driver.local.build.agents import agent_of_keys
from orchestra.driver.local.build.execute import StepError
from orchestra.errors import EnvironmentLack, OrchestraError, UserError
from orchestra.model.device_edits import DeviceEdits, DeviceNode
from orchestra.record import replace
from tests.driver.local.build.making import MACHINE, build, graph, shell
from tests.driver.local.image.making import needs_root

pytestmark = needs_root


@pytest.fixture
def context(tmp_path):
    (tmp_path / "context/sub").mkdir(parents=True)
    (tmp_path / "context/file").write_text("of the context")
    (tmp_path / "context/ignored").write_text("secret")
    return tmp_path / "context"


def output(built):
    return [event.line for event in built.events if isinstance(event, StepOutput)]


def run(home, command, context=None, steps=(), **more):
    """The lines that a command writes, over the machine's own files."""
    options = {key: more.pop(key) for key in ("secrets", "agents", "network", "ignore", "entitlements") if key in more}
    return output(build(home, graph(MACHINE, *steps, shell(0, command, **more)), context, **options))


def test_a_command_is_confined_as_in_docker(home):
    lines = run(
        home,
        "id -u; hostname; echo $HOME; grep -c . /proc/self/status; grep -E '^(CapEff|Seccomp):' /proc/self/status;"
        "cat /proc/keys 2>&1 | wc -l; ls /dev | tr '\\n' ' '; ls /sys/class/net",
    )
    assert lines[:3] == ["0", "build", "/root"]
    assert lines[4:7] == ["CapEff:\t00000000a80425fb", "Seccomp:\t2", "0"]
    assert "vda" not in lines[7]
    assert lines[7].endswith("lo")


def cache_of(home, name):
    """The directory that is mounted by commands."""
    return f"{home.builds}/caches/{hashlib.sha256(name.encode()).hexdigest()}/data"


def test_its_output_comes_line_by_line_while_it_runs(home):
    heard = threading.Event()

    def hear(event):
        if isinstance(event, StepOutput) and event.line == "first":
            heard.set()

    def let_go():
        assert heard.wait(20)
        with open(f"{cache_of(home, 'meeting')}/go", "w") as pipe:
            pipe.write("x")

    thread = threading.Thread(target=let_go)
    thread.start()
    step = shell(
        0,
        "mkfifo /meeting/go; echo first; cat /meeting/go; echo; printf 'no\\rend'; echo error >&2",
        mounts=(CacheMount("/meeting", "meeting"),),
    )
    lines = output(build(home, graph(MACHINE, step), hear=hear))
    thread.join()
    assert sorted(lines) == sorted(["first", "x", "no\rend", "error"])


def test_user_directory_environment_and_input(home):
    lines = run(home, "id -u; pwd; echo $X; cat", user="daemon", directory="/tmp", input=b"given\n")
    assert lines == ["1", "/tmp", "", "given"]
    step = shell(0, "echo $X $P")
    step = type(step)(**{**step.__dict__, "environment": (*step.environment, ("X", "a b")), "proxies": (("P", "p"),)})
    assert output(build(home, graph(MACHINE, step))) == ["a b p"]


def test_a_failure_tells_code_and_last_lines(home):
    with pytest.raises(StepError, match="exit code 3") as caught:
        run(home, "echo why; exit 3")
    assert caught.value.lines == ("why",)
    assert caught.value.cause.code == 3
    with pytest.raises(OrchestraError, match="No such file"):
        build(home, graph(MACHINE, type(shell(0, ""))(0, ("/missing",), ())))


def test_nothing_of_mounts_is_left_in_the_layer(home, context):
    mounts = (
        BindMount("/from/context", 1),
        TmpfsMount("/quick", 1 << 20),
        CacheMount("/cache", "c"),
        SecretMount("s", "/run/secrets/s"),
    )
    built = build(
        home,
        graph(MACHINE, ContextFiles(), shell(0, "touch /quick/a /cache/b /kept; cat /run/secrets/s", mounts=mounts)),
        context,
        secrets={"s": b"word"},
    )
    assert list(built.files()) == ["kept"]


def test_an_empty_base_gets_no_directories_for_mounts(home, context):
    copy = Copy(0, 1, ("usr/bin/busybox",), "/bin/")
    busybox = "/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox"
    if not os.path.exists(busybox):
        pytest.skip("needs busybox")
    (context / "usr/bin").mkdir(parents=True)
    subprocess.run(["cp", busybox, context / "usr/bin/busybox"], check=True)
    step = type(shell(0, ""))(2, ("/bin/busybox", "true"), ())
    built = build(home, graph(Scratch(), ContextFiles(), copy, step), context)
    assert list(built.files()) == ["bin", "bin/busybox"]


def test_binds_of_contexts_and_stages(home, context):
    steps = (ContextFiles(), Scratch(), MakeDirectory(2, "/made/deep"), InlineFiles((("n", b"inline"),)))
    mounts = (
        BindMount("/c", 1),
        BindMount("/one", 1, "/file"),
        BindMount("/w", 1, writable=True),
        BindMount("/s", 3, "/made"),
        BindMount("/i", 4),
    )
    lines = run(
        home,
        "ls /c; cat /one; echo; touch /c/x 2>&1 | grep -o 'Read-only.*';"
        "touch /w/x; ls /w; ls /s; cat /i/n; stat -c %u /c/file",
        context,
        steps,
        mounts=mounts,
        ignore=("ignored",),
    )
    assert lines == ["file", "sub", "of the context", "Read-only file system", "file", "sub", "x", "deep", "inline0"]
    assert sorted(os.listdir(context)) == ["file", "ignored", "sub"]


def test_caches_live_on_between_builds(home):
    cache = CacheMount("/cache", "pip", mode=0o700, uid=5)
    assert run(home, "stat -c '%a %u' /cache; echo kept > /cache/x", mounts=(cache,)) == ["700 5"]
    assert run(home, "cat /cache/x", mounts=(CacheMount("/elsewhere", "pip"), cache)) == ["kept"]
    assert run(home, "ls /cache", mounts=(CacheMount("/cache", "other"),)) == []
    read_only = CacheMount("/cache", "pip", read_only=True)
    assert run(home, "touch /cache/y 2>&1 | grep -o 'Read-only.*'", mounts=(read_only,)) == ["Read-only file system"]


def test_a_cache_may_begin_with_files(home, context):
    cache = CacheMount("/cache", "filled", source=1, path="/")
    assert run(home, "ls /cache", context, (ContextFiles(),), mounts=(cache,)) == ["file", "ignored", "sub"]


@pytest.mark.parametrize("sharing", list(Sharing))
def test_sharing_of_a_cache_by_two_commands_at_a_time(home, sharing):
    mounts = (CacheMount("/cache", "c", sharing=sharing), CacheMount("/meeting", "meeting"))
    meet = "" if sharing is Sharing.LOCKED else "touch /meeting/$N; until [ -e /meeting/$O ]; do sleep 0.01; done;"
    report = "touch /cache/$N; touch /meeting/did-$N; until [ -e /meeting/did-$O ]; do sleep 0.01; done;"
    if sharing is Sharing.LOCKED:
        report = "touch /cache/$N;"
    steps = [
        shell(0, f"N={name}; O={other}; {meet} {report} ls /cache > /saw-$N", mounts=mounts)
        for name, other in (("a", "b"), ("b", "a"))
    ]
    files = build(home, graph(MACHINE, *steps, Copy(1, 2, ("saw-b",), "/"))).files()
    found = [files[f"saw-{name}"].split()[1:] for name in "ab"]
    if sharing is Sharing.LOCKED:
        assert sorted(found, key=len) in ([["a"], ["a", "b"]], [["b"], ["a", "b"]])
    else:
        assert found == ([["a"], ["b"]] if sharing is Sharing.PRIVATE else [["a", "b"], ["a", "b"]])


def test_secrets_are_in_no_file_of_the_home(home):
    secret = os.urandom(16).hex()
    mounts = (SecretMount("s", "/run/secrets/s", mode=0o440, uid=1, gid=2), SecretMount("s", None, variable="WORD"))
    lines = run(
        home,
        "stat -c '%a %u %g' /run/secrets/s; findmnt -no FSTYPE -T /run/secrets/s;"
        'test "$(cat /run/secrets/s)" = "$WORD"',
        mounts=mounts,
        secrets={"s": secret.encode()},
    )
    assert lines == ["440 1 2", "tmpfs"]
    found = subprocess.run(["grep", "-rlaF", secret, os.path.dirname(home.data)], capture_output=True, text=True)
    assert found.stdout == ""
    # Nor does it count for what a step is.
    again = build(
        home,
        graph(MACHINE, shell(0, "cat /run/secrets/s > /dev/null; echo made", mounts=mounts)),
        secrets={"s": b"one"},
    )
    assert again.made == [1]
    other = build(
        home,
        graph(MACHINE, shell(0, "cat /run/secrets/s > /dev/null; echo made", mounts=mounts)),
        secrets={"s": b"other"},
    )
    assert other.cached == [1]


def test_a_required_secret_must_be_given(home):
    assert run(home, "ls /run/secrets 2>&1 | wc -l", mounts=(SecretMount("s", "/run/secrets/s"),)) == ["1"]
    with pytest.raises(OrchestraError, match="secret s is required"):
        run(home, "true", mounts=(SecretMount("s", "/s", required=True),))


def test_an_agent_is_reached_by_its_socket(home, tmp_path):
    path = f"{tmp_path}/agent"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        lines = run(
            home,
            "echo $SSH_AUTH_SOCK; test -S $SSH_AUTH_SOCK",
            mounts=(SshMount("default", "/run/agent.0"),),
            agents={"default": path},
        )
    assert lines == ["/run/agent.0"]


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs ssh-agent (Debian: openssh-client)")
def test_keys_in_files_are_lent_to_the_user_that_the_dockerfile_names(home, tmp_path):
    for name in ("one", "two"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", tmp_path / name], check=True)
    with agent_of_keys("default", [f"{tmp_path}/one", f"{tmp_path}/two"]) as agent:
        lines = run(
            home,
            "stat -c '%a %u:%g' $SSH_AUTH_SOCK; for i in 1 2 3; do ssh-add -l | cut -d' ' -f3; done",
            user="65534",
            mounts=(SshMount("default", "/run/agent.0", mode=0o620, uid=65534, gid=7),),
            agents={"default": agent},
        )
    assert lines == ["620 65534:7", *("one", "two") * 3]
    assert not os.path.exists(agent)
    assert [name for name in os.listdir(home.builds) if name.startswith("temporary-")] == []


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs ssh-agent (Debian: openssh-client)")
def test_a_key_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "key").write_text("no key")
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UserError, match=r"--ssh mine: .*/key"), agent_of_keys("mine", [f"{tmp_path}/key"]):
        pass


@pytest.mark.skipif(not shutil.which("ssh-agent"), reason="needs ssh-agent (Debian: openssh-client)")
def test_a_key_that_never_comes_is_given_up(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "key")
    monkeypatch.setattr(agents, "SECONDS", 0.1)
    with pytest.raises(EnvironmentLack, match="ssh-add takes longer"), agent_of_keys("mine", [f"{tmp_path}/key"]):
        pass


@pytest.mark.parametrize(
    ("network", "interfaces"), [(Network.NONE, ["lo"]), (Network.DEFAULT, ["eth0", "lo"])], ids=["none", "default"]
)
def test_networks(home, network, interfaces):
    assert sorted(run(home, "ls /sys/class/net", network=network)) == interfaces


def test_devices_are_those_of_the_machine(home):
    request = DeviceRequest("a.com/b=c")
    known = {"a.com/b=c": DeviceEdits(environment=("GIVEN=yes",), nodes=(DeviceNode("/dev/mine", "/dev/full"),))}
    more = {"devices": (request, DeviceRequest("a.com/b=missing"))}
    wanted = graph(MACHINE, shell(0, "echo $GIVEN; stat -c %t:%T /dev/mine", **more))
    with pytest.raises(OrchestraError, match=r"RUN --device=a\.com/b=c is not allowed"):
        build(home, wanted, devices=known)
    assert output(build(home, wanted, devices=known, entitlements=frozenset({"device"}))) == ["yes", "1:7"]
    with pytest.raises(OrchestraError, match=r"a\.com/b=c is required"):
        build(home, graph(MACHINE, shell(0, "true", devices=(replace(request, required=True),))))


def test_what_is_not_allowed_is_refused(home):
    with pytest.raises(OrchestraError, match="--security=insecure is not allowed"):
        run(home, "true", insecure=True)
    with pytest.raises(OrchestraError, match="RUN --network=host is not allowed"):
        build(home, graph(MACHINE, shell(0, "true", network=Network.HOST)))
    lines = run(home, "grep CapEff /proc/self/status", insecure=True, entitlements=frozenset({"security.insecure"}))
    assert lines[0] > "CapEff:\t00000000a80425fb"

"""RUN as a step: https://docs.docker.com/reference/dockerfile/#run."""

from __future__ import annotations

import pytest

from orchestra.build.graph import DEFAULT_PATH
from orchestra.build.step import (
    BindMount,
    CacheMount,
    DeviceRequest,
    InlineFiles,
    MakeDirectory,
    Network,
    Run,
    SecretMount,
    Sharing,
    SshMount,
    TmpfsMount,
)
from tests.build.conftest import built_of, last, mistakes

PATH = ("PATH", DEFAULT_PATH)


@pytest.mark.parametrize(
    ("lines", "arguments"),
    [
        ("RUN a  $x 'b'", ("/bin/sh", "-c", "a  $x 'b'")),
        ('RUN ["a", "$x"]', ("a", "$x")),
        ('SHELL ["/bin/bash", "-ec"]\nRUN a', ("/bin/bash", "-ec", "a")),
        ("RUN <<E\na\n\tb\nE", ("/bin/sh", "-c", "a\n\tb\n")),
        ("RUN <<-E\n\ta\n\tE", ("/bin/sh", "-c", "a\n")),
        ("RUN cat <<-'E' | b\n\ta\n\tE", ("/bin/sh", "-c", "cat <<-'E' | b\n\ta\nE")),
        ("RUN cat <<A <<B\n1\nA\n2\nB", ("/bin/sh", "-c", "cat <<A <<B\n1\nA\n2\nB")),
        ("RUN <<E\n#!/usr/bin/python3\nE", ("/bin/sh", "-c", "/dev/pipes/E")),
    ],
)
def test_a_command_is_run_by_the_shell_or_by_itself(lines, arguments):
    assert last(lines, Run).arguments == arguments


def test_a_script_with_an_interpreter_is_an_executable_file():
    graph = built_of("RUN <<E\n#!/usr/bin/python3\n$x\nE")
    (run,) = [step for step in graph.steps if isinstance(step, Run)]
    assert graph.steps[run.mounts[0].source] == InlineFiles((("E", b"#!/usr/bin/python3\n$x\n"),), mode=0o755)
    assert run.mounts == (BindMount("/dev/pipes", run.mounts[0].source),)


def test_a_command_sees_environment_and_arguments_user_and_directory():
    run = last("ARG A=1\nENV B=$A\nARG C\nUSER me:us\nWORKDIR /w\nRUN x", Run, arguments={"A": "2", "D": "3"})
    assert dict(run.environment) == dict([PATH, ("A", "2"), ("B", "2")])
    assert (run.user, run.directory) == ("me:us", "/w")


def test_the_user_of_a_stage_owns_the_directories_that_it_makes():
    assert last("WORKDIR /a", MakeDirectory).owner is None
    assert last("USER me:us\nWORKDIR /a", MakeDirectory).owner == "me:us"


def test_proxies_are_given_to_commands_but_are_no_variables():
    run = last("RUN x", Run, arguments={"HTTP_PROXY": "p", "no_proxy": "n"})
    assert dict(run.proxies) == {"HTTP_PROXY": "p", "http_proxy": "p", "NO_PROXY": "n", "no_proxy": "n"}
    assert dict(run.environment) == dict([PATH])
    declared = last("ARG HTTP_PROXY\nRUN x", Run, arguments={"HTTP_PROXY": "p"})
    assert dict(declared.environment)["HTTP_PROXY"] == "p"


@pytest.mark.parametrize(
    ("options", "mount"),
    [
        ("type=bind,source=a,target=b", BindMount("/w/b", 2, "/a")),
        ("target=/b,rw", BindMount("/b", 2, writable=True)),
        ("dst=/b,src=../a,readwrite=false", BindMount("/b", 2, "/a")),
        ("from=base2,target=/b", BindMount("/b", 2)),
        ("type=cache,target=/c", CacheMount("/c", "/c")),
        (
            "type=CACHE,target=c/,id=x,sharing=locked,ro,mode=0700,uid=1,gid=2",
            CacheMount("/w/c", "x", Sharing.LOCKED, None, "/", True, 0o700, 1, 2),
        ),
        ("type=cache,target=/c,from=base2,source=s", CacheMount("/c", "/c", Sharing.SHARED, 2, "/s")),
        ("type=cache,target=/c,id=$X-y", CacheMount("/c", "1-y")),
        ("type=tmpfs,target=/t", TmpfsMount("/t")),
        ("type=tmpfs,target=/t,size=2m", TmpfsMount("/t", 2 * 1024**2)),
        ("type=secret,id=s", SecretMount("s", "/run/secrets/s")),
        ("type=secret,id=a/s,required", SecretMount("a/s", "/run/secrets/s", required=True)),
        ("type=secret,target=/x/s,mode=444,uid=1", SecretMount("s", "/x/s", None, False, 0o444, 1)),
        ("type=secret,source=s,env=S", SecretMount("s", None, "S")),
        ("type=secret,id=s,env=S,target=/s", SecretMount("s", "/s", "S")),
        ("type=ssh", SshMount("default", "/run/buildkit/ssh_agent.0")),
        ("type=ssh,id=k,target=/a,required=1,mode=0666", SshMount("k", "/a", True, 0o666)),
    ],
)
def test_a_command_has_mounts(options, mount):
    assert last(f"ARG X=1\nWORKDIR /w\nRUN --mount={options} x", Run).mounts == (mount,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("type=cach,target=/c", 'unsupported mount type "cach"'),
        ("tagret=/c", "unexpected key 'tagret' for mount type 'bind'"),
        ("target=/c,size=1", "unexpected key 'size' for mount type 'bind'"),
        ("target=/c,mode=1", "unexpected key 'mode' for mount type 'bind'"),
        ("target=/c,required", "unexpected key 'required' for mount type 'bind'"),
        ("target", "invalid field 'target' must be a key=value pair"),
        ("target=/c,ro=maybe", "invalid value for readonly: maybe"),
        ("from=$x,target=/c", "'from' doesn't support variable expansion, define alias stage instead"),
        ("type=bind,target=/", 'invalid mount target "/"'),
        ("type=tmpfs", 'invalid mount target "/"'),
        (
            "type=tmpfs,target=/t,size=big",
            "invalid value for size: 'big' is not a size; use a number of bytes, or a number with a unit,"
            " such as 512m or 2g",
        ),
        ("type=cache,target=/c,sharing=none", 'unsupported sharing value "none"'),
        ("type=cache,target=/c,mode=9", "invalid value 9 for mode"),
        ("type=cache,target=/c,uid=-1", "invalid value -1 for uid"),
        ("type=secret", "invalid secret mount. one of source, target required"),
        ("type=secret,id=a,source=b", "both source and id can't be set"),
        ("type=secret,id=a,from=b", "unexpected key 'from' for mount type 'secret'"),
        ("type=cache,target=${X:?no}", "X: no"),
        ('target=\\"/c', "a double quote is never closed"),
    ],
)
def test_a_wrong_mount_is_reported(options, message):
    assert mistakes(f"FROM a\nRUN --mount={options} x") in ([("2:1", message)], [("2:1", message)] * 2)


NETWORK = {"default": Network.DEFAULT, "none": Network.NONE, "host": Network.HOST}


@pytest.mark.parametrize(("word", "network"), NETWORK.items())
def test_a_command_has_the_network_that_it_asks_for(word, network):
    assert last(f"RUN --network={word} x", Run).network is network


@pytest.mark.parametrize(
    ("flag", "device"),
    [
        ("a.com/b=c", DeviceRequest("a.com/b=c")),
        ("a.com/b=$x,required", DeviceRequest("a.com/b=1", True)),
        ("name=a.com/b=c,required=false", DeviceRequest("a.com/b=c")),
    ],
)
def test_a_command_asks_for_devices(flag, device):
    assert last(f"ARG x=1\nRUN --device={flag} y", Run).devices == (device,)
    assert not last("RUN y", Run).devices


@pytest.mark.parametrize(("flag", "message"), [("gpu", "names no device"), ("a.com/b=c,x", "unknown option x")])
def test_a_wrong_device_is_reported(flag, message):
    assert any(message in text for text in map(str, mistakes(f"FROM a\nRUN --device={flag} y")))

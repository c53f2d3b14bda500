"""What becomes of a Dockerfile: steps, configuration and history, as BuildKit makes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.build.configuration import ImageConfiguration
from orchestra.build.dockerfile import parse_dockerfile
from orchestra.build.evaluate import DEFAULT_PATH
from orchestra.build.graph import make_graph, needed_images
from orchestra.build.key import parents_of
from orchestra.build.options import DirectoryContext, ImageContext
from orchestra.build.step import (
    BaseImage,
    BindMount,
    CacheMount,
    ContextFiles,
    Copy,
    Download,
    GitTree,
    InlineFiles,
    Label,
    MakeDirectory,
    Network,
    Run,
    Scratch,
    SecretMount,
    Sharing,
    SshMount,
    TmpfsMount,
)
from orchestra.errors import DockerfileError
from orchestra.record import replace
from tests.build.conftest import OPTIONS, built_of, graph_of, mistakes

PATH = ("PATH", DEFAULT_PATH)


def last(lines: str, kind: type = Copy, **options: object) -> object:
    """The last step of a kind that these lines make."""
    graph = built_of(lines, replace(OPTIONS, **options))
    return [step for step in graph.steps if isinstance(step, kind)][-1]


def configured(lines: str, base: ImageConfiguration | None = None) -> dict[str, object]:
    config = dict(built_of(lines, base=base or ImageConfiguration()).result.config)
    config["Env"] = [one for one in config["Env"] if not one.startswith("PATH=")]
    return {key: value for key, value in config.items() if value}


def history(lines: str) -> list[str]:
    return [entry.created_by for entry in built_of(lines).result.history]


# The configuration


BASE = ImageConfiguration(
    environment=(("A", "1"), ("B", "2")),
    working_directory="/base",
    user="app",
    entrypoint=("/entry",),
    command=("run",),
    labels={"l": "1"},
    volumes=frozenset({"/v"}),
    exposed_ports=frozenset({"80/tcp"}),
    stop_signal="SIGINT",
    shell=("/bin/bash", "-c"),
)


@pytest.mark.parametrize(
    ("lines", "config"),
    [
        ("ENV A=1 B=$A\nENV C=${A}x", {"Env": ["A=1", "B=", "C=1x"]}),
        ("ENV A=1\nENV A=2", {"Env": ["A=2"]}),
        ("ENV A=a\\ b B='$x' C=\"d e\" D=\\$x", {"Env": ["A=a b", "B=$x", "C=d e", "D=$x"]}),
        ("ENV A b  c", {"Env": ["A=b  c"]}),
        ("ARG A=1\nENV A=2 B=$A", {"Env": ["A=2", "B=1"]}),
        ("LABEL a=1 'b c'=\"d\"\nLABEL a=2", {"Labels": {"a": "2", "b c": "d"}}),
        ("WORKDIR a\nWORKDIR b/../c", {"WorkingDir": "/a/c"}),
        ("ARG D=/x\nWORKDIR $D/y/", {"WorkingDir": "/x/y"}),
        ("WORKDIR ../..", {"WorkingDir": "/"}),
        ("ARG U=me\nUSER ${U}:staff", {"User": "me:staff"}),
        ('VOLUME /b\nVOLUME ["/a", "/b"]', {"Volumes": {"/a": {}, "/b": {}}}),
        (
            "EXPOSE 80 53/UDP 8000-8001 9:90",
            {"ExposedPorts": {f"{one}": {} for one in ("53/udp", "80/tcp", "8000/tcp", "8001/tcp", "90/tcp")}},
        ),
        ("ARG P='1 2/udp'\nEXPOSE $P", {"ExposedPorts": {"1/tcp": {}, "2/udp": {}}}),
        ("CMD a $A", {"Cmd": ["/bin/sh", "-c", "a $A"]}),
        ('CMD ["a"]\nCMD ["b"]', {"Cmd": ["b"]}),
        ('SHELL ["/bin/bash", "-c"]\nCMD a', {"Shell": ["/bin/bash", "-c"], "Cmd": ["/bin/bash", "-c", "a"]}),
        ('CMD ["c"]\nENTRYPOINT ["e"]', {"Entrypoint": ["e"], "Cmd": ["c"]}),
        ("ENTRYPOINT e", {"Entrypoint": ["/bin/sh", "-c", "e"]}),
        ("STOPSIGNAL SIGRTMIN+3", {"StopSignal": "SIGRTMIN+3"}),
        ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
        (
            "HEALTHCHECK --retries=2 --timeout=1s CMD a",
            {"Healthcheck": {"Test": ["CMD-SHELL", "a"], "Timeout": 10**9, "Retries": 2}},
        ),
        ("ONBUILD RUN $x\nONBUILD COPY a b", {"OnBuild": ["RUN $x", "COPY a b"]}),
    ],
)
def test_an_instruction_changes_the_configuration(lines, config):
    assert configured(lines) == config


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        ("", {}),
        ("ENV A=3", {"Env": ["A=3", "B=2"]}),
        ("ENV C=$A$B", {"Env": ["A=1", "B=2", "C=12"]}),
        ("WORKDIR x", {"WorkingDir": "/base/x"}),
        ("CMD x", {"Cmd": ["/bin/bash", "-c", "x"]}),
        ('ENTRYPOINT ["e"]', {"Entrypoint": ["e"], "Cmd": None}),
        ("ENTRYPOINT []", {"Entrypoint": None, "Cmd": None}),
        ("LABEL m=2", {"Labels": {"l": "1", "m": "2"}}),
        ("VOLUME /w", {"Volumes": {"/v": {}, "/w": {}}}),
    ],
)
def test_a_stage_takes_over_the_configuration_of_its_base(lines, changed):
    whole = {**configured("", BASE), **changed}
    assert configured(lines, BASE) == {key: value for key, value in whole.items() if value}
    assert len(configured("", BASE)) == 10


def test_a_stage_without_base_has_a_search_path_and_the_root_as_directory():
    result = graph_of("FROM scratch\nCMD a").result
    assert result.config == {"Env": [f"PATH={DEFAULT_PATH}"], "Cmd": ["/bin/sh", "-c", "a"], "WorkingDir": "/"}


def test_the_author_and_the_labels_of_the_user_are_in_the_result():
    result = built_of("MAINTAINER me\nLABEL a=1 b=1", replace(OPTIONS, labels={"b": "2"})).result
    assert (result.author, result.config["Labels"]) == ("me", {"a": "1", "b": "2"})


# RUN


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


# COPY and ADD


@pytest.mark.parametrize(
    ("lines", "step"),
    [
        ("COPY a b/../c /d", Copy(0, 1, ("a", "c"), "/d")),
        ("COPY . .", Copy(0, 1, (".",), "/")),
        ("COPY /a ./", Copy(0, 1, ("a",), "/")),
        ("COPY ../../a/ /x/.", Copy(0, 1, ("a",), "/x/")),
        ("COPY *.[ch] d/", Copy(0, 1, ("*.[ch]",), "/d/")),
        ("ARG A='b c'\nCOPY $A \"d\"", Copy(0, 1, ("b c",), "/d")),
        ('ARG A="b c"\nCOPY ["$A", "d e"]', Copy(0, 1, ("b c",), "/d e")),
        ("ARG O=me\nCOPY --chown=$O:us --chmod=0755 a /b", Copy(0, 1, ("a",), "/b", "me:us", "0755")),
        (
            "COPY --chmod=u=rwX,go-w --link --exclude=*.o --exclude=b a /b",
            Copy(0, 1, ("a",), "/b", None, "u=rwX,go-w", ("*.o", "b"), link=True),
        ),
        ("COPY --parents a/./b/c x/*.y /d/", Copy(0, 1, ("a/./b/c", "x/*.y"), "/d/", parents=True)),
        ("ADD a.tar b /d/", Copy(0, 1, ("a.tar", "b"), "/d/", unpack=True)),
        ("ADD --unpack=false a.tar /d/", Copy(0, 1, ("a.tar",), "/d/")),
    ],
)
def test_files_of_the_context_are_copied(lines, step):
    graph = built_of(lines)
    assert graph.steps == (BaseImage("base", "linux/amd64"), ContextFiles(), step)


@pytest.mark.parametrize(
    ("source", "step", "path", "unpack"),
    [
        ("https://x/a/b.tgz?c=d", Download("https://x/a/b.tgz?c=d", "b.tgz"), "b.tgz", False),
        ("--unpack https://x/b.tgz", Download("https://x/b.tgz", "b.tgz"), "b.tgz", True),
        ("http://x/", Download("http://x/", "__unnamed__"), "__unnamed__", False),
        ("http://x/a%20*.txt", Download("http://x/a%20*.txt", "a *.txt"), "a \\*.txt", False),
        (f"--checksum=sha256:{'0' * 64} http://x/y", Download("http://x/y", "y", f"sha256:{'0' * 64}"), "y", False),
        ("https://x/a.git", GitTree("https://x/a.git"), ".", False),
        ("https://x/a.git#v1:sub/dir/", GitTree("https://x/a.git", "v1", "sub/dir"), ".", False),
        (
            "https://x/a.git?branch=b&subdir=s&keep-git-dir=1",
            GitTree("https://x/a.git", "refs/heads/b", "s", "", True),
            ".",
            False,
        ),
        ("--keep-git-dir=true git@x.org:a/b.git#main", GitTree("git@x.org:a/b.git", "main", "", "", True), ".", False),
        ("--checksum=abc ssh://git@x/a", GitTree("ssh://git@x/a", "abc", "", "abc"), ".", False),
        ("git://x/a?tag=v1&commit=abc", GitTree("git://x/a", "refs/tags/v1", "", "abc"), ".", False),
    ],
)
def test_files_from_elsewhere_are_added(source, step, path, unpack):
    graph = built_of(f"ADD {source} /d/")
    assert graph.steps[1:] == (step, Copy(0, 1, (path,), "/d/", unpack=unpack))


def test_here_documents_are_files_with_values():
    lines = "ARG A=1\nCOPY --chmod=600 f <<x <<-'y[1]' <<\"z\" /d/\n$A \\$A 'q' \"$A\"\nx\n\t$A\n\ty[1]\nz z\nz"
    graph = built_of(lines)
    assert graph.steps[1:] == (
        ContextFiles(),
        InlineFiles((("x", b"1 $A 'q' \"1\"\n"), ("y[1]", b"$A\n"), ("z", b"z z\n"))),
        Copy(0, 1, ("f",), "/d/", None, "600"),
        Copy(3, 2, ("x", "y\\[1]", "z"), "/d/", None, "600"),
    )


def test_sources_of_different_kinds_are_added_in_their_order():
    graph = built_of("ADD a b http://x/c d /e/")
    copies = [step for step in graph.steps if isinstance(step, Copy)]
    assert [(step.paths, step.unpack) for step in copies] == [(("a", "b"), True), (("c",), False), (("d",), True)]
    assert [entry.step for entry in graph.result.history] == [graph.steps.index(step) for step in copies]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("COPY --chmod=888 a b", "invalid chmod parameter: '888'. it should be octal string and between 0 and 07777"),
        ("COPY --chmod=rwx a b", "invalid chmod parameter: 'rwx'. it should be octal string and between 0 and 07777"),
        (
            "COPY --from=$A a b",
            "variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope"
            " as a workaround",
        ),
        ("COPY http://x/y b", "source can't be a URL for COPY"),
        ("COPY https://x/y.git b", "source can't be a git ref for COPY"),
        ("ADD --checksum=sha256:0 http://x/y b", "invalid checksum digest format: sha256:0"),
        (f"ADD --checksum=sha256:{'0' * 64} y b", "checksum requires HTTP(S) or Git sources"),
        ("ADD --checksum=x y z b", "checksum can't be specified for multiple sources"),
        ("ADD https://x/a.git?ref=a#b c", "ref conflicts: b and a"),
        ("ADD https://x/a.git?depth=1 c", "unexpected query depth=1 in https://x/a.git"),
        ("ADD --keep-git-dir=false https://x/a.git?keep-git-dir=true c", "inconsistent keep-git-dir configuration"),
        ("EXPOSE x", "invalid port x: 'x' is not a port or a port range"),
        ("EXPOSE 80/icmp", "invalid proto: icmp"),
        ("EXPOSE /tcp", "no port specified: /tcp<empty>"),
        ("EXPOSE 9-8", "invalid port 9-8: the range 9-8 ends before it begins"),
        ("EXPOSE 1-2:3-5", "invalid ranges specified for container and host Ports: 3-5 and 1-2"),
        ("STOPSIGNAL SIGFOO", "invalid signal: SIGFOO"),
        ('ENV A="${B:?it is needed}"', "B: it is needed"),
        ("WORKDIR 'a", "a single quote is never closed"),
        ("VOLUME $x", "VOLUME specified can not be an empty string"),
        ("COPY --from=5 a b", "invalid stage index 5"),
        ("COPY --from=0 a b", "circular dependency detected on stage: 0"),
    ],
)
def test_a_mistake_that_depends_on_values_is_reported(line, message):
    assert mistakes(f"FROM a\n{line}") == [("2:1", message)]


# Arguments


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("FROM a\nARG A", {}, None),
        ("FROM a\nARG A", {"A": "1"}, "1"),
        ("FROM a\nARG A=1", {"A": ""}, ""),
        ("FROM a\nARG A=1", {"A": None}, "1"),
        ("ARG A=1\nFROM a", {}, None),
        ("ARG A=1\nFROM a\nARG A", {}, "1"),
        ("ARG A=1\nFROM a\nARG A=2", {}, "2"),
        ("ARG A=1\nFROM a\nARG A", {"A": "2"}, "2"),
        ("ARG B=1\nARG A=${B}x\nFROM a\nARG A", {}, "1x"),
        ("FROM a\nARG B=1 A=$B", {}, "1"),
        ("FROM a\nARG A=1\nARG A=2", {}, "2"),
        ("FROM a AS b\nARG A=1\nFROM a", {}, None),
        ("FROM a AS b\nARG A=1\nFROM b", {}, "1"),
        ("FROM a\nARG TARGETARCH\nARG A=$TARGETARCH", {}, "amd64"),
        ("FROM a\nARG A=$TARGETARCH", {}, ""),
        ("FROM a\nARG TARGETARCH=x\nARG A=$TARGETARCH", {}, "x"),
        ("FROM a AS s\nARG TARGETSTAGE\nARG A=$TARGETSTAGE", {}, "s"),
    ],
)
def test_an_argument_has_a_scope(text, given, expected):
    graph = graph_of(f"{text}\nRUN x", replace(OPTIONS, arguments=given))
    (run,) = [step for step in graph.steps if isinstance(step, Run)]
    assert dict(run.environment).get("A") == expected


@pytest.mark.parametrize(
    ("platform", "values"),
    [
        ("linux/amd64", ("linux/amd64", "linux", "amd64", "")),
        ("linux/arm64/v8", ("linux/arm64", "linux", "arm64", "")),
        ("linux/arm", ("linux/arm/v7", "linux", "arm", "v7")),
        ("linux/arm/6", ("linux/arm/v6", "linux", "arm", "v6")),
        ("linux/x86_64", ("linux/amd64", "linux", "amd64", "")),
    ],
)
def test_platforms_are_arguments(platform, values):
    names = ("PLATFORM", "OS", "ARCH", "VARIANT")
    lines = "".join(f"ARG TARGET{name} BUILD{name}\n" for name in names)
    run = last(f"{lines}RUN x", Run, platform=platform, build_platform="linux/riscv64")
    found = dict(run.environment)
    assert tuple(found[f"TARGET{name}"] for name in names) == values
    assert found["BUILDPLATFORM"] == "linux/riscv64"


# Stages


def images(text: str, **options: object) -> list[str]:
    needed = needed_images(parse_dockerfile(text), replace(OPTIONS, **options))
    return [f"{image.reference} {image.platform.removeprefix('linux/')}" for image in needed]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("FROM a AS x\nFROM b", {}, ["b amd64"]),
        ("FROM a AS x\nFROM b", {"target": "X"}, ["a amd64"]),
        ("FROM a\nFROM b", {"target": "0"}, ["a amd64"]),
        ("FROM a AS x\nFROM x AS y\nFROM y", {}, ["a amd64"]),
        ("FROM a AS x\nFROM b\nCOPY --from=x c d", {}, ["a amd64", "b amd64"]),
        (
            "FROM a AS x\nFROM b\nCOPY --from=X c d\nCOPY --from=0 c d\nCOPY --from=e c d",
            {},
            ["a amd64", "b amd64", "e amd64"],
        ),
        (
            "FROM a AS x\nFROM b\nRUN --mount=from=x,target=/c --mount=type=cache,from=d,target=/d y",
            {},
            ["a amd64", "b amd64", "d amd64"],
        ),
        ("FROM a\nRUN --mount=type=tmpfs,from=x,target=/c y", {}, ["a amd64"]),
        ("ARG V=1\nFROM a:$V", {"arguments": {"V": "2"}}, ["a:2 amd64"]),
        (
            "FROM --platform=$BUILDPLATFORM a AS x\nFROM b\nCOPY --from=x c d",
            {"platform": "linux/arm64"},
            ["a amd64", "b arm64"],
        ),
        ("FROM --platform=linux/arm/v6 a", {}, ["a arm/v6"]),
        ("FROM scratch\nCOPY --from=scratch a b", {}, []),
        ("FROM a AS x\nFROM b AS x\nFROM x", {}, ["b amd64"]),
        ("FROM a", {"contexts": {"a": ImageContext("c")}}, ["c amd64"]),
        ("FROM docker.io/library/a:latest", {"contexts": {"a": ImageContext("c")}}, ["c amd64"]),
        ("FROM a:1", {"contexts": {"a": ImageContext("c")}}, ["a:1 amd64"]),
        ("FROM a AS x\nFROM x", {"contexts": {"x": ImageContext("c")}}, ["c amd64"]),
        ("FROM a\nCOPY --from=x b c", {"contexts": {"x": DirectoryContext()}}, ["a amd64"]),
    ],
)
def test_only_the_images_that_the_target_needs_are_named(text, options, expected):
    assert images(text, **options) == expected


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("FROM a", {"target": "bild"}, ("1:1", 'target stage "bild" could not be found')),
        ("FROM a", {"target": "1"}, ("1:1", 'target stage "1" could not be found')),
        ("FROM $A", {}, ("1:1", "base name ($A) should not be blank")),
        ("FROM ${A:?no}", {}, ("1:1", "A: no")),
        ("FROM --platform=$A a", {}, ("1:1", "empty platform value from expression $A")),
        ("FROM --platform=a/b/c/d a", {}, ("1:1", "platform 'a/b/c/d' is not OS/ARCHITECTURE[/VARIANT]")),
        ("FROM a", {"platform": "a/b/c/d"}, ("1:1", "platform 'a/b/c/d' is not OS/ARCHITECTURE[/VARIANT]")),
        ("FROM a AS x\nCOPY --from=x b c", {}, ("2:1", "circular dependency detected on stage: x")),
        (
            "FROM a AS x\nCOPY --from=y b c\nFROM x AS y",
            {},
            ("2:1", 'cannot copy from stage "y", it needs to be defined before current stage "x"'),
        ),
        ("ARG A=${B:?no}\nFROM a", {}, ("1:1", "B: no")),
    ],
)
def test_a_wrong_stage_is_reported(text, options, expected):
    assert mistakes(text, **options) == [expected]


def test_a_stage_that_is_nearly_called_so_is_suggested():
    with pytest.raises(DockerfileError) as raised:
        graph_of("FROM a AS build", replace(OPTIONS, target="bild"))
    assert raised.value.diagnostics[0].hint == "did you mean build?"


def test_a_stage_continues_an_earlier_one():
    graph = graph_of("FROM a AS x\nENV A=1\nRUN one\nFROM x\nRUN two")
    assert [type(step) for step in graph.steps] == [BaseImage, Run, Run]
    assert (graph.steps[2].base, graph.result.base) == (1, 0)
    assert [entry.step for entry in graph.result.history] == [None, 1, 2]


def test_a_named_context_takes_the_place_of_a_stage_and_its_instructions():
    contexts = {"x": DirectoryContext()}
    graph = graph_of("FROM a AS x\nRUN one\nFROM scratch\nCOPY --from=x b /c", replace(OPTIONS, contexts=contexts))
    assert graph.steps == (ContextFiles("x"), Scratch(), Copy(1, 0, ("b",), "/c"))


def test_equal_steps_are_one_step():
    graph = graph_of("FROM a AS x\nRUN one\nFROM a\nRUN one\nCOPY --from=x b /c")
    assert graph.steps[2:] == (Copy(1, 1, ("b",), "/c"),)


def test_steps_are_labelled_as_they_are_shown():
    graph = graph_of(
        "FROM a AS x\nENV A=1\nRUN echo $A $B\\\n '$A'\nWORKDIR /\nFROM scratch\nCOPY --from=x a /\nADD b c"
    )
    assert [graph.labels.get(number) for number in range(len(graph.steps))] == [
        Label("x", 1, 3, "FROM a", 1, 1),
        Label("x", 2, 3, "RUN echo 1 $B '$A'", 3, 4),
        None,
        Label("stage-1", 1, 2, "COPY --from=x a /", 7, 7),
        None,
        Label("stage-1", 2, 2, "ADD b c", 8, 8),
    ]
    assert built_of("RUN <<E\n\nsecond\nthird\nE").labels[1] == Label("", 2, 2, "RUN <<E (second...)", 2, 6)


def test_values_of_secrets_are_not_shown():
    graph = built_of("ENV T=old\nRUN --mount=type=secret,id=t,env=T echo $T")
    assert graph.labels[1].text == "RUN --mount=type=secret,id=t,env=T echo ****"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, set()),
        ({"no_cache": True}, {1, 3, 4, 5}),
        ({"no_cache_filter": frozenset({"X"})}, {1}),
    ],
)
def test_stages_can_be_built_without_what_is_known(options, expected):
    text = "FROM a AS x\nRUN one\nFROM b AS y\nWORKDIR /w\nCOPY --from=x c /d\nRUN two"
    graph = graph_of(text, replace(OPTIONS, **options))
    assert graph.uncached == expected


# ONBUILD


def test_triggers_of_the_base_come_first_and_do_not_go_on():
    base = ImageConfiguration(on_build=("RUN one", "COPY --from=other a /b", "ENV A=1"))
    graph = built_of("RUN two $A", base=base)
    assert [type(step) for step in graph.steps] == [BaseImage, Run, BaseImage, Copy, Run]
    assert graph.labels[1] == Label("", 2, 4, "ONBUILD RUN one", 1, 1)
    assert "OnBuild" not in graph.result.config


def test_triggers_of_a_stage_are_run_in_those_that_continue_it():
    graph = graph_of("FROM a AS x\nONBUILD RUN one\nFROM x AS y\nFROM y")
    assert [type(step) for step in graph.steps] == [BaseImage, Run]
    assert graph_of("FROM a\nONBUILD RUN one").result.config["OnBuild"] == ["RUN one"]


@pytest.mark.parametrize("trigger", ["FROM x", "RUM x", "RUN a\nRUN b", "COPY a", "RUN <<E"])
def test_a_wrong_trigger_is_reported_at_the_stage(trigger):
    with pytest.raises(DockerfileError) as raised:
        graph_of("FROM scratch\nFROM base", base=ImageConfiguration(on_build=(trigger,)))
    (problem,) = raised.value.diagnostics
    assert (problem.span.line, problem.message.startswith(f"ONBUILD {trigger}: ")) == (2, True)


# History


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("RUN a $b", ["RUN /bin/sh -c a $b # buildkit"]),
        ('RUN ["a", "b"]', ["RUN a b # buildkit"]),
        ("ARG A=1 B\nRUN x", ["ARG A=1 B", "RUN |2 A=1 B= /bin/sh -c x # buildkit"]),
        ("ENV A=1 B='x y'", ["ENV A=1 B=x y"]),
        ("LABEL a=b", ["LABEL a=b"]),
        ("COPY --chown=a --chmod=1 --parents b c d", ["COPY --parents --chown=a --chmod=1 b c d # buildkit"]),
        ("COPY <<a /b\na", ["COPY <<a /b # buildkit"]),
        ("ADD a b", ["ADD a b # buildkit"]),
        ("WORKDIR a", ["WORKDIR /a"]),
        ("USER a\nVOLUME /a /b", ["USER a", "VOLUME [/a /b]"]),
        ("EXPOSE 80 53/udp", ["EXPOSE [53/udp 80/tcp]"]),
        ('CMD ["a", "b\\"\\n"]', ['CMD ["a" "b\\"\\n"]']),
        ("ENTRYPOINT a", ['ENTRYPOINT ["/bin/sh" "-c" "a"]']),
        ("STOPSIGNAL 9", ["STOPSIGNAL 9"]),
        ('SHELL ["a", "-c"]', ["SHELL [a -c]"]),
        ("MAINTAINER a", ["MAINTAINER a"]),
        ("ONBUILD RUN a", []),
        (
            "HEALTHCHECK --interval=90s CMD a b",
            ["HEALTHCHECK {Test:[CMD-SHELL a b] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"],
        ),
    ],
)
def test_history_is_written_as_buildkit_writes_it(lines, expected):
    assert history(lines) == expected


# Everything


NETWORK = {"default": Network.DEFAULT, "none": Network.NONE, "host": Network.HOST}


@pytest.mark.parametrize(("word", "network"), NETWORK.items())
def test_a_command_has_the_network_that_it_asks_for(word, network):
    assert last(f"RUN --network={word} x", Run).network is network


LINES = st.sampled_from(
    [
        "FROM a",
        "FROM a AS x",
        "FROM x AS y",
        "FROM scratch",
        "FROM --platform=$P b",
        "RUN x",
        "RUN --mount=from=x,target=/a y",
        "COPY --from=x a b",
        "COPY --from=0 a b",
        "COPY . .",
        "COPY <<E /a",
        "E",
        "ADD http://x/y z",
        "ENV A=$A$A",
        "ARG A=1",
        "ARG P=linux/arm64",
        "WORKDIR w",
        "USER u",
        "EXPOSE $A",
        "ONBUILD COPY --from=x a b",
        "ONBUILD RUN z",
        "CMD c",
        "ENTRYPOINT []",
        "# escape=`",
        "RUN a \\",
        "",
        "LABEL ${A:-",
        "VOLUME /v",
        "HEALTHCHECK CMD x",
        'SHELL ["s"]',
        "STOPSIGNAL 9",
        "\\",
    ]
)


@given(st.lists(LINES | st.text(max_size=8), max_size=12), st.sampled_from([None, "x", "y", "0"]))
def test_no_text_raises_anything_but_the_located_error(lines, target):
    text = "\n".join(lines)
    try:
        graph = graph_of(text, replace(OPTIONS, target=target))
    except DockerfileError as error:
        places = [one.span.line for one in error.diagnostics if one.span]
        if len(places) < len(error.diagnostics) or max(places) > text.count("\n") + 1:
            raise
        return
    used = {graph.result.tree, graph.result.base}
    for number in reversed(range(len(graph.steps))):
        parents = parents_of(graph.steps[number])
        assert all(parent < number for parent in parents)
        used |= set(parents) if number in used else set()
    assert used == set(range(len(graph.steps)))
    assert {entry.step for entry in graph.result.history} - {None} <= used


def test_a_graph_needs_no_more_than_the_images_that_were_named():
    dockerfile = parse_dockerfile("FROM a\nCOPY --from=b c d")
    needed = needed_images(dockerfile, OPTIONS)
    assert make_graph(dockerfile, OPTIONS, dict.fromkeys(needed, ImageConfiguration())).steps[:2] == needed


def test_values_that_grow_are_limited():
    lines = ["ENV A=" + "x" * 500_000, *(f"ENV A{number}=$A" for number in range(200))]
    assert (
        mistakes("FROM a\n" + "\n".join(lines))[0][1] == "with their variables the instructions are longer than 64 MiB"
    )
    assert "longer than 1 MiB" in mistakes("FROM a\nENV A=xx\n" + "ENV A=$A$A\n" * 40)[0][1]

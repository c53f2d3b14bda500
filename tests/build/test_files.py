"""COPY and ADD as steps: https://docs.docker.com/reference/dockerfile/#copy."""

from __future__ import annotations

import pytest

from orchestra.build.step import (
    BaseImage,
    ContextFiles,
    Copy,
    Download,
    GitTree,
    InlineFiles,
)
from tests.build.conftest import built_of, mistakes


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

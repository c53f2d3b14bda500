"""Each form of each instruction: https://docs.docker.com/reference/dockerfile/."""

from __future__ import annotations

import pytest

from orchestra.build import instruction as typed
from orchestra.build.dockerfile import parse_dockerfile
from orchestra.build.here import HereDocument
from orchestra.build.instruction import Argument, CommandLine, Files
from orchestra.build.step import Network
from orchestra.record import fields, replace
from tests.build.conftest import mistakes


def parsed(text: str) -> tuple[object, dict[str, object]]:
    """The instruction after FROM, as its type and fields."""
    (one,) = parse_dockerfile(f"FROM a\n{text}").stages[0].instructions
    values = fields(one)
    del values["line"]
    return type(one), values


def files(*sources: str, to: str = "/d/", documents: tuple[HereDocument, ...] = (), **more: object) -> Files:
    return replace(Files(sources, documents, to), **more)


def shell(text: str, *documents: HereDocument) -> CommandLine:
    return CommandLine((text,), True, documents)


def words(*arguments: str) -> CommandLine:
    return CommandLine(arguments, False)


@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ("arg A", typed.Arg, {"arguments": (Argument("A"),)}),
        (
            "ARG A=1 B C='x y' D=",
            typed.Arg,
            {"arguments": (Argument("A", "1"), Argument("B"), Argument("C", "'x y'"), Argument("D", ""))},
        ),
        ("ENV A=1", typed.Env, {"pairs": (("A", "1"),)}),
        (r'ENV A="x y" B=a\ b C=', typed.Env, {"pairs": (("A", '"x y"'), ("B", r"a\ b"), ("C", ""))}),
        ("ENV A x=1  y ", typed.Env, {"pairs": (("A", "x=1  y"),), "old_form": True}),
        ('LABEL "a b"="c d" e=f', typed.Label, {"pairs": (('"a b"', '"c d"'), ("e", "f"))}),
        ("LABEL a b", typed.Label, {"pairs": (("a", "b"),), "old_form": True}),
        ("RUN make   all", typed.Run, {"command": shell("make   all")}),
        ("RUN make \\\n  # no\n  all", typed.Run, {"command": shell("make   all")}),
        ("RUN make \\ \t\n all", typed.Run, {"command": shell("make  all")}),
        ("RUN echo \\\\", typed.Run, {"command": shell("echo \\\\")}),
        ('RUN ["make", "a\\"b"]', typed.Run, {"command": words("make", 'a"b')}),
        ("RUN [ -f x ]", typed.Run, {"command": shell("[ -f x ]")}),
        ("RUN ['a']", typed.Run, {"command": shell("['a']")}),
        ('RUN ["a"] && b', typed.Run, {"command": shell('["a"] && b')}),
        (
            "RUN --network=none --security=insecure --device=a.com/b=c x",
            typed.Run,
            {"command": shell("x"), "network": Network.NONE, "insecure": True, "devices": ("a.com/b=c",)},
        ),
        (
            "RUN --mount=type=cache,target=/c --mount=target=/d x",
            typed.Run,
            {"command": shell("x"), "mounts": ("type=cache,target=/c", "target=/d")},
        ),
        (
            'RUN --mount="type=bind,target=/a b" x',
            typed.Run,
            {"command": shell("x"), "mounts": ("type=bind,target=/a b",)},
        ),
        ("RUN -- --x", typed.Run, {"command": shell("--x")}),
        ("RUN <<EOF\na\n\n# b\nEOF", typed.Run, {"command": shell("<<EOF", HereDocument("EOF", "a\n\n# b\n"))}),
        ("RUN <<-E cat\n\tx\n\tE", typed.Run, {"command": shell("<<-E cat", HereDocument("E", "\tx\n", True, True))}),
        (
            "RUN a <<'A' 3<<B\n1\nA\n2\nB",
            typed.Run,
            {"command": shell("a <<'A' 3<<B", HereDocument("A", "1\n", False), HereDocument("B", "2\n"))},
        ),
        ("RUN a <<A \\\n b\nx\nA", typed.Run, {"command": shell("a <<A  b", HereDocument("A", "x\n"))}),
        ("RUN a << A", typed.Run, {"command": shell("a << A")}),
        ("RUN echo '<<A'", typed.Run, {"command": shell("echo '<<A'")}),
        ("RUN a <<<A", typed.Run, {"command": shell("a <<<A")}),
        ("RUN ['<<A']", typed.Run, {"command": shell("['<<A']")}),
        ("COPY a b /d/", typed.Copy, {"files": files("a", "b")}),
        ('COPY ["a b", "/d/"]', typed.Copy, {"files": files("a b")}),
        (
            "COPY --from=x --chown=1:2 --chmod=644 --link --parents --exclude=*.a --exclude=b a /d/",
            typed.Copy,
            {
                "files": files("a", owner="1:2", mode="644", link=True, exclude=("*.a", "b")),
                "source": "x",
                "parents": True,
            },
        ),
        ("COPY --link=false a /d/", typed.Copy, {"files": files("a")}),
        (
            "COPY <<a f <<'b' /d/\n1\na\n2\nb",
            typed.Copy,
            {"files": files("f", documents=(HereDocument("a", "1\n"), HereDocument("b", "2\n", False)))},
        ),
        (
            "ADD --checksum=sha256:0 --keep-git-dir --unpack=false u /d/",
            typed.Add,
            {"files": files("u"), "checksum": "sha256:0", "keep_git_directory": True, "unpack": False},
        ),
        ("WORKDIR a b", typed.Workdir, {"path": "a b"}),
        ("USER a:b", typed.User, {"user": "a:b"}),
        ("VOLUME /a /b", typed.Volume, {"paths": ("/a", "/b")}),
        ('VOLUME ["/a b"]', typed.Volume, {"paths": ("/a b",)}),
        ("EXPOSE 90 80/udp", typed.Expose, {"ports": ("80/udp", "90")}),
        ("CMD a b", typed.Cmd, {"command": shell("a b")}),
        ('CMD ["a"]', typed.Cmd, {"command": words("a")}),
        ("CMD []", typed.Cmd, {"command": words()}),
        ("CMD", typed.Cmd, {"command": CommandLine((), True)}),
        ("ENTRYPOINT []", typed.Entrypoint, {"command": words()}),
        ("HEALTHCHECK NONE", typed.Healthcheck, {"test": ("NONE",)}),
        ("healthcheck cmd a b", typed.Healthcheck, {"test": ("CMD-SHELL", "a b")}),
        (
            'HEALTHCHECK --interval=1m --timeout=2s --start-period=1ms --start-interval=0 --retries=3 CMD ["a"]',
            typed.Healthcheck,
            {"test": ("CMD", "a"), "interval": 60 * 10**9, "timeout": 2 * 10**9, "start_period": 10**6, "retries": 3},
        ),
        ("STOPSIGNAL SIGTERM", typed.Stopsignal, {"signal": "SIGTERM"}),
        ('SHELL ["/bin/bash", "-c"]', typed.Shell, {"arguments": ("/bin/bash", "-c")}),
        ("ONBUILD COPY . /a", typed.Onbuild, {"trigger": "COPY . /a"}),
        ("onbuild RUN <<A\nx\nA", typed.Onbuild, {"trigger": "RUN <<A\nx\nA"}),
        ("MAINTAINER A B <a@b>", typed.Maintainer, {"name": "A B <a@b>"}),
    ],
)
def test_an_instruction_is_parsed(text, kind, values):
    defaults = {name: value for name, value in kind._field_defaults.items() if name not in values}
    assert parsed(text) == (kind, {**defaults, **values})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a", ("a", "", "")),
        ("from --platform=linux/arm64 a:1@sha256:0 As B_1", ("a:1@sha256:0", "b_1", "linux/arm64")),
    ],
)
def test_a_stage_begins_with_from(text, expected):
    beginning = parse_dockerfile(text).stages[0].beginning
    assert (beginning.image, beginning.name, beginning.platform) == expected


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("", "1:1", "file with no instructions"),
        ("# only\n", "1:1", "file with no instructions"),
        ("ARG A", "1:1", "dockerfile contains no stages to build"),
        ("RUN x\nRUN y\nFROM a", "1:1", "no build stage in current context: RUN comes before the first FROM"),
        ("FROM a\nRUM x", "2:1", "unknown instruction: RUM"),
        ("FROM", "1:1", "FROM requires either one or three arguments"),
        ("FROM a b", "1:8", "FROM requires either one or three arguments"),
        ("FROM a AS", "1:8", "FROM requires either one or three arguments"),
        (
            "FROM a AS 1x",
            "1:11",
            'invalid name for build stage: "1x", name can\'t start with a number or contain symbols',
        ),
        ("FROM --platfrom=x a", "1:6", "unknown flag: platfrom"),
        ("FROM --platform a", "1:6", "missing a value on flag: platform"),
        ("FROM --platform=x --platform=y a", "1:19", "duplicate flag specified: platform"),
        ("FROM a\nARG", "2:1", "ARG requires at least one argument"),
        ("FROM a\nARG =x", "2:5", "ARG names can not be blank"),
        ("FROM a\nENV", "2:1", "ENV requires at least one argument"),
        ("FROM a\nENV A", "2:5", "ENV must have two arguments"),
        ("FROM a\nENV A=1 B", "2:9", 'Syntax error - can\'t find = in "B". Must be of the form: name=value'),
        ("FROM a\nLABEL =x", "2:7", "LABEL names can not be blank"),
        ("FROM a\nRUN", "2:1", "RUN requires at least one argument"),
        ("FROM a\nRUN []", "2:1", "RUN requires at least one argument"),
        ("FROM a\nRUN [1]", "2:5", "when using JSON array syntax, arrays must be comprised of strings only"),
        ('FROM a\nRUN ["\\u0000"]', "2:5", "an argument contains a NUL"),
        ("FROM a\nRUN --network=hots x", "2:5", "network 'hots' is not valid"),
        ("FROM a\nRUN --security=off x", "2:5", "security 'off' is not valid"),
        ("FROM a\nRUN a \\\n  --mount=x \\\n <<E", "4:2", "unterminated heredoc: no line with E alone"),
        (
            "FROM a\nCOPY a",
            "2:1",
            "COPY requires at least two arguments, but only 1 was provided. Destination could not be determined.",
        ),
        ("FROM a\nCOPY a <<E\nE", "2:8", "COPY cannot accept a heredoc as a destination"),
        ("FROM a\nCOPY --link=yes a b", "2:6", "expecting boolean value for flag link, not: yes"),
        ("FROM a\nCOPY --link= a b", "2:6", "missing a value on flag: link"),
        ("FROM a\nCOPY --checksum=x a b", "2:6", "unknown flag: checksum"),
        ("FROM a\nADD --from=x a b", "2:5", "unknown flag: from"),
        ("FROM a\nWORKDIR", "2:1", "WORKDIR requires exactly one argument"),
        ("FROM a\nUSER --x y", "2:6", "unknown flag: x"),
        ('FROM a\nVOLUME [""]', "2:8", "VOLUME specified can not be an empty string"),
        ("FROM a\nVOLUME", "2:1", "VOLUME requires at least one argument"),
        ("FROM a\nEXPOSE", "2:1", "EXPOSE requires at least one argument"),
        ("FROM a\nHEALTHCHECK", "2:1", "HEALTHCHECK requires at least one argument"),
        ("FROM a\nHEALTHCHECK NONE x", "2:18", "HEALTHCHECK NONE takes no arguments"),
        ("FROM a\nHEALTHCHECK CMD", "2:1", "missing command after HEALTHCHECK CMD"),
        ("FROM a\nHEALTHCHECK curl x", "2:13", 'unknown type "curl" in HEALTHCHECK (try CMD)'),
        (
            "FROM a\nHEALTHCHECK --interval=1x CMD y",
            "2:13",
            "'1x' is not a duration; use a number with a unit, such as 90s or 1m30s",
        ),
        ("FROM a\nHEALTHCHECK --timeout=1us CMD y", "2:13", 'interval "timeout" cannot be less than 1ms'),
        ("FROM a\nHEALTHCHECK --retries=-1 CMD y", "2:13", "--retries cannot be negative (-1)"),
        ("FROM a\nHEALTHCHECK --retries=x CMD y", "2:13", "--retries is not a number: x"),
        ("FROM a\nSHELL /bin/sh", "2:1", "SHELL requires the arguments to be in JSON form"),
        ("FROM a\nSHELL []", "2:1", "SHELL requires at least one argument"),
        ("FROM a\nONBUILD", "2:1", "ONBUILD requires at least one argument"),
        ("FROM a\nONBUILD ONBUILD RUN x", "2:9", "chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("FROM a\nONBUILD FROM x", "2:9", "FROM isn't allowed as an ONBUILD trigger"),
        ("FROM a\nONBUILD RUM x", "2:9", "unknown instruction: RUM"),
        ("FROM a\nMAINTAINER", "2:1", "MAINTAINER requires exactly one argument"),
        ("# escape=x\nFROM a", "1:10", "invalid escape token 'x' does not match ` or \\"),
        ("# escape=`\n# escape=`\nFROM a", "2:1", "only one escape parser directive can be used"),
        ("FROM a\nRUN x\0y", "2:6", "the text contains a NUL or an incomplete character"),
    ],
)
def test_a_mistake_is_reported_at_its_place(text, place, message):
    assert mistakes(text) == [(place, message)]


def test_all_mistakes_are_reported_in_their_order():
    text = "FRM a\nFROM b c\nRUN x\nCOPY x\nENV A=1 B\n"
    assert [place for place, _ in mistakes(text)] == ["1:1", "2:8", "4:1", "5:9"]


def test_a_name_that_is_nearly_right_is_suggested():
    from orchestra.errors import DockerfileError

    with pytest.raises(DockerfileError) as raised:
        parse_dockerfile("FROM a\nRUM x\nCOPY --chwon=x a b")
    assert [one.hint for one in raised.value.diagnostics] == ["did you mean RUN?", "did you mean chown?"]


def test_directives_count_only_at_the_beginning():
    text = "# Syntax = docker/dockerfile:1 \n#escape=`\n# check=skip=all\nFROM a\nRUN a `\n b\\\n"
    dockerfile = parse_dockerfile("\ufeff" + text.replace("\n", "\r\n"))
    assert fields(dockerfile.directives) == {"syntax": "docker/dockerfile:1", "escape": "`", "check": "skip=all"}
    assert dockerfile.stages[0].instructions[0].command.arguments == ("a  b\\",)
    for before in ("# note\n", "\n", "# unknown=x\n", "FROM a\n"):
        assert parse_dockerfile(f"{before}# escape=`\nFROM a").directives.escape == "\\"


def test_a_here_document_keeps_the_line_breaks_of_the_file():
    (one,) = parse_dockerfile("FROM a\r\nCOPY <<E /x\r\na\r\nE\r\n").stages[0].instructions
    assert one.files.documents[0].content == "a\r\n"


def test_comments_right_above_an_instruction_belong_to_it():
    dockerfile = parse_dockerfile("# far\n\n# a the tool\n#   more\nFROM x AS a\n# no\n#\n# yes\nRUN x")
    assert dockerfile.stages[0].beginning.line.comments == ("a the tool", "more")
    assert dockerfile.stages[0].instructions[0].line.comments == ("yes",)


@pytest.mark.parametrize(
    ("part", "place"),
    [("--network", "2:5-2:14"), ("two", "4:3-4:6"), ("one ", "2:20-2:24"), ("RUN", "2:1-2:4")],
)
def test_a_part_of_an_instruction_has_the_place_where_it_is_written(part, place):
    line = parse_dockerfile("FROM a\nRUN --network=none one \\\n# x\n  two").stages[0].instructions[0].line
    span = line.place(line.text.rindex(part), line.text.rindex(part) + len(part))
    assert f"{span.line}:{span.column}-{span.end_line}:{span.end_column}" == place
    assert (line.span.line, line.span.end_line) == (2, 4)

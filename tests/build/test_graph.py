"""Arguments, stages, labels and triggers: what is in a graph, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.build.configuration import ImageConfiguration
from orchestra.build.dockerfile import parse_dockerfile
from orchestra.build.graph import make_graph, needed_images
from orchestra.build.key import parents_of
from orchestra.build.options import DirectoryContext, ImageContext
from orchestra.build.step import (
    BaseImage,
    ContextFiles,
    Copy,
    Label,
    Run,
    Scratch,
)
from orchestra.errors import DockerfileError
from orchestra.record import replace
from tests.build.conftest import OPTIONS, built_of, graph_of, last, mistakes


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
    assert make_graph(dockerfile, OPTIONS, dict.fromkeys(needed, ImageConfiguration())).steps[:2] == tuple(needed)


def test_values_that_grow_are_limited():
    lines = ["ENV A=" + "x" * 500_000, *(f"ENV A{number}=$A" for number in range(200))]
    assert (
        mistakes("FROM a\n" + "\n".join(lines))[0][1] == "with their variables the instructions are longer than 64 MiB"
    )
    assert "longer than 1 MiB" in mistakes("FROM a\nENV A=xx\n" + "ENV A=$A$A\n" * 40)[0][1]


SCANNED = "FROM x AS one{one}\nFROM one AS two\nFROM x AS unneeded\nFROM x\nCOPY --from=two / /\n"


@pytest.mark.parametrize(
    ("before", "one", "given", "expected"),
    [
        ("", "", {}, []),
        ("", "", {"BUILDKIT_SBOM_SCAN_STAGE": "true"}, []),
        ("ARG BUILDKIT_SBOM_SCAN_STAGE=true\n", "", {}, ["one", "two"]),
        ("ARG BUILDKIT_SBOM_SCAN_STAGE=two,unneeded\n", "", {}, ["two"]),
        ("ARG BUILDKIT_SBOM_SCAN_STAGE=True\n", "\nARG BUILDKIT_SBOM_SCAN_STAGE=0", {}, []),
        ("ARG BUILDKIT_SBOM_SCAN_STAGE\n", "", {"BUILDKIT_SBOM_SCAN_STAGE": "one"}, ["one"]),
        ("", "\nARG BUILDKIT_SBOM_SCAN_STAGE=one", {}, ["one"]),
    ],
)
def test_stages_that_a_bill_of_materials_covers(before, one, given, expected):
    graph = graph_of(before + SCANNED.format(one=one), replace(OPTIONS, arguments=given))
    assert [name for name, _ in graph.scanned] == expected
    assert graph.wanted == [graph.result.tree, *(tree for _, tree in graph.scanned)]

"""The rules of https://docs.docker.com/reference/build-checks/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestra.build.check import check, parse_selection
from orchestra.build.configuration import ImageConfiguration
from orchestra.build.dockerfile import parse_dockerfile
from orchestra.build.ignore import parse_ignore
from orchestra.build.rule import Rule
from orchestra.build.step import BaseImage
from orchestra.record import replace
from tests.build.conftest import OPTIONS

KNOWN = {BaseImage("a", "linux/amd64"): ImageConfiguration(platform="linux/amd64", environment=(("HOME", "/"),))}


def findings(text: str, **options: object) -> list[tuple[str, int, str]]:
    report = check(parse_dockerfile(text), replace(OPTIONS, **options), KNOWN)
    assert report.problems == ()
    return [(one.code, one.span.line, one.message) for one in report.findings]


@pytest.mark.parametrize(
    ("text", "rule", "line", "message"),
    [
        ("FROM a AS Build", Rule.STAGE_NAME_CASING, 1, "Stage name 'Build' should be lowercase"),
        ("FROM a as b", Rule.FROM_AS_CASING, 1, "'as' and 'FROM' keywords' casing do not match"),
        ("from a AS b", Rule.FROM_AS_CASING, 1, "'AS' and 'from' keywords' casing do not match"),
        ("FROM a\nRUN x \\\n\n y", Rule.NO_EMPTY_CONTINUATION, 2, "Empty continuation line"),
        (
            "FROM a\nRUN x\nrun y",
            Rule.CONSISTENT_INSTRUCTION_CASING,
            3,
            "Command 'run' should match the case of the command majority (uppercase)",
        ),
        (
            "from a\nrun x\nRun y",
            Rule.CONSISTENT_INSTRUCTION_CASING,
            3,
            "Command 'Run' should match the case of the command majority (lowercase)",
        ),
        (
            "FROM a AS b\nFROM a AS b",
            Rule.DUPLICATE_STAGE_NAME,
            2,
            'Duplicate stage name "b", stage names should be unique',
        ),
        (
            "FROM a AS context",
            Rule.RESERVED_STAGE_NAME,
            1,
            'Stage name should not use the same name as reserved stage "context"',
        ),
        (
            "FROM a\nCMD x",
            Rule.JSON_ARGS_RECOMMENDED,
            2,
            "JSON arguments recommended for CMD to prevent unintended behavior related to OS signals",
        ),
        (
            "FROM a\nMAINTAINER x",
            Rule.MAINTAINER_DEPRECATED,
            2,
            "Maintainer instruction is deprecated in favor of using label",
        ),
        (
            "ARG VERSION=1\nFROM a:${VERSIN}x",
            Rule.UNDEFINED_ARG_IN_FROM,
            2,
            "FROM argument 'VERSIN' is not declared (did you mean VERSION?)",
        ),
        (
            "FROM a\nWORKDIR b\nWORKDIR c",
            Rule.WORKDIR_RELATIVE_PATH,
            2,
            'Relative workdir "b" can have unexpected results if the base image changes',
        ),
        ("FROM a\nENV A=$HOMEE", Rule.UNDEFINED_VAR, 2, "Usage of undefined variable '$HOMEE' (did you mean $HOME?)"),
        ("FROM a\nCOPY $xyz /b", Rule.UNDEFINED_VAR, 2, "Usage of undefined variable '$xyz'"),
        (
            'FROM a\nCMD ["x"]\nRUN y\nCMD ["z"]',
            Rule.MULTIPLE_INSTRUCTIONS_DISALLOWED,
            2,
            "Multiple CMD instructions should not be used in the same stage because only the last one will be used",
        ),
        (
            "FROM a\nENV A b",
            Rule.LEGACY_KEY_VALUE_FORMAT,
            2,
            '"ENV key=value" should be used instead of legacy "ENV key value" format',
        ),
        (
            "FROM --platform=$TARGETPLATFORM a",
            Rule.REDUNDANT_TARGET_PLATFORM,
            1,
            "Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior",
        ),
        (
            "FROM --platform=linux/amd64 a",
            Rule.FROM_PLATFORM_FLAG_CONST_DISALLOWED,
            1,
            'FROM --platform flag should not use constant value "linux/amd64"',
        ),
        (
            "FROM a\nARG API_TOKEN",
            Rule.SECRETS_USED_IN_ARG_OR_ENV,
            2,
            'Do not use ARG or ENV instructions for sensitive data (ARG "API_TOKEN")',
        ),
        (
            "ARG T\nFROM a:$T",
            Rule.INVALID_DEFAULT_ARG_IN_FROM,
            2,
            "Default value for ARG a:$T results in empty or invalid base image name",
        ),
        (
            "FROM a\nEXPOSE 80/TCP",
            Rule.EXPOSE_PROTO_CASING,
            2,
            "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
        ),
        (
            "FROM a\nEXPOSE 127.0.0.1:80:80",
            Rule.EXPOSE_INVALID_FORMAT,
            2,
            "EXPOSE instruction should not define an IP address or host-port mapping, found '127.0.0.1:80:80'",
        ),
        (
            "# check=experimental=all\n\n# The tool\nFROM a AS b",
            Rule.INVALID_DEFINITION_DESCRIPTION,
            4,
            "Comment for FROM should follow the format: `# b <description>`",
        ),
        (
            "# check=experimental=InvalidDefinitionDescription\n\n# x\nARG A B=1\nFROM a",
            Rule.INVALID_DEFINITION_DESCRIPTION,
            4,
            "Comment for ARG should follow the format: `# <arg_key> <description>`",
        ),
    ],
    ids=lambda value: value if isinstance(value, Rule) else "",
)
def test_a_rule_finds(text, rule, line, message):
    assert findings(text, arguments={"T": "1"}) == [(rule, line, message)]


@pytest.mark.parametrize(
    "text",
    [
        "FROM a AS b\nFROM b",
        "From a As b\nFROM a",
        'FROM a\nSHELL ["s"]\nCMD x',
        'FROM a\nCMD ["x"]\nFROM a\nCMD ["y"]',
        "FROM a\nARG A\nENV B=$A C=$HOME D=$PATH",
        "FROM a\nRUN echo $anything",
        "FROM unknown\nENV A=$B",
        "FROM a\nARG KEY_FILE PUBLIC_KEY TOKEN_VERSION MONKEY",
        "FROM --platform=linux/arm64 a AS x-arm64",
        "FROM --platform=$BUILDPLATFORM a",
        "ARG T\nFROM a:${T:-1}",
        "FROM rootfs:/",
        "FROM ghcr.io:5000/a/b.c__d:V-1.0@sha256:" + "0" * 64,
        "FROM a\nWORKDIR /b\nWORKDIR c",
        "# check=experimental=all\n\n# b the tool\nFROM a AS b\n# no\n\nARG A\n# A it\nARG A B",
        "# The tool\nFROM a AS b",
        "# check=skip=JSONArgsRecommended, MaintainerDeprecated\nFROM a\nCMD x\nMAINTAINER y",
        "# check=skip=all\nFROM a as B\nCMD x",
        "FROM a\n# check=skip=JSONArgsRecommended\nCMD x",
    ],
)
def test_nothing_is_found(text):
    assert [one for one in findings(text) if one[0] != Rule.CONSISTENT_INSTRUCTION_CASING] == []


def test_findings_are_errors_if_the_directive_says_so():
    report = check(parse_dockerfile("# check=skip=MaintainerDeprecated;error=true\nFROM a\nCMD x"), OPTIONS)
    assert (report.is_error, [one.code for one in report.findings]) == (True, ["JSONArgsRecommended"])
    assert report.findings[0].source_line == "CMD x"


@pytest.mark.parametrize("text", ["skip", "skip=a;fail=1", "error=maybe"])
def test_a_wrong_directive_is_a_problem(text):
    report = check(parse_dockerfile(f"# syntax=x\n# check={text}\nFROM a"), OPTIONS)
    assert [(one.span.line, one.message.startswith("invalid check option")) for one in report.problems] == [(2, True)]


def test_rules_are_named_without_case():
    assert parse_selection(" skip = stagenamecasing , Unknown ; error=1 ").skipped == {Rule.STAGE_NAME_CASING}


def test_mistakes_are_told_beside_the_findings():
    report = check(parse_dockerfile("FROM a\nCMD x\nCOPY --from=0 b c\nFROM a as d\nEXPOSE x"), OPTIONS)
    assert [one.message for one in report.problems] == ["circular dependency detected on stage: 0"]
    report = check(parse_dockerfile("FROM a\nCMD x\nEXPOSE y\nFROM a as d\nSTOPSIGNAL z"), OPTIONS)
    assert [(one.span.line, one.code) for one in report.findings] == [(2, "JSONArgsRecommended"), (4, "FromAsCasing")]
    assert [one.span.line for one in report.problems] == [3, 5]


def test_with_a_target_only_its_stages_are_evaluated():
    text = "FROM a AS b\nENV A=$B\nFROM a\nENV A=$C"
    assert [line for _, line, _ in findings(text)] == [2, 4]
    assert [line for _, line, _ in findings(text, target="b")] == [2]


def test_an_image_for_another_platform_is_found():
    images = {BaseImage("a", "linux/amd64"): ImageConfiguration(platform="linux/arm64/v8")}
    (found,) = check(parse_dockerfile("FROM a"), OPTIONS, images).findings
    what = 'Base image a was pulled with platform "linux/arm64/v8", expected "linux/amd64" for current build'
    assert (found.code, found.message) == (Rule.INVALID_BASE_IMAGE_PLATFORM, what)


@pytest.mark.parametrize(
    ("ignore", "line", "found"),
    [
        ("*.md", "COPY README.md /", ['Attempting to Copy file "README.md" that is excluded by .dockerignore']),
        ("a", "ADD x a/b /c/", ['Attempting to Add file "a/b" that is excluded by .dockerignore']),
        ("*", "COPY . /", ['Attempting to Copy file "." that is excluded by .dockerignore']),
        (".*", "COPY . /", []),
        ("*\n!a", "COPY b /", []),
        ("a", "COPY --from=x a /", []),
        ("a", "COPY b /", []),
        ("", "COPY a /", []),
    ],
)
def test_copies_of_ignored_files_are_found(ignore, line, found):
    report = check(parse_dockerfile(f"FROM a AS x\nFROM a\n{line}"), OPTIONS, KNOWN, parse_ignore(ignore))
    assert [one.message for one in report.findings if one.code == Rule.COPY_IGNORED_FILE] == found


def test_the_reference_lists_every_rule():
    text = (Path(__file__).parents[2] / "docs" / "reference" / "dockerfile.md").read_text()
    assert re.findall(r"^\| `([A-Z]\w+[a-z])` \|", text, re.MULTILINE) == sorted(Rule)

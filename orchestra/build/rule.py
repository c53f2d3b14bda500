"""The rules of ``check``, with BuildKit's names: https://docs.docker.com/reference/build-checks/."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.nearest import suggest
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestra.build.lines import Line


class Rule(StrEnum):
    """Each value is the rule's name."""

    CONSISTENT_INSTRUCTION_CASING = "ConsistentInstructionCasing"
    COPY_IGNORED_FILE = "CopyIgnoredFile"
    DUPLICATE_STAGE_NAME = "DuplicateStageName"
    EXPOSE_INVALID_FORMAT = "ExposeInvalidFormat"
    EXPOSE_PROTO_CASING = "ExposeProtoCasing"
    FROM_AS_CASING = "FromAsCasing"
    FROM_PLATFORM_FLAG_CONST_DISALLOWED = "FromPlatformFlagConstDisallowed"
    INVALID_BASE_IMAGE_PLATFORM = "InvalidBaseImagePlatform"
    INVALID_DEFAULT_ARG_IN_FROM = "InvalidDefaultArgInFrom"
    INVALID_DEFINITION_DESCRIPTION = "InvalidDefinitionDescription"
    JSON_ARGS_RECOMMENDED = "JSONArgsRecommended"
    LEGACY_KEY_VALUE_FORMAT = "LegacyKeyValueFormat"
    MAINTAINER_DEPRECATED = "MaintainerDeprecated"
    MULTIPLE_INSTRUCTIONS_DISALLOWED = "MultipleInstructionsDisallowed"
    NO_EMPTY_CONTINUATION = "NoEmptyContinuation"
    REDUNDANT_TARGET_PLATFORM = "RedundantTargetPlatform"
    RESERVED_STAGE_NAME = "ReservedStageName"
    SECRETS_USED_IN_ARG_OR_ENV = "SecretsUsedInArgOrEnv"
    STAGE_NAME_CASING = "StageNameCasing"
    UNDEFINED_ARG_IN_FROM = "UndefinedArgInFrom"
    UNDEFINED_VAR = "UndefinedVar"
    WORKDIR_RELATIVE_PATH = "WorkdirRelativePath"


EXPERIMENTAL = frozenset({Rule.INVALID_DEFINITION_DESCRIPTION})
"""Rules that are off unless ``# check=experimental=…`` names them."""


class Remark(Record):
    """What a rule found, and the instruction that it is about."""

    rule: Rule
    message: str
    line: Line


def near(name: str, known: Iterable[str], mark: str = "") -> str:
    """`` (did you mean NAME?)`` if one of the known names is near. mark: before the name."""
    hint = suggest(name, known, "")
    return f" (did you mean {mark}{hint.removeprefix('did you mean ')})" if hint.startswith("did you mean ") else ""

"""``orchestra image build``: an image from a Dockerfile, without a stack."""

from __future__ import annotations

import os

from orchestra.cli.build import build_shown
from orchestra.errors import UserError
from orchestra.model.build import BuildSecret, BuildSpec
from orchestra.stacks.assignments import read_assignments
from orchestra.stacks.build_choice import choose_builder
from orchestra.stacks.variable import read_variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.cli.invocation import Invocation


def run(invocation: Invocation) -> int:
    values = invocation.values
    [built] = build_shown(invocation, [_specify(values, invocation.context.given_variables)], quiet=values["quiet"])
    if values["id_file"]:
        with open(values["id_file"], "w", encoding="ascii") as file:
            file.write(built.id)
    if values["quiet"]:
        print(built.id)
    return 0


def _specify(values: dict[str, Any], environment: Mapping[str, str]) -> BuildSpec:
    tags = values["tags"]
    dockerfile = values["dockerfile"]
    return BuildSpec(
        service="",
        image=tags[0] if tags else "",
        tags=tuple(tags[1:]),
        context=values["path"],
        # Unlike that of a service, it is relative to the working directory.
        dockerfile=dockerfile if dockerfile in (None, "-") else os.path.abspath(dockerfile),
        arguments=read_variables("--build-arg", values["arguments"], environment),
        target=values["target"],
        contexts=read_assignments("--build-context", values["contexts"]),
        secrets=tuple(map(_secret, values["secrets"])),
        ssh=tuple(values["ssh"]),
        labels=read_assignments("--label", values["labels"]),
        network=values["network"],
        extra_hosts=tuple(_host(text) for text in values["hosts"]),
        platforms=tuple(values["platform"].split(",")) if values["platform"] else (),
        pull=values["pull"],
        no_cache=values["no_cache"],
        no_cache_filter=tuple(values["no_cache_filter"]),
        entitlements=tuple(values["entitlements"]),
        cache_from=tuple(values["cache_from"]),
        cache_to=tuple(values["cache_to"]),
        attestations=tuple(values["attestations"]),
        provenance=values["provenance"],
        sbom=values["sbom"],
        builder=choose_builder(values["builder"], environment),
    )


def _host(text: str) -> tuple[str, str]:
    name, separator, address = text.partition("=") if "=" in text else text.partition(":")
    if not (name and separator and address):
        raise UserError(f"--add-host {text}: expected NAME:ADDRESS")
    return name, address


def _secret(text: str) -> BuildSecret:
    """``id=ID,src=FILE`` or ``id=ID,env=NAME``; without either, a file or else a variable that is called so."""
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    identifier = fields.pop("id", "")
    source = fields.pop("src", fields.pop("source", None))
    variable = fields.pop("env", None)
    kind = fields.pop("type", "")
    if not identifier or fields or kind not in ("", "file", "env"):
        raise UserError(f"--secret {text}: expected id=ID,src=FILE or id=ID,env=NAME")
    if variable is None and source is None:
        is_variable = identifier in os.environ
        return BuildSecret(identifier, environment=identifier) if is_variable else BuildSecret(identifier, identifier)
    if kind == "env":
        return BuildSecret(identifier, environment=variable or source)
    return BuildSecret(identifier, file=source and os.path.abspath(source), environment=variable)

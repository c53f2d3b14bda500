"""``build --check`` and ``--print``: what a build would read and do, without doing it."""

from __future__ import annotations

import contextlib
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestra.build.check import Report
    from orchestra.model.build import BuildSpec
    from orchestra.stacks.context import Context


def check_builds(context: Context, specs: Sequence[BuildSpec]) -> dict[str, Report]:
    """What is found in the Dockerfile of each. Raises DockerfileError or UserError."""
    from orchestra.build.check import check
    from orchestra.stacks.build_inputs import read_build

    found: dict[str, Report] = {}
    for spec in specs:
        with contextlib.ExitStack() as stack:
            read = read_build(context, spec, {}, None, stack)
            found[spec.service] = check(read.dockerfile, read.options, ignore=read.recipe.ignore)
    return found


def render_bake(specs: Sequence[BuildSpec]) -> str:
    """As a file of ``docker buildx bake`` (docs.docker.com/build/bake/reference)."""
    targets = {spec.service: _target(spec) for spec in specs}
    group = {"default": {"targets": sorted(targets)}}
    return json.dumps({"group": group, "target": targets}, indent=2)


def _target(spec: BuildSpec) -> dict[str, object]:
    row: dict[str, object] = {
        "context": spec.context,
        "contexts": {name: text.replace("service:", "target:", 1) for name, text in spec.contexts.items()},
        "dockerfile": None if spec.dockerfile_inline else spec.dockerfile or "Dockerfile",
        "dockerfile-inline": spec.dockerfile_inline,
        "args": dict(spec.arguments),
        "labels": dict(spec.labels),
        "tags": [spec.image, *spec.tags],
        "target": spec.target,
        "secret": [
            {"id": one.identifier, **({"env": one.environment} if one.environment else {"src": one.file})}
            for one in spec.secrets
        ],
        "ssh": list(spec.ssh),
        "cache-from": list(spec.cache_from),
        "cache-to": list(spec.cache_to),
        "network": spec.network,
        "shm-size": spec.shm_size,
        "extra-hosts": dict(spec.extra_hosts),
        "ulimits": [f"{limit.name}={limit.soft}:{limit.hard}" for limit in spec.ulimits],
        "platforms": list(spec.platforms),
        "pull": spec.pull,
        "no-cache": spec.no_cache,
        "no-cache-filter": list(spec.no_cache_filter),
        "entitlements": list(spec.entitlements),
        "attest": _attest(spec),
        "output": ["type=docker"],
    }
    return {name: value for name, value in row.items() if value}


def _attest(spec: BuildSpec) -> list[str]:
    said = (("provenance", spec.provenance), ("sbom", spec.sbom))
    flags = {"true": "", "false": ",disabled=true"}
    rows = [f"type={kind}{flags.get(text.lower(), f',{text}')}" for kind, text in said if text is not None]
    return [*spec.attestations, *rows]

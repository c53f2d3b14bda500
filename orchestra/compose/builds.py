"""``services.*.build`` of a complete stack as specifications of builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.container import ulimits
from orchestra.model.build import BuildSecret, BuildSpec

if TYPE_CHECKING:
    from orchestra.compose.loading import Loaded
    from orchestra.compose.schema.build import Build
    from orchestra.compose.schema.service import Service
    from orchestra.compose.schema.stack import Stack

LABELS = "com.docker.compose"


def builds(loaded: Loaded) -> tuple[BuildSpec, ...]:
    """By service, in alphabetical order."""
    images = {str(spec.service): spec.image for spec in loaded.desired.containers}
    stack, services = loaded.stack, loaded.stack.services
    separator = loaded.separator
    return tuple(
        _build(key, service, service.build, images.get(key) or service.image or f"{stack.name}{separator}{key}", stack)
        for key, service in sorted(services.items())
        if service.build is not None
    )


def _build(key: str, service: Service, build: Build, image: str, stack: Stack) -> BuildSpec:
    own = {f"{LABELS}.project": stack.name or "", f"{LABELS}.service": key}
    return BuildSpec(
        service=key,
        image=image,
        context=build.context or ".",
        tags=tuple(build.tags),
        dockerfile=build.dockerfile,
        dockerfile_inline=build.dockerfile_inline,
        arguments={name: value for name, value in (build.args or {}).items() if value is not None},
        target=build.target,
        contexts=dict(build.additional_contexts or {}),
        secrets=tuple(_secret(entry.source or "", entry.target, stack) for entry in build.secrets),
        ssh=tuple(build.ssh),
        labels={**own, **(build.labels or {})},
        network=build.network,
        shm_size=int(build.shm_size) if build.shm_size else None,
        extra_hosts=tuple((text.partition("=")[0], text.partition("=")[2]) for text in build.extra_hosts),
        ulimits=ulimits(build.ulimits),
        platforms=tuple(build.platforms),
        platform=service.platform or "",
        pull=build.pull,
        no_cache=build.no_cache,
        no_cache_filter=tuple(build.no_cache_filter),
        privileged=build.privileged,
        entitlements=tuple(build.entitlements),
        cache_from=tuple(build.cache_from),
        cache_to=tuple(build.cache_to),
        provenance=build.provenance,
        sbom=build.sbom,
        policy=service.pull_policy or "",
    )


def _secret(source: str, target: str | None, stack: Stack) -> BuildSecret:
    """A target is a path for containers, but the identifier of a build's secret."""
    declared = stack.secrets[source]
    identifier = (target or source).removeprefix("/run/secrets/")
    return BuildSecret(identifier, declared.file, declared.environment, declared.content)

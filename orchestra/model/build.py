"""How the image of a service is built: ``services.*.build`` after loading, with nothing left to look up but values that
must not be remembered.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestra.model.limits import Ulimit
from orchestra.record import Record


class BuildSecret(Record):
    """identifier: what the Dockerfile calls it. Its content is in a file, in a variable of the caller, or given."""

    identifier: str
    file: str | None = None
    environment: str | None = None
    content: str | None = None


class BuildSpec(Record):
    """image: the name it gets; tags: more of them. dockerfile: None for ``Dockerfile``. context: a directory or a URL.
    contexts: named ones, as they are written. arguments: those that have a value. platform: that of the service, or
    empty. policy: its pull_policy, or empty. extra_hosts: pairs of name and address. attestations: as ``type=…``;
    provenance and sbom count more; None if nothing is said. builder: another program that builds it, or empty.
    """

    service: str
    image: str
    context: str
    tags: tuple[str, ...] = ()
    dockerfile: str | None = None
    dockerfile_inline: str | None = None
    arguments: Mapping[str, str] = {}
    target: str | None = None
    contexts: Mapping[str, str] = {}
    secrets: tuple[BuildSecret, ...] = ()
    ssh: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    network: str | None = None
    shm_size: int | None = None
    extra_hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    platforms: tuple[str, ...] = ()
    platform: str = ""
    pull: bool = False
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    privileged: bool = False
    entitlements: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    attestations: tuple[str, ...] = ()
    provenance: str | None = None
    sbom: str | None = None
    builder: str = ""
    policy: str = ""

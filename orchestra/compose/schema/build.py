"""``services.*.build``."""

from orchestra.compose.schema.mounts import FileReference
from orchestra.compose.schema.process import Ulimit
from orchestra.compose.schema.values import Boolean, Labels, Model, Size, TextOrBoolean, Texts, Variables


class Build(Model):
    context: str | None = None
    dockerfile: str | None = None
    dockerfile_inline: str | None = None
    additional_contexts: Labels | None = None
    args: Variables | None = None
    cache_from: Texts = ()
    cache_to: Texts = ()
    entitlements: Texts = ()
    extra_hosts: Texts = ()
    isolation: str | None = None
    labels: Labels | None = None
    network: str | None = None
    no_cache: Boolean = False
    no_cache_filter: Texts = ()
    platforms: Texts = ()
    privileged: Boolean = False
    provenance: TextOrBoolean | None = None
    pull: Boolean = False
    sbom: TextOrBoolean | None = None
    secrets: tuple[FileReference, ...] = ()
    shm_size: Size | None = None
    ssh: Texts = ()
    tags: Texts = ()
    target: str | None = None
    ulimits: dict[str, Ulimit] | None = None

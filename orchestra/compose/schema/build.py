"""``services.*.build``."""

from orchestra.compose.schema.model import Model
from orchestra.compose.schema.mounts import FileReference
from orchestra.compose.schema.process import Ulimit
from orchestra.compose.schema.values import Boolean, Labels, Size, TextOrBoolean, Texts, Variables


class Build(Model):
    context: str | None = None
    dockerfile: str | None = None
    dockerfile_inline: str | None = None
    entitlements: Texts = ()
    args: Variables | None = None
    provenance: TextOrBoolean | None = None
    sbom: TextOrBoolean | None = None
    ssh: Texts = ()
    labels: Labels | None = None
    cache_from: Texts = ()
    cache_to: Texts = ()
    no_cache: Boolean = False
    no_cache_filter: Texts = ()
    additional_contexts: Labels | None = None
    pull: Boolean = False
    extra_hosts: Texts = ()
    isolation: str | None = None
    network: str | None = None
    target: str | None = None
    secrets: tuple[FileReference, ...] = ()
    shm_size: Size | None = None
    tags: Texts = ()
    ulimits: dict[str, Ulimit] | None = None
    platforms: Texts = ()
    privileged: Boolean = False

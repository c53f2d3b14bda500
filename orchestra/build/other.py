"""Builds that another program carries out: its command line. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from orchestra.build.cache import CacheType, parse_cache_source
from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.model.build import BuildSpec


class OtherBuilder(StrEnum):
    """The program by its name."""

    BUILDAH = "buildah"
    DOCKER = "docker"


class Order(Record):
    """A build for another program. names: of the image. directory: of the context. dockerfile: a path.

    contexts: named ones, each a directory or ``docker-image://NAME``. secrets: files, by identifier. epoch:
    SOURCE_DATE_EPOCH. id_file: where the program writes the image's ID.
    """

    builder: OtherBuilder
    spec: BuildSpec
    names: tuple[str, ...]
    directory: str
    dockerfile: str
    contexts: Mapping[str, str]
    secrets: Mapping[str, str]
    platform: str
    id_file: str
    epoch: int | None = None

    def __str__(self) -> str:
        return f"{self.builder} build"


def build_command(order: Order) -> list[str]:
    """The words of the command that builds."""
    is_docker = order.builder is OtherBuilder.DOCKER
    spec = order.spec
    command = [order.builder, "build", f"--file={order.dockerfile}", f"--iidfile={order.id_file}"]
    # Of an OCI image, buildah would leave out HEALTHCHECK, SHELL and ONBUILD.
    command += [] if is_docker else ["--layers", "--format=docker"]
    command += [f"--tag={name}" for name in order.names]
    command += [f"--build-arg={name}={value}" for name, value in spec.arguments.items()]
    command += [f"--label={name}={value}" for name, value in spec.labels.items()]
    command += [f"--build-context={name}={place}" for name, place in order.contexts.items()]
    command += [f"--secret=id={name},src={path}" for name, path in order.secrets.items()]
    command += [f"--ssh={entry}" for entry in spec.ssh]
    command += [f"--add-host={name}:{address}" for name, address in spec.extra_hosts]
    command += [f"--ulimit={limit.name}={limit.soft}:{limit.hard}" for limit in spec.ulimits]
    command += [f"--cache-from={entry if is_docker else _repository(entry)}" for entry in spec.cache_from]
    command += [f"--cache-to={entry}" for entry in spec.cache_to if is_docker]
    command += [f"--target={spec.target}"] if spec.target else []
    command += [f"--network={spec.network}"] if spec.network not in (None, "default") else []
    command += [f"--shm-size={spec.shm_size}"] if spec.shm_size else []
    command += [f"--platform={order.platform}"] if spec.platform or spec.platforms else []
    command += ["--pull" if is_docker else "--pull-always"] if spec.pull else []
    command += ["--no-cache"] if spec.no_cache else []
    command += [f"--allow={name}" for name in spec.entitlements]
    command += [f"--no-cache-filter={name}" for name in spec.no_cache_filter]
    if order.epoch is not None:
        command.append(f"--build-arg=SOURCE_DATE_EPOCH={order.epoch}" if is_docker else f"--timestamp={order.epoch}")
    return [*command, order.directory]


def save_command(builder: OtherBuilder, image_id: str, archive: str) -> list[str]:
    """The words of the command that writes the image to an archive of the form of ``docker save``."""
    if builder is OtherBuilder.DOCKER:
        return [builder, "save", f"--output={archive}", image_id]
    return [builder, "push", "--quiet", image_id, f"docker-archive:{archive}"]


def missing_in(order: Order) -> list[str]:
    """What the build asks for and the program cannot do: names of attributes."""
    spec = order.spec
    asked = {
        "privileged": spec.privileged,
        "attestations": bool(spec.attestations),
        "provenance": spec.provenance not in (None, "false"),
        "sbom": spec.sbom not in (None, "false"),
    }
    if order.builder is OtherBuilder.BUILDAH:
        sources = [parse_cache_source(entry) for entry in spec.cache_from]
        asked |= {
            "entitlements": bool(spec.entitlements),
            "no_cache_filter": bool(spec.no_cache_filter),
            "cache_from": any(source.type is not CacheType.REGISTRY for source in sources),
            "cache_to": bool(spec.cache_to),
        }
    return [name for name, is_asked in asked.items() if is_asked]


def _repository(entry: str) -> str:
    """The name without its tag, as buildah wants it."""
    above, slash, last = parse_cache_source(entry).place.rpartition("/")
    return above + slash + last.partition(":")[0]

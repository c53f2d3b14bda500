"""What is handed to a build: directories of this machine, secrets, agents and options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.record import Record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.build.attestation.options import Attestations
    from orchestra.build.attestation.provenance import Request
    from orchestra.build.attestation.statement import Material
    from orchestra.build.cache import CacheSource, CacheTarget
    from orchestra.build.ignore import Ignore
    from orchestra.build.step import BaseImage, Network
    from orchestra.driver.local.build.trees import FileTree
    from orchestra.model.device_edits import DeviceEdits
    from orchestra.model.limits import Ulimit


class RunOptions(Record):
    """What a build says about all of its commands. shm_size: in bytes. extra_hosts: pairs of name and address.

    network: what ``default`` means. privileged: every command runs with all capabilities and devices.
    """

    network: Network
    shm_size: int | None = None
    extra_hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[Ulimit, ...] = ()
    privileged: bool = False


class Directory(Record):
    """A directory of this machine whose files are given to a build. name: for messages.

    source: where they come from, if that is not this machine.
    """

    path: str
    name: str
    ignore: Ignore
    source: Material | None = None


class Attesting(Record):
    """What to say of the image, and what was asked for. names: full ones that it is to have."""

    wanted: Attestations
    request: Request
    names: tuple[str, ...] = ()


class Given(Record):
    """What a build gets besides its graph.

    directories: contexts by their names, empty for the main one. trees: of base images. secrets: by identifier. agents:
    sockets of SSH agents by identifier. epoch: SOURCE_DATE_EPOCH. entitlements: what commands may ask for
    beyond the ordinary. devices: what those that are known add, by name. cache_from, cache_to: elsewhere.
    attesting: None for no attestations.
    """

    directories: Mapping[str, Directory]
    trees: Mapping[BaseImage, FileTree]
    run: RunOptions
    secrets: Mapping[str, bytes] = {}
    agents: Mapping[str, str] = {}
    epoch: int | None = None
    entitlements: frozenset[str] = frozenset()
    devices: Mapping[str, DeviceEdits] = {}
    cache_from: tuple[CacheSource, ...] = ()
    cache_to: tuple[CacheTarget, ...] = ()
    attesting: Attesting | None = None

"""The containers of a stack between their making and their removal: everything of them except their processes.

Synchronous, for any thread; calls for one container run one after the other.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, assert_never

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.container.settings import load_settings
from orchestra.driver.local import volume
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.kept import (
    announce,
    find_kept,
    forget_kept,
    kept_names,
    load_kept,
    store_kept,
    sync_kept,
)
from orchestra.driver.local.look import BUNDLE, RECORD
from orchestra.driver.local.making import Making
from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import connection
from orchestra.driver.local.net.endpoint import detach, require_namespace
from orchestra.driver.local.net.ports import PortReservations, find_publisher
from orchestra.driver.local.net.remembered_ports import RememberedPorts
from orchestra.driver.local.record import ContainerRecord, find_id, load_record, sound, store_record
from orchestra.driver.local.shared_namespaces import container_names, with_joins
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.driver.local.strays import end_if_left, end_strays
from orchestra.errors import DriverError, TemporaryError
from orchestra.home import is_rootless
from orchestra.linux import private_files
from orchestra.model.observed import Created, Image
from orchestra.plan.action import AnonymousVolumes
from orchestra.plan.predict import created
from orchestra.record import replace
from orchestra.shim.finding import find_again

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from orchestra.driver.local.image.store import ImageStore
    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.runtime.runtime import Runtime
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec, Endpoint, Port
    from orchestra.model.observed import Container

LAST = (*BUNDLE, RECORD)
"""The last files of a directory to go: the bundle, without which a record looks damaged, and the record."""


class Following(Enum):
    """What must be updated after a container was removed. Rules only know those that publish ports."""

    NOTHING = "nothing"
    NAMES = "names"
    RULES_AND_NAMES = "rules and names"


class Containers:
    """The containers of one stack. In its context their published ports are reserved."""

    def __init__(self, home: Home, stack: str, images: ImageStore, runtime: Runtime) -> None:
        self._home = home
        self._stack = stack
        self._stack_home = home.stack(stack)
        self._runtime = runtime
        self._snapshots = Snapshotter(home)
        self._ports = PortReservations(
            partial(find_publisher, home), RememberedPorts(f"{home.ports}/{stack}.json"), _regain(home, stack)
        )
        self._making = Making(home, stack, images, self._snapshots, self._ports)
        self._known: set[str] = set()  # containers that should have a record
        self._locks: dict[str, threading.RLock] = {}

    def __enter__(self) -> Containers:
        """Take over the ports that containers have published already: the sockets of an earlier supervisor are gone."""
        end_strays(self._home, self._stack)
        for name in sorted({*kept_names(self._stack_home)}.difference(self.names())):
            if (kept := load_kept(self._stack_home, name)) is not None:
                announce(kept, self._stack_home.container(name))
        for name in self.names():
            if not self._has_record(name):
                # A crash came before its record, or after; before it, if it was about to be made whole again.
                self.remove(name, volumes=AnonymousVolumes.HAND_ON, forget=load_kept(self._stack_home, name) is None)
                continue
            self._known.add(name)
            self._reserve_published(name)
        return self

    def _reserve_published(self, name: str) -> None:
        attachment = sound(attachments.load, self._stack_home.container(name))
        if attachment is not None and attachment.ports:
            try:
                self._ports.reserve(name, attachment.ports, sharing=attachment.service)
            except DriverError as error:
                # Its rules lead there all the same; only the port is not reserved.
                print(f"container {name}: {error}", file=sys.stderr, flush=True)

    def __exit__(self, *_exception: object) -> None:
        self._ports.close()

    def lead_ports(self) -> None:
        """Without root: have the ports lead to containers, as rules do with root. Raises DriverError."""
        if is_rootless(os.environ):
            from orchestra.driver.local.net.host_ports import lead_ports

            for name in self.names():
                with self._lock(name):
                    # The keeper may have been killed just when this process came to take the ports over from it.
                    if not self._ports.holds(name):
                        self._reserve_published(name)
            lead_ports(self._home, self._stack, self._ports.sockets())

    def names(self) -> list[str]:
        return container_names(self._stack_home)

    def make(self, spec: ContainerSpec, image_digest: str) -> Attachment:
        """Make everything but a process.

        If something fails, all of it is removed again, except a record of the error: ``ps -a`` shows that.
        """
        with self._lock(spec.name):
            return self._make_anew(spec, image_digest)

    def _lock(self, name: str) -> threading.RLock:
        """One thread at a time changes a container: its loss may be noticed just when it is made anew."""
        return self._locks.setdefault(name, threading.RLock())

    def _make_anew(self, spec: ContainerSpec, image_digest: str) -> Attachment:
        directory = self._stack_home.container(spec.name)
        record = sound(load_record, directory)
        made = None if record is None else (record.container.service, record.container.config_hash)
        if record is not None and made == (spec.service, spec.config_hash):
            attachment = sound(attachments.load, directory)
            if attachment is not None and record.container.image_digest == image_digest:
                return attachment
        kept = load_kept(self._stack_home, spec.name)
        if kept is not None and not kept.fits(spec, image_digest):
            kept = None
        if ContainerDirectory(directory).has(RECORD):
            self.remove(spec.name, volumes=AnonymousVolumes.HAND_ON, forget=kept is None)
        private_files.make_directories(directory)
        began = time.time()
        try:
            if kept is None:
                forget_kept(self._stack_home, spec.name)
            return self._making.make(spec, image_digest, directory, kept, partial(self._known.add, spec.name))
        except BaseException as error:
            record = sound(load_record, directory)
            self.remove(spec.name, volumes=AnonymousVolumes.HAND_ON, forget=kept is None)
            if record is not None:
                volume.delete_anonymous_volumes(
                    self._home, self._stack, spec.name, record.container.volumes, since=began
                )
            if isinstance(error, (DriverError, OSError)):
                if record is None:
                    seen = Image(spec.image_key, image_digest)
                    container = replace(created(spec, seen, began, {}, {}), id=os.urandom(32).hex())
                else:
                    container = record.container
                private_files.make_directories(directory)
                store_record(directory, ContainerRecord(replace(container, config_hash="", error=str(error))))
            raise

    def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool) -> None:
        """See ``Making.check``."""
        self._making.check(spec, image_digest, settled=settled)

    def prepare(self, name: str) -> tuple[Attachment, bool]:
        """Before a run: publish what ``withdraw`` took back, and have it join the namespaces that it shares.

        Returns the attachment, and whether rules must follow. Raises FatalError; TemporaryError while a container whose
        namespace it shares does not run, or its network namespace is gone.
        """
        directory = self._stack_home.container(name)
        with self._lock(name):
            record, attachment = sound(load_record, directory), sound(attachments.load, directory)
            if record is None or attachment is None:
                raise self._spoil(name)
            self._join_namespaces(name, record)
            require_namespace(self._home, attachment)
            if not record.ports or attachment.ports:
                return attachment, False
            attachment = replace(attachment, ports=self._reserve_again(name, record, attachment))
            attachments.store(directory, attachment)
            return attachment, True

    def _reserve_again(self, name: str, record: ContainerRecord, attachment: Attachment) -> tuple[Port, ...]:
        return self._ports.reserve(name, record.ports, attachment.families, sharing=attachment.service)

    def connect(self, name: str, endpoint: Endpoint, *, by_hand: bool) -> Attachment:
        """See ``net.connection``."""
        with self._lock(name):
            return connection.connect(
                self._home, self._stack, self._stack_home.container(name), endpoint, by_hand=by_hand
            )

    def disconnect(self, name: str, network: str, *, by_hand: bool) -> Attachment:
        with self._lock(name):
            return connection.disconnect(
                self._home, self._stack, self._stack_home.container(name), network, by_hand=by_hand
            )

    def drain(self, name: str) -> bool:
        """Record that others take over its names and ports. Returns whether rules and names must be updated."""
        directory = self._stack_home.container(name)
        with self._lock(name):
            attachment = sound(attachments.load, directory)
            if attachment is None:
                return False
            if not attachment.drained_at:
                attachments.store(directory, replace(attachment, drained_at=time.time()))
            return True

    def shares_ports(self, name: str) -> bool:
        return self._ports.is_shared(name)

    def withdraw(self, name: str) -> bool:
        """After a requested stop: release the published ports. Returns whether the rules must be updated."""
        directory = self._stack_home.container(name)
        with self._lock(name):
            attachment = sound(attachments.load, directory)
            if attachment is None or not attachment.ports:
                return False
            attachments.store(directory, replace(attachment, ports=()))
            self._ports.release(name)
            return True

    def _join_namespaces(self, name: str, record: ContainerRecord) -> None:
        """Write the current paths of the namespaces that it shares with other containers into the bundle."""
        if not record.joins:
            return
        files = ContainerDirectory(self._stack_home.container(name))
        try:
            config = files.load_config()
        except (DamagedFile, FileNotFoundError):
            raise self._spoil(name) from None
        files.store("config.json", with_joins(config, self._stack_home, name, record.joins))

    def explain(self, name: str) -> DriverError | None:
        """Why a container could not start, if the host shows it better than the kernel's error."""
        files = ContainerDirectory(self._stack_home.container(name))
        record = sound(load_record, files.path)
        if record is None:
            return None
        if damage := self.find_damage(name):
            return damage
        return volume.explain_missing(record.container.service, files.load_config()["mounts"])

    def find_damage(self, name: str) -> TemporaryError | None:
        """An error if a file of its bundle is damaged or gone: then the container is replaced."""
        files = ContainerDirectory(self._stack_home.container(name))
        try:
            files.load_config(), load_settings(files)
        except (DamagedFile, FileNotFoundError):
            return self._spoil(name)
        return None

    def _spoil(self, name: str) -> TemporaryError:
        """Have a container replaced because one of its files is damaged or gone."""
        directory = self._stack_home.container(name)
        record = sound(load_record, directory)
        if record is not None:
            store_record(directory, replace(record, container=replace(record.container, config_hash="")))
        return TemporaryError(
            f"container {name}: a file in {directory} is damaged or missing: the container is recreated"
        )

    def keep(self, names: Sequence[str]) -> None:
        """Write down what makes these containers whole again after a reboot: on disk when this returns.

        A name without a container is passed over. Of several failures the last is raised, an OSError.
        """
        failure, stored = None, False
        for name in names:
            try:
                stored = self._keep(name) or stored
            except OSError as error:
                failure = error
        if stored:
            sync_kept(self._stack_home)
        if failure is not None:
            raise failure

    def _keep(self, name: str) -> bool:
        kept = find_kept(self._stack_home.container(name))
        if kept is None or kept == load_kept(self._stack_home, name):
            return False
        with self._lock(name):
            if name not in self._known:
                return False
            store_kept(self._stack_home, name, kept)
        return True

    def remove(self, name: str, *, volumes: AnonymousVolumes, forget: bool = True) -> Following:
        """Remove whatever exists of the container, including its processes. forget: also what it wrote."""
        with self._lock(name):
            return self._remove(name, volumes, forget=forget)

    def _remove(self, name: str, volumes: AnonymousVolumes, *, forget: bool) -> Following:
        directory = self._stack_home.container(name)
        was_known = name in self._known
        self._known.discard(name)
        if not os.path.isdir(directory) and not was_known:
            return Following.NOTHING
        if forget:
            forget_kept(self._stack_home, name)  # first: half of a container must not be made whole again
        record, attachment = sound(load_record, directory), sound(attachments.load, directory)
        if record is None:
            end_strays(self._home, self._stack)
        self._runtime.delete(directory)
        if container_id := find_id(directory, record, attachment):
            end_if_left(self._home, self._stack, container_id)
            detach(self._home, self._stack, container_id, directory)
        if record is not None:
            match volumes:
                case AnonymousVolumes.HAND_ON:
                    pass  # the container's name leads to them
                case AnonymousVolumes.LEAVE:
                    volume.leave_anonymous_volumes(self._home, self._stack, name, record.container.volumes)
                case AnonymousVolumes.DELETE:
                    volume.delete_anonymous_volumes(self._home, self._stack, name, record.container.volumes)
                case _:
                    assert_never(volumes)
        self._ports.release(name)
        if forget:
            self._snapshots.remove(self._stack, name)
            self._remove_logs(name)
        with contextlib.suppress(FileNotFoundError):
            _remove_directory(directory)
        if record is None or (attachment is not None and attachment.ports):
            return Following.RULES_AND_NAMES
        return Following.NAMES if attachment is not None and attachment.interfaces else Following.NOTHING

    def _remove_logs(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            for file in os.listdir(self._stack_home.logs):
                stem, _, number = file.partition(f"{name}.log")
                if not stem and (not number or number.removeprefix(".").isdecimal()):
                    os.unlink(f"{self._stack_home.logs}/{file}")

    @property
    def known(self) -> frozenset[str]:
        """The containers that had a record when they were last dealt with here."""
        return frozenset(self._known)

    def give_up_lost(self, name: str) -> Following:
        """Remove what is left of a known container whose record is gone."""
        with self._lock(name):
            if name not in self._known or self._has_record(name):
                return Following.NOTHING
            print(f"container {name}: its directory has been removed", file=sys.stderr, flush=True)
            return self.remove(name, volumes=AnonymousVolumes.HAND_ON)

    def find_again(self, container: Container) -> bool:
        """Whether it runs although no shim looked after it, and one does now."""
        if container.name not in self._known or not isinstance(container.status, Created):
            return False
        return find_again(ContainerDirectory(self._stack_home.container(container.name)))

    def _has_record(self, name: str) -> bool:
        return ContainerDirectory(self._stack_home.container(name)).has(RECORD)


def _remove_directory(directory: str) -> None:
    """The record goes last: as long as anything else is left, the container can be seen."""
    for entry in os.scandir(directory):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(entry.path)
        elif entry.name not in LAST:
            os.unlink(entry.path)
    ContainerDirectory(directory).remove(*LAST)
    os.rmdir(directory)


def _regain(home: Home, stack: str) -> Callable[[Port], socket.socket | None]:
    if not is_rootless(os.environ):
        return lambda _: None
    from orchestra.driver.local.net.host_ports import regain

    return partial(regain, home, stack)

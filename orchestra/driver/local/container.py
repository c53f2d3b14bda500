"""Making a container from its specification, and removing all of it except its processes.

Synchronous, for any thread; calls for one container run one after the other. Everything is recorded before it is made,
so that a crash anywhere leaves a container that can be seen and removed.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from orchestra.container.directory import ContainerDirectory, DamagedFile
from orchestra.container.settings import Log, Settings, load_settings, store_settings
from orchestra.driver.local import volume
from orchestra.driver.local.bundle.config import render_bundle, render_etc_files
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.namespace import take_network_sysctls
from orchestra.driver.local.check import check_start
from orchestra.driver.local.confinement import store_filter
from orchestra.driver.local.image.layers.lookup import read_file
from orchestra.driver.local.image.registry.credentials import stored_credentials
from orchestra.driver.local.image.removal import remove_tree
from orchestra.driver.local.kept import (
    announce,
    find_kept,
    forget_kept,
    kept_names,
    load_kept,
    restore,
    store_kept,
    sync_kept,
)
from orchestra.driver.local.lent_mounts import lent_mounts
from orchestra.driver.local.log_receivers import Identity, check_receiver, resolve_receiver
from orchestra.driver.local.look import BUNDLE, RECORD
from orchestra.driver.local.mounted_images import MountedImages
from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import connection
from orchestra.driver.local.net.endpoint import attach, check_endpoint, detach, publishing_families
from orchestra.driver.local.net.ports import PortReservations, find_publisher
from orchestra.driver.local.net.remembered_ports import RememberedPorts
from orchestra.driver.local.net.sysctls import set_sysctls
from orchestra.driver.local.observe import observe_container
from orchestra.driver.local.own_users import check_users, choose_ids, default_user, find_users, give_files, ids_needed
from orchestra.driver.local.record import ContainerRecord, find_id, load_record, sound, store_record
from orchestra.driver.local.runtime.program import find_runtime
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.driver.local.strays import container_group, end_if_left, end_strays
from orchestra.driver.local.user import resolve_user
from orchestra.errors import DriverError, FatalError, TemporaryError
from orchestra.home import is_rootless
from orchestra.linux import private_files, whole_files
from orchestra.linux.directory_lock import locked
from orchestra.linux.process import parse_signal
from orchestra.model.mount import ApiAccess, ApiMount, FileMount, VolumeMount
from orchestra.model.names import container_name
from orchestra.model.observed import Created, Image, Running
from orchestra.model.sharing import OfContainer, OfService
from orchestra.model.user_namespace import Auto, OfStack
from orchestra.plan.action import AnonymousVolumes
from orchestra.plan.predict import created
from orchestra.record import replace
from orchestra.shim.finding import find_again

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from orchestra.driver.local.image.store import ImageStore, ReadyImage
    from orchestra.driver.local.kept import Kept
    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.own_users import OwnUsers
    from orchestra.driver.local.runtime.runtime import Runtime
    from orchestra.driver.local.user import User
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec, Endpoint, Port
    from orchestra.model.names import ContainerName
    from orchestra.model.observed import Container

LAST = (*BUNDLE, RECORD)
"""The last files of a directory to go: the bundle, without which a record looks damaged, and the record."""

SHARED = ("pid", "ipc")
"""Kinds of namespace that a service may share with another. The network's is pinned, and joined by its path."""


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
        self._images = images
        self._runtime = runtime
        self._snapshots = Snapshotter(home)
        self._mounted_images = MountedImages(images, self._snapshots)
        self._ports = PortReservations(
            partial(find_publisher, home), RememberedPorts(f"{home.ports}/{stack}.json"), _regain(home, stack)
        )
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
        try:
            return sorted(os.listdir(self._stack_home.containers))
        except FileNotFoundError:
            return []

    def make(self, spec: ContainerSpec, image_digest: str) -> Attachment:
        """Make everything but a process.

        If something fails, all of it is removed again, except a record of the error.
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
            return self._make(spec, image_digest, directory, kept)
        except BaseException as error:
            record = sound(load_record, directory)
            self.remove(spec.name, volumes=AnonymousVolumes.HAND_ON, forget=kept is None)
            if record is not None:
                volume.delete_anonymous_volumes(
                    self._home, self._stack, spec.name, record.container.volumes, since=began
                )
                if isinstance(error, (DriverError, OSError)):
                    failed = replace(record.container, config_hash="", error=str(error))
                    private_files.make_directories(directory)
                    store_record(directory, ContainerRecord(failed))
            raise

    def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool) -> None:
        """Raise what ``make`` and the start after it would fail with, as far as that is known; changes nothing.

        settled: its dependencies have made whatever they make. Raises FatalError; TemporaryError if something is
        missing that is about to be made.
        """
        image = self._images.resolve(image_digest)
        spec = self._completed(spec, image)
        check_users(spec)
        user = _user(spec, image)
        check_endpoint(self._home, self._stack, spec)
        for kind, target in self._joins(spec):
            self._joined_pid(spec.name, kind, target)
        self._ports.check(spec.ports, publishing_families(self._home, spec))
        find_runtime(spec.runtime, spec.service)
        check_receiver(spec)
        self._mounted_images.resolve(spec, self._mounted_images.digests(spec))
        check_start(self._home, self._stack, spec, image, user, settled=settled)

    def _make(self, spec: ContainerSpec, image_digest: str, directory: str, kept: Kept | None) -> Attachment:
        """kept: of this container from before a reboot, if it was there."""
        if kept is None:
            forget_kept(self._stack_home, spec.name)
        # The record keeps the image from being collected. Until it exists, the lock does.
        with self._images.content.held():
            image = self._images.resolve(image_digest)
            spec = self._completed(spec, image)
            seen = Image(spec.image_key, image_digest, healthcheck=image.config.healthcheck)
            mounted = self._mounted_images.digests(spec)
            made_with = kept.record.container.made_with if kept else self._made_with(spec)
            container = replace(
                created(spec, seen, kept.record.container.created_at if kept else time.time(), mounted, made_with),
                id=kept.record.container.id if kept else os.urandom(32).hex(),
            )
            joins = self._joins(spec)
            record = ContainerRecord(replace(container, config_hash=""), spec.ports, joins)
            store_record(directory, record)
            self._known.add(spec.name)
        check_users(spec)
        user = _user(spec, image)
        if isinstance(spec.user_namespace, Auto):
            needed = ids_needed(user, _text(image, "/etc/passwd"), _text(image, "/etc/group"))
            with locked(self._home.stacks_run):
                # What a container wrote has owners of the range that it had then.
                ids = kept.record.ids if kept else choose_ids(self._home, spec, spec.user_namespace.size or needed)
                record = replace(record, ids=ids)
                store_record(directory, record)
        ports = self._ports.reserve(spec.name, spec.ports, publishing_families(self._home, spec), sharing=spec.service)
        attachment = attach(self._home, self._stack, replace(spec, ports=ports), container.id, directory)
        users = find_users(spec, record.ids)
        again = kept is not None
        config = self._write_bundle(spec, image, container, attachment, directory, user, users, again=again)
        command = tuple(config["process"]["args"])
        if kept is not None:
            restore(kept, directory)
        store_record(directory, replace(record, container=replace(container, command=command)))
        return attachment

    def _write_bundle(
        self,
        spec: ContainerSpec,
        image: ReadyImage,
        container: Container,
        attachment: Attachment,
        directory: str,
        user: User,
        users: OwnUsers | None,
        *,
        again: bool,
    ) -> dict[str, Any]:
        """config.json and shim.json, and everything they refer to. again: over what the container wrote before."""
        images = self._mounted_images.resolve(spec, container.mounted_images)
        mounts = volume.resolve_mounts(self._home, self._stack, spec, images)
        layers = self._snapshots.prepare(self._stack, spec.name, image.layers, again=again, users=users)
        volume.fill_volumes(self._home, mounts, self._snapshots.image_of(self._stack, spec.name, image.layers))
        config = render_bundle(
            spec,
            image.config,
            user=user,
            attachment=attachment,
            mounts=mounts,
            cgroups_path=container_group(self._home, self._stack, container.id),
            host=observe_host(spec),
            users=users,
        )
        if users is not None and attachment.namespace_path is not None:
            # The network namespace belongs to the stack's users, so the container's root could not change it.
            set_sysctls(attachment.namespace_path, take_network_sysctls(config))
        for file, text in render_etc_files(attachment).items():
            whole_files.write(f"{directory}/{file}", text.encode(), mode=0o644)
        if users is not None and users.are_shifted and not users.shown:
            give_files(directory, users)
        private_files.make_directories(f"{directory}/rootfs")
        files = ContainerDirectory(directory)
        runtime = find_runtime(spec.runtime, spec.service)
        seccomp = store_filter(config, directory, self._home.filters, whole=bool(runtime))
        files.store("config.json", config)
        identity = Identity(container.id, container.image_digest, tuple(config["process"]["args"]))
        receiver = resolve_receiver(spec, identity)
        caller = spec.caller if spec.one_off is None else spec.one_off.caller
        log = self._log(spec)
        store_settings(files, Settings(layers, log, receiver, spec.stdin_open, caller, runtime, seccomp))
        return config

    def _log(self, spec: ContainerSpec) -> Log | None:
        if spec.logging.driver == "none":
            return None
        private_files.make_directories(self._stack_home.logs)
        path = f"{self._stack_home.logs}/{spec.name}.log"
        return Log(path, spec.logging.max_size, spec.logging.max_file, self._stack_home.followers)

    def _joins(self, spec: ContainerSpec) -> tuple[tuple[str, str], ...]:
        """The container that has the namespace, by kind of namespace."""
        found: list[tuple[str, str]] = []
        for kind in SHARED:
            match getattr(spec, kind):
                case OfService(service):
                    found.append((kind, self._first_of(service)))
                case OfContainer(container):
                    found.append((kind, container))
        return tuple(found)

    def _made_with(self, spec: ContainerSpec) -> dict[ContainerName, str]:
        names = [*([spec.initializes] if spec.initializes else []), *map(self._first_of, spec.lenders)]
        records = (sound(load_record, self._stack_home.container(name)) for name in names)
        return {record.container.name: record.container.id for record in records if record is not None}

    def _joined_pid(self, name: str, kind: str, target: str) -> int:
        """A process in the namespace that a container shares. Raises TemporaryError while there is none."""
        other = observe_container(self._stack_home.container(target))
        if other is None or not isinstance(other.status, Running):
            raise TemporaryError(f"container {target}, whose {kind} namespace {name} shares, is not running")
        return other.status.pid

    def _first_of(self, service: str) -> str:
        """The first container of a service, whatever its name."""
        for container in self.names():
            record = sound(load_record, self._stack_home.container(container))
            if record is not None and (record.container.service, record.container.index) == (service, 1):
                return container
        return container_name(self._stack, service, 1)

    def prepare(self, name: str) -> tuple[Attachment, bool]:
        """Before a run: publish what ``withdraw`` took back, and have it join the namespaces that it shares.

        Returns the attachment, and whether rules must follow. Raises FatalError; TemporaryError while a container whose
        namespace it shares does not run.
        """
        directory = self._stack_home.container(name)
        with self._lock(name):
            record, attachment = sound(load_record, directory), sound(attachments.load, directory)
            if record is None or attachment is None:
                raise self._spoil(name)
            self._join_namespaces(name, record)
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
        for kind, target in record.joins:
            pid = self._joined_pid(name, kind, target)
            others = [entry for entry in config["linux"]["namespaces"] if entry["type"] != kind]
            config["linux"]["namespaces"] = [*others, {"type": kind, "path": f"/proc/{pid}/ns/{kind}"}]
        files.store("config.json", config)

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

    def _completed(self, spec: ContainerSpec, image: ReadyImage) -> ContainerSpec:
        """Add what other containers and the image bring: volumes, stop signal and exposed ports.

        Volumes without a name get one. Raises TemporaryError if a container that lends its volumes does not exist.
        """
        mounts = spec.mounts + self._credentials(spec)
        for more in (lent_mounts(self._home, self._stack, spec), tuple(map(VolumeMount, image.config.volumes))):
            taken = {os.path.normpath(mount.target) for mount in mounts}
            mounts += tuple(mount for mount in more if os.path.normpath(mount.target) not in taken)
        named = tuple(
            replace(mount, name=volume.anonymous_name(self._stack, spec.anonymous_owner, mount.target))
            if isinstance(mount, VolumeMount) and not mount.name
            else mount
            for mount in mounts
        )
        return replace(
            spec,
            mounts=named,
            stop_signal=_stop_signal(spec, image),
            expose=spec.expose + image.config.exposed_ports,
        )

    def _credentials(self, spec: ContainerSpec) -> tuple[FileMount, ...]:
        """For a container that may pull and push images through the API. Never a part of what is written down."""
        if not any(isinstance(mount, ApiMount) and mount.access is ApiAccess.ALL for mount in spec.mounts):
            return ()
        text = stored_credentials(self._images.environment or os.environ)
        return (FileMount("/run/secrets/docker/config.json", content=text, mode=0o400),)


def _stop_signal(spec: ContainerSpec, image: ReadyImage) -> str:
    """Refused here, because a container with a signal that does not exist could never be stopped."""
    name = spec.stop_signal or image.config.stop_signal
    try:
        if name:
            parse_signal(name)
    except ValueError as error:
        whose = "stop_signal" if spec.stop_signal else "the image's STOPSIGNAL, or give the service a stop_signal"
        raise FatalError(f"service {spec.service}: {error}", hint=f"correct {whose}") from None
    return name


def _user(spec: ContainerSpec, image: ReadyImage) -> User:
    passwd, group = (_text(image, path) for path in ("/etc/passwd", "/etc/group"))
    text = spec.user or image.config.user or default_user(spec)
    own = not isinstance(spec.user_namespace, OfStack)
    return resolve_user(text, passwd, group, additional=spec.groups, own=own)


def _text(image: ReadyImage, path: str) -> str:
    return (read_file(image.layers, path) or b"").decode(errors="replace")


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

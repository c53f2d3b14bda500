"""Making all of a container except its process: record, users, ports, networks, root, bundle.

Everything is recorded before it is made, so that a crash anywhere leaves a container that can be seen and removed.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from orchestra.container.directory import ContainerDirectory
from orchestra.container.settings import Log, Settings, store_settings
from orchestra.driver.local import volume
from orchestra.driver.local.bundle.config import render_bundle, render_etc_files
from orchestra.driver.local.bundle.host import observe_host
from orchestra.driver.local.bundle.namespace import take_network_sysctls
from orchestra.driver.local.check import check_start
from orchestra.driver.local.completed import complete, count_ids, find_user
from orchestra.driver.local.confinement import store_filter
from orchestra.driver.local.kept import restore
from orchestra.driver.local.log_receivers import Identity, check_receiver, resolve_receiver
from orchestra.driver.local.mounted_images import MountedImages
from orchestra.driver.local.net.endpoint import attach, check_endpoint, publishing_families
from orchestra.driver.local.net.sysctls import set_sysctls
from orchestra.driver.local.own_users import check_users, choose_ids, find_users, give_files
from orchestra.driver.local.record import ContainerRecord, store_record
from orchestra.driver.local.runtime.program import find_runtime
from orchestra.driver.local.shared_namespaces import check_joins, find_joins, find_origins
from orchestra.driver.local.strays import container_group
from orchestra.linux import private_files, whole_files
from orchestra.linux.directory_lock import locked
from orchestra.model.observed import Image
from orchestra.model.user_namespace import Auto
from orchestra.plan.predict import created
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.driver.local.image.store import ImageStore, ReadyImage
    from orchestra.driver.local.kept import Kept
    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.driver.local.net.ports import PortReservations
    from orchestra.driver.local.own_users import OwnUsers
    from orchestra.driver.local.snapshot import Snapshotter
    from orchestra.driver.local.user import User
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec
    from orchestra.model.observed import Container


class Making:
    """Makes containers of one stack. Of what fails, everything that was made before remains: the record says what."""

    def __init__(
        self, home: Home, stack: str, images: ImageStore, snapshots: Snapshotter, ports: PortReservations
    ) -> None:
        self._home = home
        self._stack = stack
        self._stack_home = home.stack(stack)
        self._images = images
        self._snapshots = snapshots
        self._mounted_images = MountedImages(images, snapshots)
        self._ports = ports

    def check(self, spec: ContainerSpec, image_digest: str, *, settled: bool) -> None:
        """Raise what ``make`` and the start after it would fail with, as far as that is known; changes nothing.

        settled: its dependencies have made whatever they make. Raises FatalError; TemporaryError if something is
        missing that is about to be made.
        """
        image = self._images.resolve(image_digest)
        spec = self._complete(spec, image)
        check_users(spec)
        user = find_user(spec, image)
        check_endpoint(self._home, self._stack, spec)
        check_joins(self._stack_home, spec.name, find_joins(self._stack_home, self._stack, spec))
        self._ports.check(spec.ports, publishing_families(self._home, spec))
        find_runtime(spec.runtime, spec.service)
        check_receiver(spec)
        self._mounted_images.resolve(spec, self._mounted_images.digests(spec))
        check_start(self._home, self._stack, spec, image, user, settled=settled)

    def make(
        self,
        spec: ContainerSpec,
        image_digest: str,
        directory: str,
        kept: Kept | None,
        recorded: Callable[[], object],
    ) -> Attachment:
        """kept: of this container from before a reboot, if it was there. recorded: called once it has a record."""
        # The record keeps the image from being collected. Until it exists, the lock does.
        with self._images.content.held():
            image = self._images.resolve(image_digest)
            spec = self._complete(spec, image)
            seen = Image(spec.image_key, image_digest, healthcheck=image.config.healthcheck)
            mounted = self._mounted_images.digests(spec)
            made_with = kept.record.container.made_with if kept else find_origins(self._stack_home, self._stack, spec)
            container = replace(
                created(spec, seen, kept.record.container.created_at if kept else time.time(), mounted, made_with),
                id=kept.record.container.id if kept else os.urandom(32).hex(),
            )
            joins = find_joins(self._stack_home, self._stack, spec)
            record = ContainerRecord(replace(container, config_hash=""), spec.ports, joins)
            store_record(directory, record)
            recorded()
        check_users(spec)
        user = find_user(spec, image)
        if isinstance(spec.user_namespace, Auto):
            needed = count_ids(user, image)
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

    def _complete(self, spec: ContainerSpec, image: ReadyImage) -> ContainerSpec:
        return complete(self._home, self._stack, spec, image, self._images.environment or os.environ)

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

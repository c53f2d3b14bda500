"""A service as a container: what its replicas have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.compose.api_socket import api_variables
from orchestra.compose.cdi import is_cdi_name
from orchestra.compose.healing import restarts_unhealthy
from orchestra.compose.log_drivers import logging
from orchestra.compose.models import model_endpoints, model_names
from orchestra.compose.mounts import volume_sources
from orchestra.compose.schema.process import UlimitRange
from orchestra.compose.sharing import sharing
from orchestra.model.container import ContainerSpec, HealthcheckSpec, Restart, RestartPolicy
from orchestra.model.hook import Hook
from orchestra.model.limits import BlockIO, Device, DeviceValue, Resources, Ulimit
from orchestra.model.names import ContainerName, ServiceName, container_name
from orchestra.model.update import FailureAction, Order, Update
from orchestra.model.user_namespace import parse_user_namespace
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.compose.context import Context
    from orchestra.compose.schema import process as schema
    from orchestra.compose.schema.deploy import UpdateConfig
    from orchestra.compose.schema.process import BlkioConfig, BlkioRate
    from orchestra.compose.schema.service import Service
    from orchestra.model.container import Dependency

_DEPLOY_RESTART = {
    "none": RestartPolicy.NO,
    "on-failure": RestartPolicy.ON_FAILURE,
    "any": RestartPolicy.ALWAYS,
}


def first_replica(
    key: str, image: str, config_hash: str, rank: int, depends_on: tuple[Dependency, ...], context: Context
) -> ContainerSpec:
    """The first container of a service, without what differs between replicas: networks, ports and labels."""
    service = context.stack.services[key]
    stack = context.stack.name or ""
    edits, not_found = context.device_edits(service)
    return ContainerSpec(
        name=ContainerName(service.container_name or container_name(stack, key, 1, context.project.separator)),
        service=ServiceName(key),
        index=1,
        image=image,
        config_hash=config_hash,
        rank=rank,
        depends_on=depends_on,
        location=context.location(("services", key), key=True),
        command=service.command,
        entrypoint=service.entrypoint,
        environment={
            **api_variables(service),
            **{name: value for name, value in (service.environment or {}).items() if value is not None},
            **model_names(service, context),
        },
        model_endpoints=model_endpoints(service),
        working_directory=service.working_dir or "",
        user=service.user or "",
        groups=service.group_add,
        hostname=service.hostname or "",
        domainname=service.domainname or "",
        annotations=dict(service.annotations or {}),
        network_mode=sharing("network_mode", service),
        pid=sharing("pid", service),
        ipc=sharing("ipc", service),
        uts=sharing("uts", service),
        cgroup=sharing("cgroup", service),
        user_namespace=parse_user_namespace(service.userns_mode or ""),
        external_links=tuple(_link(text) for text in service.external_links),
        volumes_from=volume_sources(service),
        expose=tuple(_exposed(port) for port in service.expose),
        dns=service.dns,
        dns_search=service.dns_search,
        dns_options=service.dns_opt,
        extra_hosts=tuple((text.partition("=")[0], text.partition("=")[2]) for text in service.extra_hosts),
        healthcheck=_healthcheck(service),
        healthcheck_disabled=_is_disabled(service),
        restart=replace(restart(service), unhealthy=restarts_unhealthy(service)),
        update=_update(service.deploy.update_config if service.deploy else None),
        rollback=_update(service.deploy.rollback_config if service.deploy else None),
        stop_signal=service.stop_signal or "",
        stop_grace_period=10.0 if service.stop_grace_period is None else service.stop_grace_period.seconds,
        init=bool(service.init),
        tty=service.tty,
        stdin_open=service.stdin_open,
        read_only=service.read_only,
        privileged=service.privileged,
        cap_add=service.cap_add,
        cap_drop=service.cap_drop,
        security_options=service.security_opt,
        sysctls=dict(service.sysctls or {}),
        ulimits=ulimits(service.ulimits),
        devices=tuple(
            Device(device.source, device.target or device.source, device.permissions)
            for device in service.devices
            if not is_cdi_name(device.source)
        ),
        device_edits=edits,
        devices_not_found=not_found,
        shm_size=int(service.shm_size) if service.shm_size else None,
        oom_score_adj=service.oom_score_adj,
        resources=resources(service),
        logging=logging(key, service, context),
        runtime=service.runtime or "",
        platform=service.platform or context.project.environment.lookup("DOCKER_DEFAULT_PLATFORM") or "",
        pull_policy=_pull_policy(service),
        attach=service.attach is not False,
        post_start=_hooks(service.post_start),
        pre_stop=_hooks(service.pre_stop),
    )


def _hooks(hooks: Iterable[schema.Hook]) -> tuple[Hook, ...]:
    return tuple(
        Hook(
            command=hook.command or (),
            user=hook.user or "",
            privileged=hook.privileged,
            working_directory=hook.working_dir or "",
            environment={name: value for name, value in (hook.environment or {}).items() if value is not None},
        )
        for hook in hooks
    )


def _link(text: str) -> tuple[str, str]:
    """Alias and container of ``CONTAINER[:ALIAS]``."""
    container, _, alias = text.partition(":")
    return alias or container, container


def _exposed(text: str) -> str:
    """``PORT/PROTOCOL``. A host port before it has no effect here."""
    port = text.rpartition(":")[2]
    return port if "/" in port else f"{port}/tcp"


def _pull_policy(service: Service) -> str:
    """``refresh`` is another word for ``every_DURATION``; without a duration it never happens.

    A service that is built is never pulled unless the file asks for it: at a registry, its name may belong to someone
    else's image.
    """
    if not service.image or (service.build and service.pull_policy in (None, "missing")):
        return "build"
    if service.pull_policy != "refresh":
        return service.pull_policy or "missing"
    after = service.pull_refresh_after
    return f"every_{after.seconds:g}s" if after and after.seconds > 0 else "missing"


def _is_disabled(service: Service) -> bool:
    check = service.healthcheck
    return check is not None and (check.disable or (check.test or ())[:1] == ("NONE",))


def _healthcheck(service: Service) -> HealthcheckSpec | None:
    check = service.healthcheck
    if check is None or _is_disabled(service):
        return None
    kind, *rest = check.test or ("CMD",)
    return HealthcheckSpec(
        test=("/bin/sh", "-c", " ".join(rest)) if kind == "CMD-SHELL" else tuple(rest),
        interval=check.interval.seconds if check.interval else 0.0,
        timeout=check.timeout.seconds if check.timeout else 0.0,
        retries=check.retries or 0,
        start_period=check.start_period.seconds if check.start_period else 0.0,
        start_interval=check.start_interval.seconds if check.start_interval else 0.0,
    )


def restart(service: Service) -> Restart:
    """``deploy.restart_policy`` wins over ``restart``. As in Docker, 0 retries are without end."""
    name, _, retries = (service.restart or "no").partition(":")
    own = Restart(RestartPolicy(name), int(retries or 0) or None)
    policy = service.deploy.restart_policy if service.deploy else None
    if policy is None:
        return own
    return Restart(
        _DEPLOY_RESTART[policy.condition] if policy.condition else own.policy,
        (policy.max_attempts if policy.condition else policy.max_attempts or own.maximum_retries) or None,
        policy.delay.seconds if policy.delay else 0.0,
        policy.window.seconds if policy.window else 0.0,
    )


def _update(config: UpdateConfig | None) -> Update | None:
    """With ``update_config``, one replica at a time is the default, as in Swarm."""
    if config is None:
        return None
    own = Update()
    return Update(
        parallelism=own.parallelism if config.parallelism is None else max(config.parallelism, 0),
        delay=config.delay.seconds if config.delay else own.delay,
        order=Order(config.order) if config.order else own.order,
        monitor=own.monitor if config.monitor is None else config.monitor.seconds,
        max_failure_ratio=own.max_failure_ratio if config.max_failure_ratio is None else config.max_failure_ratio,
        failure_action=FailureAction(config.failure_action) if config.failure_action else own.failure_action,
    )


def ulimits(limits: Mapping[str, int | UlimitRange] | None) -> tuple[Ulimit, ...]:
    return tuple(
        Ulimit(name, value.soft, value.hard) if isinstance(value, UlimitRange) else Ulimit(name, value, value)
        for name, value in sorted((limits or {}).items())
    )


def resources(service: Service) -> Resources:
    """The short attributes and ``deploy.resources`` together; the checks ensure that they agree."""
    deploy = service.deploy.resources if service.deploy else None
    limits = deploy.limits if deploy else None
    reservations = deploy.reservations if deploy else None
    memory = service.mem_limit or (limits.memory if limits else None)
    reservation = service.mem_reservation or (reservations.memory if reservations else None)
    cpus = service.cpus or (limits.cpus if limits else None)
    quota, period = (None, None) if cpus else (service.cpu_quota, service.cpu_period)
    swappiness = service.mem_swappiness
    pids = service.pids_limit or (limits.pids if limits else None)
    swap = service.memswap_limit
    return Resources(
        memory=int(memory) if memory else None,
        memory_reservation=int(reservation) if reservation else None,
        memory_swap=int(swap) if swap else None,
        memory_swappiness=None if swappiness is None or swappiness < 0 else int(swappiness),
        oom_kill_disable=service.oom_kill_disable,
        cpus=cpus or None,
        cpu_quota=quota if quota and quota > 0 else None,
        cpu_period=period or None,
        realtime_runtime=service.cpu_rt_runtime or None,
        realtime_period=service.cpu_rt_period or None,
        cpu_shares=service.cpu_shares or None,
        cpuset=service.cpuset or "",
        pids=pids if pids and pids > 0 else None,
        block_io=_block_io(service.blkio_config),
        device_rules=service.device_cgroup_rules,
    )


def _block_io(config: BlkioConfig | None) -> BlockIO:
    if config is None:
        return BlockIO()

    def rates(rows: tuple[BlkioRate, ...]) -> tuple[DeviceValue, ...]:
        return tuple(DeviceValue(row.path, int(row.rate)) for row in rows)

    return BlockIO(
        weight=config.weight or None,
        device_weights=tuple(DeviceValue(row.path, row.weight) for row in config.weight_device),
        read_bytes=rates(config.device_read_bps),
        read_operations=rates(config.device_read_iops),
        write_bytes=rates(config.device_write_bps),
        write_operations=rates(config.device_write_iops),
    )

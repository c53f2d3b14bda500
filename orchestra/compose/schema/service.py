"""``services.*``: all attributes of a service."""

from orchestra.compose.schema.build import Build
from orchestra.compose.schema.deploy import Deploy, DeviceRequest
from orchestra.compose.schema.develop import Develop
from orchestra.compose.schema.model import Model
from orchestra.compose.schema.mounts import Device, FileReference, ServiceVolume
from orchestra.compose.schema.network import Attachment, Port
from orchestra.compose.schema.process import (
    BlkioConfig,
    CredentialSpec,
    Dependency,
    EnvFile,
    Healthcheck,
    Hook,
    Logging,
    Provider,
    Ulimit,
)
from orchestra.compose.schema.values import Boolean, Integer, Labels, Microseconds, Number, Size, Texts, Time, Variables


class ServiceModel(Model):
    """How a service is told about an AI model that it uses."""

    endpoint_var: str | None = None
    model_var: str | None = None


class Service(Model):
    profiles: Texts = ()
    annotations: Labels | None = None
    attach: Boolean | None = None
    build: Build | None = None
    develop: Develop | None = None
    blkio_config: BlkioConfig | None = None
    cap_add: Texts = ()
    cap_drop: Texts = ()
    cgroup_parent: str | None = None
    cgroup: str | None = None
    cpu_count: Integer | None = None
    cpu_percent: Number | None = None
    cpu_period: Microseconds | None = None
    cpu_quota: Microseconds | None = None
    cpu_rt_period: Microseconds | None = None
    cpu_rt_runtime: Microseconds | None = None
    cpus: Number | None = None
    cpuset: str | None = None
    cpu_shares: Integer | None = None
    command: Texts | None = None
    configs: tuple[FileReference, ...] = ()
    container_name: str | None = None
    credential_spec: CredentialSpec | None = None
    depends_on: dict[str, Dependency] | None = None
    deploy: Deploy | None = None
    device_cgroup_rules: Texts = ()
    devices: tuple[Device, ...] = ()
    dns: Texts = ()
    dns_opt: Texts = ()
    dns_search: Texts = ()
    domainname: str | None = None
    entrypoint: Texts | None = None
    provider: Provider | None = None
    environment: Variables | None = None
    env_file: tuple[EnvFile, ...] = ()
    expose: Texts = ()
    external_links: Texts = ()
    extra_hosts: Texts = ()
    group_add: Texts = ()
    gpus: tuple[DeviceRequest, ...] = ()
    hostname: str | None = None
    healthcheck: Healthcheck | None = None
    image: str | None = None
    init: Boolean | None = None
    ipc: str | None = None
    isolation: str | None = None
    labels: Labels | None = None
    label_file: Texts = ()
    links: Texts = ()
    logging: Logging | None = None
    mem_limit: Size | None = None
    mem_reservation: Size | None = None
    memswap_limit: Size | None = None
    mem_swappiness: Size | None = None
    mac_address: str | None = None
    models: dict[str, ServiceModel | None] | None = None
    network_mode: str | None = None
    networks: dict[str, Attachment | None] | None = None
    oom_kill_disable: Boolean = False
    oom_score_adj: Integer | None = None
    pid: str | None = None
    pids_limit: Integer | None = None
    platform: str | None = None
    ports: tuple[Port, ...] = ()
    privileged: Boolean = False
    pull_policy: str | None = None
    pull_refresh_after: Time | None = None
    read_only: Boolean = False
    restart: str | None = None
    runtime: str | None = None
    scale: Integer | None = None
    secrets: tuple[FileReference, ...] = ()
    security_opt: Texts = ()
    shm_size: Size | None = None
    stdin_open: Boolean = False
    stop_grace_period: Time | None = None
    stop_signal: str | None = None
    storage_opt: Labels | None = None
    sysctls: Labels | None = None
    tmpfs: Texts = ()
    tty: Boolean = False
    ulimits: dict[str, Ulimit] | None = None
    use_api_socket: Boolean = False
    user: str | None = None
    userns_mode: str | None = None
    uts: str | None = None
    volumes: tuple[ServiceVolume, ...] = ()
    volumes_from: Texts = ()
    working_dir: str | None = None
    pre_start: tuple[Hook, ...] = ()
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()

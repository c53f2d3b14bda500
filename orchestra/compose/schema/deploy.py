"""``services.*.deploy`` and requests for devices."""

from typing import Literal

from orchestra.compose.schema.model import Model
from orchestra.compose.schema.values import Count, Integer, Labels, Number, Size, Texts, Time


class DeviceRequest(Model):
    capabilities: Texts | None = None
    driver: str | None = None
    count: Count | None = None
    device_ids: Texts = ()
    options: Labels | None = None


class DiscreteResource(Model):
    kind: str | None = None
    value: Number | None = None


class GenericResource(Model):
    discrete_resource_spec: DiscreteResource | None = None


class Limits(Model):
    cpus: Number | None = None
    memory: Size | None = None
    pids: Integer | None = None


class Reservations(Model):
    cpus: Number | None = None
    memory: Size | None = None
    devices: tuple[DeviceRequest, ...] = ()
    generic_resources: tuple[GenericResource, ...] = ()


class Resources(Model):
    limits: Limits | None = None
    reservations: Reservations | None = None


class RestartPolicy(Model):
    condition: Literal["none", "on-failure", "any"] | None = None
    delay: Time | None = None
    max_attempts: Integer | None = None
    window: Time | None = None


class UpdateConfig(Model):
    parallelism: Integer | None = None
    delay: Time | None = None
    failure_action: Literal["pause", "continue", "rollback"] | None = None
    monitor: Time | None = None
    max_failure_ratio: Number | None = None
    order: Literal["start-first", "stop-first"] | None = None


class Preference(Model):
    spread: str | None = None


class Placement(Model):
    constraints: Texts = ()
    preferences: tuple[Preference, ...] = ()
    max_replicas_per_node: Integer | None = None


class Deploy(Model):
    mode: str | None = None
    replicas: Integer | None = None
    labels: Labels | None = None
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    resources: Resources = Resources()
    restart_policy: RestartPolicy | None = None
    placement: Placement = Placement()
    endpoint_mode: str | None = None

"""What concerns the process in a container: limits, hooks, health, logging, files of variables."""

from typing import Annotated, Literal

from orchestra.compose.schema.model import Model, Written
from orchestra.compose.schema.values import Boolean, Integer, Labels, Size, Text, Texts, Time, Variables, describe


class UlimitRange(Model):
    soft: Integer
    hard: Integer


def _ulimit(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    raise ValueError(f"must be a whole number or have soft and hard, not {describe(value)}")


Ulimit = Annotated[int | UlimitRange, Written(_ulimit, int | str | UlimitRange, UlimitRange)]


class Healthcheck(Model):
    test: Texts | None = None
    interval: Time | None = None
    timeout: Time | None = None
    retries: Integer | None = None
    start_period: Time | None = None
    start_interval: Time | None = None
    disable: Boolean = False


class Logging(Model):
    driver: str | None = None
    options: Labels | None = None


class Hook(Model):
    command: Texts | None = None
    user: Text | None = None
    privileged: Boolean = False
    working_dir: str | None = None
    environment: Variables | None = None
    image: str | None = None
    per_replica: Boolean = False


class EnvFile(Model):
    path: str
    required: Boolean = True
    format: Literal["raw"] | None = None


class Dependency(Model):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]
    restart: Boolean = False
    required: Boolean = True


class BlkioWeight(Model):
    path: str
    weight: Integer


class BlkioRate(Model):
    path: str
    rate: Size


class BlkioConfig(Model):
    weight: Integer | None = None
    weight_device: tuple[BlkioWeight, ...] = ()
    device_read_bps: tuple[BlkioRate, ...] = ()
    device_read_iops: tuple[BlkioRate, ...] = ()
    device_write_bps: tuple[BlkioRate, ...] = ()
    device_write_iops: tuple[BlkioRate, ...] = ()


class CredentialSpec(Model):
    config: str | None = None
    file: str | None = None
    registry: str | None = None


class Provider(Model):
    type: str
    options: dict[str, Texts] | None = None

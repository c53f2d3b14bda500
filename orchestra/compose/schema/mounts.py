"""Additions to a container's file system: ``volumes``, ``configs``, ``secrets``, ``devices``."""

from typing import Literal

from orchestra.compose.schema.model import Model
from orchestra.compose.schema.values import Boolean, Labels, Mode, Text, TmpfsSize


class BindOptions(Model):
    selinux: Literal["z", "Z"] | None = None
    propagation: str | None = None
    create_host_path: Boolean = False
    recursive: Literal["enabled", "disabled", "writable", "readonly"] | None = None


class VolumeOptions(Model):
    labels: Labels | None = None
    nocopy: Boolean = False
    subpath: str | None = None


class TmpfsOptions(Model):
    size: TmpfsSize | None = None
    mode: Mode | None = None


class ImageOptions(Model):
    subpath: str | None = None


class ServiceVolume(Model):
    type: Literal["bind", "volume", "tmpfs", "image", "npipe", "cluster"]
    source: str | None = None
    target: str | None = None
    read_only: Boolean = False
    consistency: str | None = None
    bind: BindOptions | None = None
    volume: VolumeOptions | None = None
    tmpfs: TmpfsOptions | None = None
    image: ImageOptions | None = None


class FileReference(Model):
    """One entry of ``configs`` or ``secrets`` of a service or its build."""

    source: str | None = None
    target: str | None = None
    uid: Text | None = None
    gid: Text | None = None
    mode: Mode | None = None


class Device(Model):
    source: str
    target: str | None = None
    permissions: str = "rwm"

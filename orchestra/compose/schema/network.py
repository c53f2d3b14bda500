"""Networks, and how a service joins them and publishes ports."""

from typing import Literal

from orchestra.compose.schema.model import Model
from orchestra.compose.schema.values import Boolean, Integer, Labels, Text, Texts


class Port(Model):
    name: str | None = None
    mode: str = "ingress"
    host_ip: str | None = None
    target: Integer
    published: Text | None = None
    protocol: str = "tcp"
    app_protocol: str | None = None


class Attachment(Model):
    """One entry of ``services.*.networks``."""

    aliases: Texts = ()
    driver_opts: Labels | None = None
    gw_priority: Integer | None = None
    interface_name: str | None = None
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    link_local_ips: Texts = ()
    mac_address: str | None = None
    priority: Integer | None = None


class Pool(Model):
    subnet: str | None = None
    gateway: str | None = None
    ip_range: str | None = None
    aux_addresses: Labels | None = None


class Ipam(Model):
    driver: str | None = None
    config: tuple[Pool, ...] = ()
    options: Labels | None = None


class Network(Model):
    name: str | None = None
    driver: str | None = None
    driver_opts: Labels | None = None
    ipam: Ipam = Ipam()
    external: Boolean = False
    internal: Boolean = False
    attachable: Boolean = False
    labels: Labels | None = None
    enable_ipv4: Boolean | None = None
    enable_ipv6: Boolean | None = None
    scope: Literal["local", "swarm"] | None = None

"""The kinds of objects that a stack consists of, and where they are in the API."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from orchestra.named_tuple import NamedTuple

Object = dict[str, Any]
NAME, STACK, MANAGER = "app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by"
DEPENDS_ON = "io.orchestra.depends-on"
"""The annotation that names what a workload waits for: ``db=service_healthy,cache=service_started``."""


class Kind(NamedTuple):
    group: str
    plural: str


KINDS = {
    "Secret": Kind("api/v1", "secrets"),
    "ConfigMap": Kind("api/v1", "configmaps"),
    "PersistentVolumeClaim": Kind("api/v1", "persistentvolumeclaims"),
    "NetworkPolicy": Kind("apis/networking.k8s.io/v1", "networkpolicies"),
    "Service": Kind("api/v1", "services"),
    "Ingress": Kind("apis/networking.k8s.io/v1", "ingresses"),
    "HTTPRoute": Kind("apis/gateway.networking.k8s.io/v1", "httproutes"),
    "CronJob": Kind("apis/batch/v1", "cronjobs"),
    "Deployment": Kind("apis/apps/v1", "deployments"),
    "StatefulSet": Kind("apis/apps/v1", "statefulsets"),
    "DaemonSet": Kind("apis/apps/v1", "daemonsets"),
    "Job": Kind("apis/batch/v1", "jobs"),
}
"""In the order in which they are made; they are removed in the reverse one."""
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
ADDED = frozenset({"HTTPRoute"})
"""Kinds that a cluster has only when their definitions have been installed."""
CLAIM = "PersistentVolumeClaim"


class Key(NamedTuple):
    """An object of a namespace."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


def key_of(item: Object) -> Key:
    return Key(item["kind"], item["metadata"]["name"])


def path_of(namespace: str, kind: str, name: str = "") -> str:
    """Of an object, or of all of a kind."""
    group, plural = KINDS[kind]
    return f"/{group}/namespaces/{quote(namespace, safe='')}/{plural}" + (f"/{quote(name, safe='')}" if name else "")


def selector(stack: str) -> str:
    """Of all objects of a stack."""
    return f"{STACK}={stack},{MANAGER}=orchestra"


def is_of(item: Object, stack: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    return labels.get(STACK) == stack and labels.get(MANAGER) == "orchestra"

"""Manifests of Kubernetes: https://kubernetes.io/docs/reference/kubernetes-api/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.importing.compose_file import Imported, full, render
from orchestra.importing.pods import Surroundings, add_pod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.compose.nodes import Path
    from orchestra.importing.part import Book, Part

DEPENDS_ON = "io.orchestra.depends-on"
"""What a translation writes, and ``orchestra.cluster`` reads."""
_OF_OBJECTS = ("apiVersion", "kind", "status", "immutable", "selector", "serviceName", "revisionHistoryLimit")
_OF_METADATA = ("name", "namespace", "labels", "creationTimestamp", "generation", "managedFields", "resourceVersion")
_OF_SERVICES = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "publishNotReadyAddresses", "nodePort")
_OF_PODS = ("restartPolicy", "terminationMessagePath", "enableServiceLinks", "automountServiceAccountToken")
_NOISE: Mapping[Path, object] = {
    **{(key,): None for key in (*_OF_OBJECTS, *_OF_SERVICES, *_OF_PODS, "uid", "progressDeadlineSeconds")},
    **{("metadata", key): None for key in _OF_METADATA},
    ("dnsPolicy",): "ClusterFirst",
    ("internalTrafficPolicy",): "Cluster",
    ("externalTrafficPolicy",): "Cluster",
    ("schedulerName",): "default-scheduler",
    ("sessionAffinity",): "None",
    ("terminationMessagePolicy",): "File",
}
"""What the cluster has of its own, and what has the same effect here without being said: None for any value."""
_REASONS = {
    "affinity": "there is one machine",
    "annotations": "programs of a cluster read it",
    "backoffLimit": "a container that fails is restarted as its policy says",
    "imagePullSecrets": "run orchestra login for the registry",
    "nodeSelector": "there is one machine",
    "priorityClassName": "there is one machine, and nothing is put off it",
    "serviceAccountName": "there is no cluster to sign in at",
    "storageClassName": "a volume is a directory of this machine",
    "tolerations": "there is one machine",
    "topologySpreadConstraints": "there is one machine",
    "volumeClaimTemplates": "becomes one volume",
}
_WORKLOADS = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
}
_OF_CLUSTERS = {
    "Ingress": "publish ports, or run a proxy as a service",
    "HorizontalPodAutoscaler": "set deploy.replicas",
    "NetworkPolicy": "services reach each other where they share a network: split them over networks",
}


def convert(book: Book) -> Imported:
    """book: a document whose ``objects`` are the manifests."""
    objects = [inner for item in book.whole.each("objects") for inner in _listed(item)]
    around = Surroundings({}, {}, {}, {}, {})
    for item in objects:
        if item.at("kind").value in ("ConfigMap", "Secret"):
            _add_contents(item, around)
    for item in objects:
        kind, name = item.at("kind").value, str(item.at("metadata", "name").value)
        if kind in _WORKLOADS:
            _add_workload(item, kind, name, around)
        elif kind == "PersistentVolumeClaim":
            around.volumes.setdefault(name, None)
            item.at("spec").lose("a volume here has neither size nor class")
        elif kind not in ("Service", "ConfigMap", "Secret", "Namespace"):
            item.lose(f"a {kind} has no counterpart", _OF_CLUSTERS.get(str(kind), ""))
    for item in objects:
        if item.at("kind").value == "Service":
            _add_service(item, objects, around)
    sections = {
        "services": around.services,
        "volumes": around.volumes,
        "configs": {name: around.configs[name] for name in around.used_configs},
        "secrets": around.secrets,
    }
    return Imported(text=render(sections), losses=book.settle(_NOISE, _REASONS))


def _listed(item: Part) -> list[Part]:
    if item.at("kind").value == "List":
        item.take("metadata")
        return item.each("items")
    return [item]


def _add_contents(item: Part, around: Surroundings) -> None:
    """A ConfigMap, each of whose keys may be a file or a variable. Contents of Secrets do not get into a file."""
    name = str(item.at("metadata", "name").value)
    if item.at("kind").value == "Secret":
        keys = sorted({**(item.take("data") or {}), **(item.take("stringData") or {})})
        around.secret_keys[name] = keys
        item.take("type")
        return
    around.config_data[name] = dict(item.take("data") or {})
    binary = item.at("binaryData")
    if binary.value:
        binary.lose("a config here is text", "write it to a file beside the Compose file, and bind that")


def _add_workload(item: Part, kind: str, name: str, around: Surroundings) -> None:
    spec = item.at("spec")
    pod = item.at(*_WORKLOADS[kind])
    replicas = spec.take("replicas") if kind in ("Deployment", "StatefulSet", "ReplicaSet") else None
    restart = {"Job": "on-failure", "CronJob": "no", "Pod": pod.at("restartPolicy").value or "Always"}.get(
        kind, "Always"
    )
    for claim in spec.each("volumeClaimTemplates"):
        around.volumes.setdefault(f"{claim.at('metadata', 'name').value}-{name}", None)
        around.claims[str(claim.at("metadata", "name").value)] = f"{claim.take('metadata', 'name')}-{name}"
        claim.lose("becomes a volume, which all replicas share")
    deploy = full(replicas=replicas if replicas != 1 else None)
    strategy = spec.at("strategy", "rollingUpdate")
    if strategy.value and strategy.at("maxUnavailable").value == 0:
        deploy["update_config"] = {"order": "start-first"}
        strategy.approximate("becomes deploy.update_config")
    spec.take("strategy", "type")
    if kind == "Job":
        for key in ("completions", "parallelism"):
            if spec.at(key).value == 1:
                spec.take(key)
    if kind == "CronJob":
        spec.at("schedule").lose("nothing runs it at times", "run orchestra run from a timer of systemd")
    add_pod(pod, name, restart, deploy, around)
    if needs := str(item.take("metadata", "annotations", DEPENDS_ON) or ""):
        pairs = (text.partition("=") for text in needs.split(","))
        around.services[name].setdefault("depends_on", {}).update({key: {"condition": how} for key, _, how in pairs})
    labels = pod_labels(item, kind)
    around.labels[name] = labels


def pod_labels(item: Part, kind: str) -> dict[str, str]:
    path = (*_WORKLOADS[kind][:-1], "metadata", "labels") if kind != "Pod" else ("metadata", "labels")
    return dict(item.at(*path).value or {})


def _add_service(item: Part, objects: list[Part], around: Surroundings) -> None:
    """Its name becomes an alias of the services whose pods it selects; the ports of one for others are published."""
    name = str(item.at("metadata", "name").value)
    spec = item.at("spec")
    wanted = dict(spec.at("selector").value or {})
    chosen = [
        service
        for service, labels in around.labels.items()
        if wanted and all(labels.get(key) == value for key, value in wanted.items())
    ]
    kind = spec.take("type") or "ClusterIP"
    if not chosen:
        item.lose("selects none of the workloads")
        return
    for service in chosen:
        made = around.services[service]
        if name not in (service, f"{service}-published"):
            networks = made.setdefault("networks", {"default": {"aliases": []}})
            networks["default"]["aliases"].append(name)
    for port in spec.each("ports"):
        port.take("name")
        protocol = str(port.take("protocol") or "TCP").lower()
        number, target, node = port.take("port"), port.take("targetPort"), port.take("nodePort")
        inside = around.named_ports.get(chosen[0], {}).get(target, target if isinstance(target, int) else number)
        if kind in ("LoadBalancer", "NodePort"):
            outside = number if kind == "LoadBalancer" else node or number
            text = f"{outside}:{inside}" + (f"/{protocol}" if protocol != "tcp" else "")
            around.services[chosen[0]].setdefault("ports", []).append(text)
        elif inside != number:
            port.approximate(f"others reach the container itself, at {inside}, not at {number}")

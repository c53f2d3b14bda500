"""The template of a service's pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.kubernetes.cluster import patched, seconds
from orchestra.translation.kubernetes.container import container, init_containers
from orchestra.translation.kubernetes.names import is_key, is_label
from orchestra.translation.kubernetes.placement import placement
from orchestra.translation.kubernetes.policies import membership
from orchestra.translation.kubernetes.security import pod_context
from orchestra.translation.kubernetes.storage import mounts
from orchestra.translation.plain import full

if TYPE_CHECKING:
    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_GRACE = 10.0
_WHOLE_NODE = "host"


def template(key: str, service: Given, cluster: Cluster) -> Object:
    """``spec.template`` of a workload, without ``restartPolicy``."""
    mounted = mounts(service, cluster)
    patch = service.extension("x-kubernetes") or {}
    selector = cluster.selector(key)
    box = patched(container(key, service, cluster, mounted.mounts), patch.get("container", {}))
    spec = {
        "containers": [box],
        # Containers here know nothing of an API, nor of addresses in variables.
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        **full(
            initContainers=init_containers(service, mounted.mounts),
            volumes=mounted.volumes,
            securityContext=pod_context(service),
            terminationGracePeriodSeconds=_grace(service),
            runtimeClassName=service.take("runtime"),
            **_name(service),
            **_resolution(service),
            **_sharing(service),
            **placement(service, selector),
        ),
    }
    metadata = {
        "labels": selector | {"app.kubernetes.io/managed-by": "orchestra"} | membership(service, cluster),
        **full(annotations=_annotations(service)),
    }
    return {"metadata": metadata, "spec": patched(spec, patch.get("pod", {}))}


def _grace(service: Given) -> int | None:
    period = service.peek("stop_grace_period")
    grace = seconds(service.take("stop_grace_period"), _GRACE, service, "stop_grace_period", least=0)
    return grace if period is not None or grace != 30 else None


def _annotations(service: Given) -> dict[str, str]:
    """Labels of a container are annotations of its pod: their values are free text."""
    found: dict[str, str] = {}
    for attribute in ("labels", "annotations"):
        for name, value in (service.peek(attribute) or {}).items():
            path = (*service.path, attribute, name)
            if is_key(name):
                service.ledger.use(path)
                found[name] = value
            else:
                service.ledger.lose(path, "cannot be the name of an annotation")
    return found


def _name(service: Given) -> Object:
    name, domain = service.peek("hostname"), service.peek("domainname")
    if not name:
        return {}
    if domain:
        service.lose("domainname", "pods have the domain of the cluster")
    if not is_label(name):
        service.lose("hostname", "cannot be the name of a pod", "use letters, digits and hyphens")
        return {}
    return {"hostname": service.take("hostname")}


def _resolution(service: Given) -> Object:
    options = [
        full(name=name, value=value) for name, _, value in (text.partition(":") for text in service.take("dns_opt"))
    ]
    config = full(nameservers=list(service.take("dns")), searches=list(service.take("dns_search")), options=options)
    aliases: dict[str, list[str]] = {}
    for index, text in enumerate(service.peek("extra_hosts")):
        name, address = text.replace("=", ":", 1).split(":", 1)
        path = (*service.path, "extra_hosts", index)
        if address == "host-gateway":
            service.ledger.lose(path, "a pod has no host to go by", "name the machine's address")
        else:
            service.ledger.use(path)
            aliases.setdefault(address.strip("[]"), []).append(name)
    hosts = [{"ip": address, "hostnames": names} for address, names in aliases.items()]
    return full(dnsConfig=config, hostAliases=hosts)


def _sharing(service: Given) -> Object:
    """Namespaces that a pod has in common with its node. Those of other services are lost."""
    found: Object = {}
    if service.peek("network_mode") == _WHOLE_NODE:
        service.take("network_mode")
        found |= {"hostNetwork": True, "dnsPolicy": "ClusterFirstWithHostNet"}
    elif service.peek("network_mode") in ("bridge", "default", "none"):
        service.take("network_mode")
    for attribute, name in (("pid", "hostPID"), ("ipc", "hostIPC")):
        if service.peek(attribute) == _WHOLE_NODE:
            service.take(attribute)
            found[name] = True
    if service.peek("ipc") in ("private", "shareable"):
        service.take("ipc")
    if service.peek("init"):
        service.approximate("init", "the containers of a pod share their processes, and its own first one reaps them")
        found["shareProcessNamespace"] = True
    elif service.peek("init") is not None:
        service.take("init")
    return found

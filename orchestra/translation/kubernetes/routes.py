"""How requests from outside get to the first published port of a service: an Ingress, or a route of the Gateway API.

https://kubernetes.io/docs/concepts/services-networking/ingress/ and https://gateway-api.sigs.k8s.io/api-types/httproute/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.kubernetes.cluster import patched
from orchestra.translation.kubernetes.names import is_label
from orchestra.translation.plain import full

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_KINDS = ("ingress", "route")


def routes(service: Given, metadata: Object, published: Object | None) -> list[Object]:
    """Those that ``x-kubernetes`` asks for. published: the Service of the published ports, None without them."""
    asked = service.extension("x-kubernetes") or {}
    found = []
    for kind in _KINDS:
        if asked.get(kind) is None:
            continue
        path = (*service.path, "x-kubernetes", kind)
        if published is None:
            service.ledger.lose(path, "there is nothing to reach", "give the service a port under ports")
        elif kind == "ingress":
            found.append(_ingress(metadata, published, asked[kind]))
        elif (parent := _parent(asked[kind])) is not None:
            found.append(_route(metadata, published, asked[kind], parent))
        else:
            service.ledger.lose(path, "it does not say which gateway it is for", "add gateway: [NAMESPACE/]NAME")
    return found


def _ingress(metadata: Object, published: Object, asked: Mapping[str, Any]) -> Object:
    """asked: ``host``, empty for any, beside what is merged into the object."""
    backend = {"service": {"name": published["metadata"]["name"], "port": {"number": _port(published)}}}
    rule = full(host=asked.get("host")) | {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    made = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": {"rules": [rule]}}
    return patched(made, {key: value for key, value in asked.items() if key != "host"})


def _route(metadata: Object, published: Object, asked: Mapping[str, Any], parent: Object) -> Object:
    """asked: ``gateway``, ``listener`` and ``host``, empty for any, beside what is merged into the object."""
    host = asked.get("host")
    spec = {
        "parentRefs": [parent | full(sectionName=asked.get("listener"))],
        **full(hostnames=[host] if host else None),
        "rules": [{"backendRefs": [{"name": published["metadata"]["name"], "port": _port(published)}]}],
    }
    made = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata, "spec": spec}
    return patched(made, {key: value for key, value in asked.items() if key not in ("gateway", "listener", "host")})


def _parent(asked: Mapping[str, Any]) -> Object | None:
    """The gateway, which exists already: ``NAME``, or ``NAMESPACE/NAME`` for one that is shared."""
    namespace, slash, name = str(asked.get("gateway") or "").rpartition("/")
    if not name or (slash and not is_label(namespace)):
        return None
    return {"name": name, **full(namespace=namespace or None)}


def _port(published: Object) -> int:
    return int(published["spec"]["ports"][0]["port"])

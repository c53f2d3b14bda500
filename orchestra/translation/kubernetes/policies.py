"""Networks as policies: pods of a network reach each other, and others only what is published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.translation.kubernetes.cluster import NETWORK
from orchestra.translation.kubernetes.names import label
from orchestra.translation.reading import is_for_others

if TYPE_CHECKING:
    from orchestra.translation.kubernetes.cluster import Cluster
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_NAME_SERVER = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
_OTHER_STACKS = "only pods of this namespace with its label are in it"


def membership(service: Given, cluster: Cluster) -> dict[str, str]:
    """Labels of a pod: the networks that it is in."""
    return {
        f"{NETWORK}/{cluster.networks[key]}": "true" for key in service.entries("networks") if key in cluster.networks
    }


def policies(stack: Given, cluster: Cluster) -> list[Object]:
    """One for each network, and for each service with published ports or without a network."""
    networks = {key: network for key, network in stack.entries("networks").items() if key in cluster.networks}
    internal = {key for key, network in networks.items() if network and network.take("internal")}
    found = []
    for key, network in networks.items():
        if network:
            _take(network)
        chosen = {"matchLabels": {f"{NETWORK}/{cluster.networks[key]}": "true"}}
        members = [{"podSelector": chosen}]
        rules: Object = {"podSelector": chosen, "policyTypes": ["Ingress"], "ingress": [{"from": members}]}
        if internal:
            # Policies add up: a pod that is in another network as well is let out by the policy of that one.
            rules["policyTypes"].append("Egress")
            rules["egress"] = [{"to": members}, _NAME_SERVER] if key in internal else [{}]
        found.append(_policy(label(f"network-{cluster.networks[key]}"), "", rules, cluster))
    for key, service in stack.entries("services").items():
        if service and service.peek("network_mode") == "none":
            found.append(_alone(key, cluster))
        ports = [
            {"port": port.peek("target"), "protocol": port.peek("protocol").upper()}
            for port in (service.each("ports") if service else ())
            if is_for_others(port)
        ]
        if ports:
            pods = {"matchLabels": cluster.selector(key)}
            rules = {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": [{"ports": ports}]}
            found.append(_policy(label(f"{cluster.names[key]}-published"), key, rules, cluster))
    return found


def _alone(key: str, cluster: Cluster) -> Object:
    """For ``network_mode: none``: its pods are not reached, and reach no others."""
    rules = {"podSelector": {"matchLabels": cluster.selector(key)}, "policyTypes": ["Ingress", "Egress"]}
    return _policy(label(f"{cluster.names[key]}-alone"), key, rules, cluster)


def _take(network: Given) -> None:
    network.take("name")
    if network.peek("driver") in ("bridge", "overlay"):
        network.take("driver")
    if network.take("external"):
        network.ledger.approximate(network.path, _OTHER_STACKS, "deploy the stacks that share it to one namespace")


def _policy(name: str, service: str, rules: Object, cluster: Cluster) -> Object:
    metadata = cluster.metadata(name, service)
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": rules}

"""Where pods run: node selectors, affinities and spreading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.model.platform import ALIASES
from orchestra.translation.plain import full

if TYPE_CHECKING:
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_KEYS = {
    "node.hostname": "kubernetes.io/hostname",
    "node.platform.os": "kubernetes.io/os",
    "node.platform.arch": "kubernetes.io/arch",
}
_LABELS = "node.labels."
_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def placement(service: Given, selector: dict[str, str]) -> Object:
    """``nodeSelector``, ``affinity`` and ``topologySpreadConstraints`` of a pod."""
    wanted, rules = _platform(service), []
    spread: list[Object] = []
    deploy = service.below("deploy")
    placed = deploy.below("placement") if deploy else None
    if placed:
        for index, text in enumerate(placed.peek("constraints")):
            rule = _rule(text)
            path = (*placed.path, "constraints", index)
            if rule is None:
                placed.ledger.lose(path, "has no counterpart among the labels of nodes", "constrain node.labels.NAME")
            else:
                placed.ledger.use(path)
                rules.append(rule)
        for preference in placed.each("preferences"):
            key = _key(preference.take("spread") or "")
            spread.append(_spreading(key or _KEYS["node.hostname"], selector, "ScheduleAnyway"))
        most = placed.peek("max_replicas_per_node")
        if most:
            text = f"Kubernetes evens out the nodes' numbers of pods to within {most} rather than limiting them"
            placed.approximate("max_replicas_per_node", text)
            spread.append(_spreading(_KEYS["node.hostname"], selector, "DoNotSchedule", most))
    terms = {"nodeSelectorTerms": [{"matchExpressions": rules}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}} if rules else None
    return full(nodeSelector=wanted, affinity=affinity, topologySpreadConstraints=spread)


def _platform(service: Given) -> dict[str, str]:
    text = service.take("platform")
    if not text:
        return {}
    system, _, rest = str(text).partition("/")
    architecture = rest.partition("/")[0]
    name = ALIASES.get(architecture, architecture)
    return full(**{"kubernetes.io/os": system, "kubernetes.io/arch": name})


def _key(text: str) -> str | None:
    return text.removeprefix(_LABELS) if text.startswith(_LABELS) else _KEYS.get(text)


def _rule(text: str) -> dict[str, Any] | None:
    sign = "!=" if "!=" in text else "=="
    left, _, value = (part.strip() for part in text.partition(sign))
    if left == "node.role":
        is_manager = (value == "manager") == (sign == "==")
        return {"key": _CONTROL_PLANE, "operator": "Exists" if is_manager else "DoesNotExist"}
    key = _key(left)
    return {"key": key, "operator": "In" if sign == "==" else "NotIn", "values": [value]} if key else None


def _spreading(key: str, selector: dict[str, str], otherwise: str, skew: int = 1) -> Object:
    chosen = {"matchLabels": selector}
    return {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": otherwise, "labelSelector": chosen}

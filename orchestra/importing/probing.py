"""Probes of Kubernetes as one health check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestra.importing.compose_file import escaped, full

if TYPE_CHECKING:
    from orchestra.importing.part import Part

_PROBES = ("readinessProbe", "livenessProbe", "startupProbe")


def healthcheck(container: Part) -> dict[str, Any]:
    """Of the probe for readiness, or of another one: Compose has one check."""
    given = [container.at(name) for name in _PROBES if container.at(name).value]
    if not given:
        return {}
    first, *others = given
    for other in others:
        if other.value == first.value:
            other.book.use(other.path)
        else:
            other.lose("Compose has one health check, which is made of another probe")
    retries, delay = first.take("failureThreshold"), first.take("initialDelaySeconds")
    first.take("successThreshold")
    return full(
        test=_test(first, container),
        interval=f"{first.take('periodSeconds') or 10}s",
        timeout=f"{first.take('timeoutSeconds') or 1}s",
        retries=retries or 3,
        start_period=f"{delay}s" if delay else "",
    )


def _test(probe: Part, container: Part) -> list[str]:
    if probe.at("exec").value:
        return ["CMD", *escaped(probe.take("exec", "command"))]
    if probe.at("httpGet").value:
        asked = probe.at("httpGet")
        scheme = str(asked.take("scheme") or "HTTP").lower()
        port, path = _number(asked.take("port"), container), asked.take("path") or "/"
        asked.approximate(
            "is asked from within the container", "which needs wget: write another test where it has none"
        )
        return ["CMD-SHELL", escaped(f"wget -q -O /dev/null {scheme}://localhost:{port}{path}")]
    if probe.at("tcpSocket").value:
        asked = probe.at("tcpSocket")
        port = _number(asked.take("port"), container)
        asked.approximate("is asked from within the container", "write another test if that has no nc")
        return ["CMD-SHELL", f"nc -z localhost {port}"]
    probe.lose("no test of this kind can be run in a container")
    return []


def _number(port: Any, container: Part) -> Any:
    """Of a port that may be said by its name."""
    for declared in container.at("ports").value or ():
        if declared.get("name") == port:
            return declared.get("containerPort")
    return port

"""Health checks as probes.

An unhealthy container is not restarted in Compose, but others do not find it ready: that is a readiness probe. With
``x-orchestra: {restart: unhealthy}`` it is a liveness probe too, which waits for the start (a startup probe).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from orchestra.compose.automatic_ports import EXTENSION
from orchestra.compose.healing import restarts_unhealthy
from orchestra.translation.kubernetes.cluster import escaped, seconds
from orchestra.translation.plain import full

if TYPE_CHECKING:
    from orchestra.compose.schema.service import Service
    from orchestra.translation.ledger import Given
    from orchestra.translation.result import Object

_IMAGES = "Kubernetes does not know the health check of an image"


def probes(service: Given) -> Object:
    """``readinessProbe`` and its like, of a container."""
    check = service.below("healthcheck")
    if check is None:
        return {}
    if check.take("disable") or check.peek("test") == ("NONE",):
        check.ledger.use(check.path)
        return {}
    test = check.take("test")
    if not test:
        service.lose("healthcheck", _IMAGES, "write its test into the file")
        return {}
    kind, *words = test
    command = words if kind == "CMD" else ["/bin/sh", "-c", *words]
    interval = seconds(check.take("interval"), 30, check, "interval")
    retries = check.take("retries") or 3
    probe = {
        "exec": {"command": escaped(command)},
        "periodSeconds": interval,
        "timeoutSeconds": seconds(check.take("timeout"), 30, check, "timeout"),
        "failureThreshold": retries,
    }
    if not restarts_unhealthy(cast("Service", service.model)):
        check.take("start_period")  # a pod is not ready before its first success
        return {"readinessProbe": probe}
    service.extension(EXTENSION)
    start = seconds(check.take("start_period"), 0, check, "start_period", least=0)
    startup = {**probe, "failureThreshold": retries + -(-start // interval)}
    return full(readinessProbe=probe, livenessProbe=probe, startupProbe=startup if start else None)

"""Health checks, which Podman makes, and systemd waits for where others do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from orchestra.compose.automatic_ports import EXTENSION
from orchestra.compose.healing import restarts_unhealthy
from orchestra.translation.quadlet.unit import whole
from orchestra.units import format_duration

if TYPE_CHECKING:
    from orchestra.compose.schema.service import Service
    from orchestra.translation.ledger import Given
    from orchestra.translation.quadlet.unit import Lines

_TIMES = {"interval": "HealthInterval", "timeout": "HealthTimeout", "start_period": "HealthStartPeriod"}
_SHELL = "Podman runs a test of one word in a shell"


def add_health(service: Given, lines: Lines) -> None:
    if restarts_unhealthy(cast("Service", service.model)):
        service.extension(EXTENSION)
        # Killed, it is restarted by systemd like any container that failed.
        lines.add("HealthOnFailure", "kill")
    check = service.below("healthcheck")
    if check is None:
        return
    if check.take("disable") or check.peek("test") == ("NONE",):
        check.ledger.use(check.path)
        lines.add("HealthCmd", "none")
        return
    test = check.take("test")
    if test:
        kind, *command = test
        if kind == "CMD" and len(command) == 1:
            check.approximate("test", _SHELL)
        # An array without its first word is a command; with it Podman would split the text at spaces.
        lines.add("HealthCmd", whole(json.dumps(command if kind == "CMD" else [kind, *command])))
    for name, key in _TIMES.items():
        value = check.take(name)
        if value is not None:
            lines.add(key, format_duration(value))
    retries = check.take("retries")
    if retries:
        lines.add("HealthRetries", str(retries))

"""What events say."""

from __future__ import annotations

import pytest

from orchestra.model.event import (
    ActionEvent,
    AskedEvent,
    BlockedEvent,
    ContainerEvent,
    ConvergedEvent,
    FileChange,
    FileEvent,
    HealthEvent,
    Phase,
    PullEvent,
    SkippedEvent,
)
from orchestra.model.health import Health, HealthStatus
from orchestra.model.resource import Kind, ResourceId
from orchestra.model.revision import Author
from orchestra.stacks.told import Told, Tone, describe_event

WEB, IMAGE = ResourceId.container("s-web-1"), ResourceId(Kind.IMAGE, "x")


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (ActionEvent(0.0, "stop", WEB, Phase.STARTED, "asked to"), Told("stop started", WEB, "asked to", Tone.FAINT)),
        (ActionEvent(0.0, "start", WEB, Phase.FAILED, "r", "no"), Told("start failed", WEB, "no", Tone.BAD)),
        (ContainerEvent(0.0, "s-web-1", "web", "started"), Told("started", WEB)),
        (
            ContainerEvent(0.0, "s-web-1", "web", "exited", 137, oom_killed=True),
            Told("exited", WEB, "exit code 137, out of memory", Tone.BAD),
        ),
        (
            HealthEvent(0.0, "s-web-1", "web", Health(HealthStatus.HEALTHY, output="x\n", exit_code=0)),
            Told("healthy", WEB, "x", Tone.GOOD),
        ),
        (
            HealthEvent(0.0, "s-web-1", "web", Health(HealthStatus.UNHEALTHY, output="x", exit_code=1)),
            Told("unhealthy", WEB, "exit code 1: x", Tone.BAD),
        ),
        (BlockedEvent(0.0, ()), Told("blocked")),
        (BlockedEvent(0.0, ((WEB, "db"),)), Told("blocked", tone=Tone.WAITS, lines=("container/s-web-1: db",))),
        (ConvergedEvent(0.0), Told("converged", tone=Tone.GOOD)),
        (ConvergedEvent(0.0, ("a: b",)), Told("converged", tone=Tone.BAD, lines=("failed: a: b",))),
        (AskedEvent(0.0, Author("me", "up")), Told("asked for by me: up")),
        (FileEvent(0.0, FileChange.FOLLOWED), Told("files followed")),
        (PullEvent(0.0, IMAGE, 10, 2048), Told("pulled 10 of 2048 bytes", IMAGE, tone=Tone.FAINT)),
        (SkippedEvent(0.0, WEB, "why"), Told("skipped", WEB, "why", Tone.FAINT)),
    ],
)
def test_an_event_is_told(event, told):
    assert describe_event(event) == told

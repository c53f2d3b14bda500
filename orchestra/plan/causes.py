"""Why a service is not as it should be: the chain of causes from it to the first one, with what proves it. Pure."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from orchestra.model.health import HealthStatus
from orchestra.model.observed import Created, Exited, Running
from orchestra.model.resource import Kind, ResourceId
from orchestra.model.wish import Goal
from orchestra.nearest import suggest
from orchestra.plan.clues import Clue, find_clue
from orchestra.plan.hints import hint_for
from orchestra.plan.plan import plan
from orchestra.plan.restart import next_run
from orchestra.plan.verdict import Failed
from orchestra.record import Record, replace
from orchestra.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.model.container import ContainerSpec
    from orchestra.model.desired import Desired
    from orchestra.model.observed import Container, Observed
    from orchestra.plan.verdict import Blocked

THROTTLED = 0.25
"""The share of its time in which a program is held back by its limit of processors, from which on it is told."""
FULL = 0.9
"""Likewise, the share of its limit of memory."""
SHELL = "/bin/sh -c "
"""What comes before the words of a probe that the file gives as one text."""
LOOPING = 3
"""Short runs in a row from which on a program is said to be in a crash loop."""
LAST_WORDS = 5
"""Lines of a log that are shown."""


class Evidence(Record):
    """What is known of a container beside its state. log: its last lines.

    changed: what the last revision that concerns it has changed, in words. memory: the share of its limit in use, 0
    without a limit. throttled: the share of periods in which the kernel held it back, 0 without a limit.
    """

    log: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    memory: float = 0.0
    throttled: float = 0.0


class Cause(Record):
    """subject: a service, container, image, network or volume; what: what is the matter with it, in words.

    hint: what to do. log, changed: what proves or explains it. wrong: whether it is not as it should be.
    """

    subject: str
    what: str
    hint: str = ""
    log: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    wrong: bool = True


class Explainer:
    """look: gathers the evidence about a container."""

    def __init__(self, desired: Desired, observed: Observed, now: float, look: Callable[[Container], Evidence]) -> None:
        """now: Unix seconds; observed: with the failures that are known."""
        self._desired, self._observed, self._now = desired, observed, now
        self._look = look
        step = plan(desired, observed, {}, now)
        self._ready = step.ready
        self._failed = {failed.resource: failed for failed in step.failed}
        self._blocked = {blocked.resource: blocked for blocked in step.blocked}

    def explain(self, service: str) -> list[Cause]:
        """The causes: each is the reason of the one before it. One that is not ``wrong`` if all is well."""
        specs = self._desired.replicas(service)
        if not specs:
            return [self._without_containers(service)]
        update = self._failed.get(ResourceId(Kind.SERVICE, service))
        if update is not None:
            return [Cause(service, update.error, update.hint)]
        chains = [self._of_container(spec, frozenset()) for spec in specs]
        wrong = [chain for chain in chains if chain[-1].wrong]
        return wrong[0] if wrong else chains[0]

    def _without_containers(self, service: str) -> Cause:
        if self._desired.is_down:
            return Cause(service, "is not there: the stack is down", "orchestra up starts it")
        if service in self._desired.disabled:
            hint = "use --profile, or name the service in up"
            return Cause(service, "is not enabled: no active profile has it", hint, wrong=False)
        if service not in self._desired.services:
            return Cause(service, "is not in the Compose file that up was last used with", "run orchestra up")
        hint = f"orchestra scale {service}=1 starts one"
        return Cause(service, "has no containers: it is scaled to 0", hint, wrong=False)

    def _of_container(self, spec: ContainerSpec, seen: frozenset[ResourceId]) -> list[Cause]:
        resource = ResourceId.container(spec.name)
        container = self._observed.containers.get(spec.name)
        resting = self._resting(spec, container)
        if resting is not None:
            return [resting]
        verdict = self._failed.get(resource) or self._blocked.get(resource)
        if verdict is not None and not self._waits_for_itself(container):
            return self._of_verdict(verdict, seen)
        if container is None:
            return [Cause(spec.name, "is not made yet")]
        return self._of_state(spec, container, seen)

    @staticmethod
    def _waits_for_itself(container: Container | None) -> bool:
        """Whether what keeps it waiting is its own end: the time until its next run."""
        return container is not None and isinstance(container.status, Exited)

    def _resting(self, spec: ContainerSpec, container: Container | None) -> Cause | None:
        wish = self._desired.wish_of(spec)
        runs = container is not None and isinstance(container.status, Running)
        if runs or wish.goal is Goal.RUN:
            return None
        asked = {
            Goal.STOP: "was stopped by a command",
            Goal.LEAVE: "was killed by a command",
            Goal.CREATE: "was only asked to be created",
        }[wish.goal]
        return Cause(
            spec.name, f"{asked} {_ago(self._now - wish.at)}", f"orchestra start {spec.service} starts it", wrong=False
        )

    def _of_verdict(self, verdict: Blocked | Failed, seen: frozenset[ResourceId]) -> list[Cause]:
        resource = verdict.resource
        hint = verdict.hint if isinstance(verdict, Failed) else ""
        text = _text(verdict).removeprefix(f"container {resource.name}: ")
        own = self._with_changes(Cause(_subject(resource), text, hint), resource)
        for other in self._behind(verdict):
            if other not in seen and other != resource:
                further = self._of_resource(other, seen | {resource})
                if further and further[-1].wrong:
                    return [own, *further]
        return [own]

    def _behind(self, verdict: Blocked | Failed) -> list[ResourceId]:
        """What it waits for; for a failed dependency, the dependency itself."""
        found = list(verdict.waits_for)
        spec = self._desired.container(verdict.resource.name)
        needed = {dependency.service for dependency in spec.depends_on} if spec else set()
        text = _text(verdict)
        named = [
            ResourceId.container(each.name)
            for each in self._desired.of_services
            if each.service in needed and (each.name in text or f'"{each.service}"' in text)
        ]
        return named + found

    def _of_resource(self, resource: ResourceId, seen: frozenset[ResourceId]) -> list[Cause]:
        if resource.kind is Kind.CONTAINER:
            spec = self._desired.container(resource.name)
            return self._of_container(spec, seen) if spec else []
        verdict = self._failed.get(resource) or self._blocked.get(resource)
        if verdict is not None:
            return self._of_verdict(verdict, seen)
        under_way = next((action for action in self._ready if action.resource == resource), None)
        if under_way is None:
            return []
        return [Cause(str(resource), f"is about to be worked on ({under_way.verb}): {under_way.reason}")]

    def _of_state(self, spec: ContainerSpec, container: Container, seen: frozenset[ResourceId]) -> list[Cause]:
        match container.status:
            case Created():
                what = container.error or "was created, and is about to be started"
                return [self._with_changes(Cause(spec.name, what), ResourceId.container(spec.name))]
            case Exited() as ended:
                return self._of_end(spec, container, ended, seen)
            case Running() as running:
                return self._of_run(spec, container, running, seen)

    def _of_end(
        self, spec: ContainerSpec, container: Container, ended: Exited, seen: frozenset[ResourceId]
    ) -> list[Cause]:
        ago = _ago(self._now - ended.finished_at)
        following = next_run(spec.restart, container, ended)
        if ended.succeeded and following is None:
            return [Cause(spec.name, f"has done its work: it ended {ago} with exit code 0", wrong=False)]
        evidence = self._look(container)
        what = describe_end(ended, ago, spec.resources.memory)
        if following is not None:
            wait = max(0.0, following.at - self._now)
            when = f"in {wait:.0f} s" if wait >= 1 else "now"
            what += f"; restart {following.restarts} comes {when}"
        if following is not None and container.backoff >= LOOPING:
            what = f"is in a crash loop: it {what}"
        clue = None if ended.oom_killed else find_clue(evidence.log)
        hint = hint_for(spec, clue)
        if ended.oom_killed and spec.resources.memory:
            hint = "give it more memory with mem_limit"
        return self._with_clue(spec, what, hint, evidence, clue, seen)

    def _of_run(
        self, spec: ContainerSpec, container: Container, running: Running, seen: frozenset[ResourceId]
    ) -> list[Cause]:
        health = running.health
        if running.paused:
            return [Cause(spec.name, "is paused", f"orchestra unpause {spec.service} lets it go on")]
        if health.status in (HealthStatus.NONE, HealthStatus.HEALTHY):
            return [self._of_burden(spec, self._look(container), running)]
        evidence = self._look(container)
        test = " ".join(container.healthcheck.test).removeprefix(SHELL) if container.healthcheck else "its probe"
        starting = f"has been starting for {_span(self._now - running.started_at)}"
        if health.status is HealthStatus.STARTING and not health.failure:
            return [Cause(spec.name, f"{starting}: {test} has no result yet")]
        told = f": {health.failure}" if health.failure else ": it did not end in time"
        if health.status is HealthStatus.STARTING:
            what = f"{starting}: {test} fails{told}"
        else:
            what = f"is unhealthy: {test} failed {health.failing_streak} times in a row{told}"
        return self._with_clue(spec, what, "", evidence, find_clue(evidence.log), seen)

    def _of_burden(self, spec: ContainerSpec, evidence: Evidence, running: Running) -> Cause:
        since = f"has been running for {_span(self._now - running.started_at)}"
        healthy = ", and is healthy" if running.health.status is HealthStatus.HEALTHY else ""
        if evidence.throttled >= THROTTLED:
            share = _percent(evidence.throttled)
            return Cause(
                spec.name,
                f"{since}{healthy}, but its limit of processors holds it back in {share} of the time",
                "raise cpus",
            )
        if evidence.memory >= FULL and spec.resources.memory:
            share, limit = _percent(evidence.memory), format_bytes(spec.resources.memory)
            return Cause(spec.name, f"{since}{healthy}, but uses {share} of its {limit} of memory", "raise mem_limit")
        return Cause(spec.name, f"{since}{healthy}", wrong=False)

    def _with_clue(
        self,
        spec: ContainerSpec,
        what: str,
        hint: str,
        evidence: Evidence,
        clue: Clue | None,
        seen: frozenset[ResourceId],
    ) -> list[Cause]:
        told = f"{what}; it {clue.what}" if clue else what
        cause = Cause(spec.name, told, hint, evidence.log[-LAST_WORDS:], evidence.changed)
        if clue is None or not clue.name:
            return [cause]
        other = self._desired.replicas(clue.name)
        if not other:
            near = suggest(clue.name, self._desired.services, "services")
            aliases = {alias for each in self._desired.of_services for e in each.endpoints for alias in e.aliases}
            return [cause if clue.name in aliases or "." in clue.name else replace(cause, hint=hint or near)]
        if {e.network for e in spec.endpoints}.isdisjoint(e.network for e in other[0].endpoints):
            return [
                replace(cause, hint=f"{spec.service} and {clue.name} share no network: give them one under networks")
            ]
        resource = ResourceId.container(other[0].name)
        further = [] if resource in seen else self._of_container(other[0], seen | {ResourceId.container(spec.name)})
        return [cause, *further] if further and further[-1].wrong else [cause]

    def _with_changes(self, cause: Cause, resource: ResourceId) -> Cause:
        container = self._observed.containers.get(resource.name) if resource.kind is Kind.CONTAINER else None
        return cause if container is None else replace(cause, changed=self._look(container).changed)


def describe_end(ended: Exited, ago: str, limit: int | None = None) -> str:
    """How a run ended, in words. limit: the bytes of memory that it was allowed to use."""
    code = ended.exit_code
    if ended.oom_killed:
        allowed = f"its limit of {format_bytes(limit)}" if limit else "the machine had left"
        peak = f" (it used {format_bytes(ended.memory_peak)})" if ended.memory_peak else ""
        return f"was killed {ago} because it needed more memory than {allowed}{peak}"
    if code is None:
        return f"ended {ago}, and its exit code was lost"
    if code > 128:
        try:
            name = signal.Signals(code - 128).name
        except ValueError:
            return f"ended {ago} with exit code {code}"
        crashed = name in ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS")
        return f"{'crashed' if crashed else 'was ended'} {ago} {'with' if crashed else 'by'} {name} (exit code {code})"
    told = {
        126: ": its shell may not execute a command",
        127: ": its shell does not find a command",
    }.get(code, "")
    return f"ended {ago} with exit code {code}{told}"


def _text(verdict: Blocked | Failed) -> str:
    return verdict.error if isinstance(verdict, Failed) else verdict.reason


def _subject(resource: ResourceId) -> str:
    return resource.name if resource.kind is Kind.CONTAINER else str(resource)


def _ago(seconds: float) -> str:
    return f"{_span(seconds)} ago"


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _span(seconds: float) -> str:
    for size, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {name}"
    return f"{max(0.0, seconds):.0f} s"

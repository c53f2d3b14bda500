"""Makes the services of a Swarm what a file says: in order, waiting for what they need, and back if that fails."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from orchestra.cluster.change import Change, Effect, Pass
from orchestra.cluster.kinds import Key
from orchestra.cluster.manager import Manager
from orchestra.cluster.tasks import NAMESPACE, State, progress
from orchestra.errors import FatalError, OrchestraError, UserError
from orchestra.model.desired import Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.cluster.kinds import Object

DIGEST = "io.orchestra.digest"
"""A label of what a service and its tasks were made from: the same file changes nothing."""
_PAUSE = 1.0

Needs = dict[str, dict[str, str]]
"""Conditions by service and by the service that it waits for."""


class SwarmDeployment(Pass[Manager]):
    """A pass in a Swarm."""

    def run(self, kinds: Mapping[str, Mapping[str, Object]], needs: Needs) -> tuple[Change, ...]:
        """kinds: specifications of networks, secrets, configs and services, by their names. Raises FatalError after
        what was changed is as it was before.
        """
        check_manager(self._cluster)
        before = of_stack(self._cluster, self._stack)
        deadline = self._clock() + self._terms.seconds
        try:
            ids = {kind: self._make(kind, kinds[kind], before[kind]) for kind in ("networks", "secrets", "configs")}
            self._apply_all(dict(kinds["services"]), needs, before["services"], ids, deadline)
        except (OrchestraError, KeyboardInterrupt) as failure:
            if self._terms.roll_back and not self._terms.dry:
                self._roll_back(failure)
            raise
        left = {kind: [name for name in found if name not in kinds[kind]] for kind, found in before.items()}
        for kind, names in left.items():
            self._changes += [Change(_key(kind, name), Effect.REMOVED, before[kind][name]) for name in names]
        if not self._terms.dry:
            chosen = {kind: {name: before[kind][name] for name in names} for kind, names in left.items()}
            take_away(self._cluster, chosen, self._tell, self._clock, self._pause)
        return tuple(self._changes)

    def _make(self, kind: str, wanted: Mapping[str, Object], before: Mapping[str, Object]) -> dict[str, str]:
        """Identities by name. What exists stays: configs and secrets are named by their content."""
        found = {name: _identity(item) for name, item in before.items()}
        for name, spec in wanted.items():
            labelled = _with_label(spec, _digest(spec))
            if name in before:
                self._check_network(kind, name, before[name], labelled)
                self._changes.append(Change(_key(kind, name), Effect.UNCHANGED, before[name], before[name]))
                continue
            self._changes.append(Change(_key(kind, name), Effect.CREATED, after=spec))
            if not self._terms.dry:
                answer = self._cluster.post(f"/{kind}/create", labelled)
                found[name] = answer.get("ID") or answer.get("Id")
                self._tell(str(_key(kind, name)), Effect.CREATED)
        return found

    def _check_network(self, kind: str, name: str, item: Object, spec: Object) -> None:
        labels = item.get("Labels") or {}
        if kind == "networks" and labels.get(DIGEST) not in (None, spec["Labels"][DIGEST]):
            raise UserError(f"network {name} cannot be changed while it exists", hint="take the stack down first")

    def _apply_all(
        self,
        pending: dict[str, Object],
        needs: Needs,
        before: Mapping[str, Object],
        ids: Mapping[str, Mapping[str, str]],
        deadline: float,
    ) -> None:
        ours: dict[str, Object] = {}
        names = set(pending)
        while True:
            states = {} if self._terms.dry or not self._terms.wait else self._look(ours)
            ready = [
                name
                for name in pending
                if self._terms.dry or not self._terms.wait or _is_met(needs.get(name, {}), states, names)
            ]
            for name in ready:
                ours[name] = self._apply(name, pending.pop(name), before.get(name), ids)
            if ready:
                continue
            unready = [name for name, state in states.items() if not state.done]
            if self._terms.dry or not self._terms.wait or not (pending or unready):
                return
            if not unready:
                raise UserError(f"{next(iter(pending))} waits for what waits for it")
            if self._clock() >= deadline:
                hint = next((states[name].trouble for name in unready if states[name].trouble), "")
                text = f"{', '.join(unready)} not ready after {self._terms.seconds:g} seconds"
                raise FatalError(text, hint=hint or "give it longer with --wait-timeout")
            self._pause(_PAUSE)

    def _look(self, ours: Mapping[str, Object]) -> dict[str, State]:
        found = {}
        for name, spec in ours.items():
            service = self._cluster.get(f"/services/{name}")
            tasks = self._cluster.get("/tasks", filters={"service": [name]})
            state = progress(service, tasks, spec["TaskTemplate"]["ContainerSpec"]["Labels"][DIGEST], DIGEST)
            self._say(f"service/{name}", "ready" if state.done else state.trouble or state.text)
            if state.failed:
                raise FatalError(f"service/{name}: {state.failed}", hint=state.trouble)
            found[name] = state
        return found

    def _apply(self, name: str, spec: Object, before: Object | None, ids: Mapping[str, Mapping[str, str]]) -> Object:
        wanted = _labelled(spec)
        if before is not None and before["Spec"]["Labels"].get(DIGEST) == wanted["Labels"][DIGEST]:
            self._changes.append(Change(_key("services", name), Effect.UNCHANGED, before, before))
            return wanted
        effect = Effect.CREATED if before is None else Effect.CHANGED
        after = {"Spec": wanted}
        if not self._terms.dry:
            body = self._referred(wanted, ids)
            if before is None:
                self._cluster.post("/services/create", body)
            else:
                version = before["Version"]["Index"]
                answer = self._cluster.post(f"/services/{before['ID']}/update", body, version=version)
                for warning in (answer or {}).get("Warnings") or ():
                    self._tell(f"service/{name}", warning)
            self._tell(f"service/{name}", effect)
        self._changes.append(Change(_key("services", name), effect, before, after))
        return wanted

    def _referred(self, spec: Object, ids: Mapping[str, Mapping[str, str]]) -> Object:
        """With the identities of configs and secrets, which the engine wants beside their names."""
        made: Object = json.loads(json.dumps(spec))
        container = made["TaskTemplate"]["ContainerSpec"]
        for kind, title in (("secrets", "Secret"), ("configs", "Config")):
            for reference in container.get(f"{title}s") or ():
                name = reference[f"{title}Name"]
                reference[f"{title}ID"] = ids[kind].get(name) or self._cluster.get(f"/{kind}/{name}")["ID"]
        return made

    def _roll_back(self, failure: BaseException) -> None:
        self._tell(self._stack, f"rolling back: {str(failure) or 'interrupted'}")
        made: dict[str, dict[str, Object]] = {kind: {} for kind in ("services", "secrets", "configs", "networks")}
        for change in reversed(self._changes):
            kind = f"{change.key.kind}s"
            if change.effect is Effect.CREATED:
                made[kind][change.key.name] = {"ID": change.key.name}
            elif change.effect is Effect.CHANGED and change.before is not None:
                self._put_back(change.key, change.before)
        try:
            take_away(self._cluster, made, self._tell, self._clock, self._pause)
        except OrchestraError as error:
            self._tell(self._stack, f"is not rolled back: {error}")

    def _put_back(self, key: Key, before: Object) -> None:
        try:
            version = self._cluster.get(f"/services/{before['ID']}")["Version"]["Index"]
            self._cluster.post(f"/services/{before['ID']}/update", before["Spec"], version=version)
            self._tell(str(key), "rolled back")
        except OrchestraError as error:
            self._tell(str(key), f"is not rolled back: {error}")


def check_manager(manager: Manager) -> None:
    """Raises UserError for an engine that does not manage a swarm."""
    if not (manager.get("/info").get("Swarm") or {}).get("ControlAvailable"):
        hint = "run docker swarm init there, or name a manager with --host"
        raise UserError(f"the engine at {manager.host} does not manage a swarm", hint=hint)


def of_stack(manager: Manager, stack: str) -> dict[str, dict[str, Object]]:
    """All objects of a stack, by kind and name, in the order in which they are removed."""
    found = {}
    for kind in ("services", "secrets", "configs", "networks"):
        items = manager.get(f"/{kind}", filters={"label": [f"{NAMESPACE}={stack}"]}) or ()
        found[kind] = {(item.get("Spec") or item)["Name"]: item for item in items}
    return found


def take_away(
    manager: Manager,
    items: Mapping[str, Mapping[str, Object]],
    tell: Callable[[str, str], object],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
    seconds: float = 60.0,
) -> None:
    """A network is in use until the last task on it has ended. Raises FatalError for what is left after that time."""
    deadline = clock() + seconds
    left = [(kind, name, _identity(item)) for kind, found in items.items() for name, item in found.items()]
    while left:
        kept = []
        for kind, name, identity in left:
            path = f"/{kind}/{identity}"
            # A network is there until each node has taken it down: until then another cannot have its name.
            if manager.delete(path) and not (kind == "networks" and manager.exists(path)):
                tell(str(_key(kind, name)), Effect.REMOVED)
            else:
                kept.append((kind, name, identity))
        left = kept
        if left and clock() >= deadline:
            raise FatalError(f"{', '.join(name for _kind, name, _id in left)} still in use after {seconds:g} seconds")
        if left:
            pause(_PAUSE)


def _is_met(needs: Mapping[str, str], states: Mapping[str, State], names: set[str]) -> bool:
    return all(name in states and _holds(Condition(needs[name]), states[name]) for name in needs if name in names)


def _holds(condition: Condition, state: State) -> bool:
    match condition:
        case Condition.COMPLETED:
            return state.completed
        case Condition.HEALTHY:
            return state.done
        case Condition.STARTED:
            return state.started


def _labelled(spec: Object) -> Object:
    """With the digest of the task on its containers, and that of the whole on the service: scaling replaces no task."""
    task = spec["TaskTemplate"]
    container = _with_label(task["ContainerSpec"], _digest(task))
    return _with_label({**spec, "TaskTemplate": {**task, "ContainerSpec": container}}, _digest(spec))


def _with_label(spec: Object, digest: str) -> Object:
    return {**spec, "Labels": {**(spec.get("Labels") or {}), DIGEST: digest}}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _identity(item: Object) -> str:
    return str(item.get("ID") or item.get("Id"))


def _key(kind: str, name: str) -> Key:
    return Key(kind.removesuffix("s"), name)

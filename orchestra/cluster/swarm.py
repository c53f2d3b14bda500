"""Makes the services of a Swarm what a file says: in order, waiting for what they need, and back if that fails."""

from __future__ import annotations

import base64
import hashlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from orchestra.cluster.change import Change, Effect, Pass
from orchestra.cluster.manager import Manager
from orchestra.cluster.registries import header
from orchestra.cluster.revisions import REVISION, number_after, pack, superfluous
from orchestra.cluster.swarm_objects import identity_of, key_of, of_stack, take_away
from orchestra.cluster.swarm_revisions import Needs, content_of, kept_of, number_of, still_used
from orchestra.cluster.tasks import NAMESPACE, State, progress
from orchestra.errors import FatalError, OrchestraError, UserError
from orchestra.model.container import Condition

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from orchestra.cluster.kinds import Key, Object
    from orchestra.cluster.registries import Login

DIGEST = "io.orchestra.digest"
"""A label of what a service and its tasks were made from: the same file changes nothing."""


class SwarmDeployment(Pass[Manager, State]):
    """A pass in a Swarm."""

    _revision = ""

    def run(
        self,
        kinds: Mapping[str, Mapping[str, Object]],
        needs: Needs,
        logins: Mapping[str, Login] = MappingProxyType({}),
    ) -> tuple[Change, ...]:
        """kinds: specifications of networks, secrets, configs and services, by their names. logins: by image.

        Raises FatalError after what was changed is as it was before.
        """
        self._logins = logins
        check_manager(self._cluster)
        before = of_stack(self._cluster, self._stack)
        self._needs, self._before, self._names = needs, before["services"], frozenset(kinds["services"])
        kept = kept_of(before["configs"])
        with self._rolled_back():
            if not self._terms.dry:
                kept = self._remember(kept, pack(content_of(kinds, needs)))
            self._ids = {
                kind: self._make(kind, kinds[kind], before[kind]) for kind in ("networks", "secrets", "configs")
            }
            self._in_order(kinds["services"])
        stays = still_used(kept, before["configs"])
        left = {
            kind: [name for name in found if name not in kinds[kind] and (kind, name) not in stays]
            for kind, found in before.items()
        }
        for kind, names in left.items():
            self._changes += [
                Change(key_of(kind, name), Effect.REMOVED, before[kind][name])
                for name in names
                if not number_of(before[kind][name])
            ]
        if not self._terms.dry:
            chosen = {kind: {name: before[kind][name] for name in names} for kind, names in left.items()}
            take_away(self._cluster, self._stack, chosen, self._tell, self._clock, self._pause)
        return tuple(self._changes)

    def _remember(self, kept: dict[int, str], text: str) -> dict[int, str]:
        """The revisions with this one, without those that are kept no more."""
        if kept and kept[max(kept)] == text:
            return kept
        number = number_after(kept)
        labels = {NAMESPACE: self._stack, REVISION: str(number)}
        self._revision = f"{self._stack}_revision-{number}"
        data = base64.b64encode(text.encode()).decode()
        self._cluster.post("/configs/create", {"Name": self._revision, "Labels": labels, "Data": data})
        kept = {**kept, number: text}
        old = superfluous(kept)
        return {number: text for number, text in kept.items() if number not in old}

    def _make(self, kind: str, wanted: Mapping[str, Object], before: Mapping[str, Object]) -> dict[str, str]:
        """Identities by name. What exists stays: configs and secrets are named by their content."""
        found = {name: identity_of(item) for name, item in before.items()}
        for name, spec in wanted.items():
            labelled = _with_label(spec, _digest(spec))
            if name in before:
                self._check_network(kind, name, before[name], labelled)
                self._changes.append(Change(key_of(kind, name), Effect.UNCHANGED, before[name], before[name]))
                continue
            self._changes.append(Change(key_of(kind, name), Effect.CREATED, after=spec))
            if not self._terms.dry:
                answer = self._cluster.post(f"/{kind}/create", labelled)
                found[name] = answer.get("ID") or answer.get("Id")
                self._tell(str(key_of(kind, name)), Effect.CREATED)
        return found

    def _check_network(self, kind: str, name: str, item: Object, spec: Object) -> None:
        labels = item.get("Labels") or {}
        if kind == "networks" and labels.get(DIGEST) not in (None, spec["Labels"][DIGEST]):
            raise UserError(f"network {name} cannot be changed while it exists", hint="take the stack down first")

    def _look(self) -> Mapping[str, State]:
        found = {}
        for name, spec in self._begun.items():
            service = self._cluster.get(f"/services/{name}")
            tasks = self._cluster.get("/tasks", filters={"service": [name]})
            state = progress(service, tasks, spec["TaskTemplate"]["ContainerSpec"]["Labels"][DIGEST], DIGEST)
            self._say(f"service/{name}", state.settled if state.done else state.trouble or state.text)
            if state.failed:
                raise FatalError(f"service/{name}: {state.failed}", hint=state.trouble)
            found[name] = state
        return found

    def _awaited(self, name: str, item: Object, seen: Mapping[str, State]) -> Collection[str]:
        needs = {needed: condition for needed, condition in self._needs.get(name, {}).items() if needed in self._names}
        return [one for one in needs if one not in seen or not _holds(Condition(needs[one]), seen[one])]

    def _trouble(self, unready: Sequence[str], seen: Mapping[str, State]) -> str:
        return next((seen[name].trouble for name in unready if seen[name].trouble), "")

    def _begin(self, name: str, item: Object) -> Object:
        wanted, before = _labelled(item), self._before.get(name)
        if before is not None and before["Spec"]["Labels"].get(DIGEST) == wanted["Labels"][DIGEST]:
            self._changes.append(Change(key_of("services", name), Effect.UNCHANGED, before, before))
            return wanted
        effect = Effect.CREATED if before is None else Effect.CHANGED
        after = {"Spec": wanted}
        if not self._terms.dry:
            body = self._referred(wanted)
            login = self._logins.get(wanted["TaskTemplate"]["ContainerSpec"]["Image"])
            headers = {"X-Registry-Auth": header(login)} if login else {}
            if before is None:
                self._cluster.post("/services/create", body, headers)
            else:
                version = before["Version"]["Index"]
                answer = self._cluster.post(f"/services/{before['ID']}/update", body, headers, version=version)
                for warning in (answer or {}).get("Warnings") or ():
                    self._tell(f"service/{name}", warning)
            self._tell(f"service/{name}", effect)
        self._changes.append(Change(key_of("services", name), effect, before, after))
        return wanted

    def _referred(self, spec: Object) -> Object:
        """With the identities of configs and secrets, which the engine wants beside their names."""
        made: Object = json.loads(json.dumps(spec))
        container = made["TaskTemplate"]["ContainerSpec"]
        for kind, title in (("secrets", "Secret"), ("configs", "Config")):
            for reference in container.get(f"{title}s") or ():
                name = reference[f"{title}Name"]
                reference[f"{title}ID"] = self._ids[kind].get(name) or self._cluster.get(f"/{kind}/{name}")["ID"]
        return made

    def _take_back(self) -> None:
        made: dict[str, dict[str, Object]] = {kind: {} for kind in ("services", "secrets", "configs", "networks")}
        for change in reversed(self._changes):
            kind = f"{change.key.kind}s"
            if change.effect is Effect.CREATED:
                made[kind][change.key.name] = {"ID": change.key.name}
            elif change.effect is Effect.CHANGED and change.before is not None:
                self._put_back(change.key, change.before)
        if self._revision:
            made["configs"][self._revision] = {"ID": self._revision}
        try:
            take_away(self._cluster, self._stack, made, self._tell, self._clock, self._pause)
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
        hint = "run docker swarm init there, or name a manager with --manager"
        raise UserError(f"the engine at {manager.host} does not manage a swarm", hint=hint)


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

"""Makes the objects of a stack what its file says: in order, waiting for what they need, and back if that fails."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from orchestra.cluster.api import FIELD_MANAGER, Api
from orchestra.cluster.change import PAUSE, Change, Effect, Pass
from orchestra.cluster.http import Refused
from orchestra.cluster.kinds import ADDED, CLAIM, MANAGER, STACK, WORKLOADS, Key, Object, is_of, key_of
from orchestra.cluster.kubernetes_revisions import keeping, kept_of, number_of
from orchestra.cluster.ownership import applied, comparable
from orchestra.cluster.revisions import number_after, pack, superfluous
from orchestra.cluster.rollout import Rollout, awaits, rollout, troubles
from orchestra.errors import FatalError, OrchestraError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_INVALID = 422


class Deployment(Pass[Api, Rollout]):
    """A pass in Kubernetes."""

    _revision: Key | None = None

    def run(self, objects: Sequence[Object]) -> tuple[Change, ...]:
        """All changes, those that change nothing too. objects: in the order in which they are to be made.

        Raises FatalError and TemporaryError after what was changed is as it was before.
        """
        exists = self._cluster.has_namespace()
        if not exists and self._terms.dry:
            return tuple(Change(key_of(item), Effect.CREATED, after=item) for item in objects)
        if not exists:
            self._cluster.make_namespace()
            self._tell(f"namespace/{self._cluster.namespace}", "created")
        self._before = self._cluster.of_stack(self._stack)
        self._check_owners(objects)
        with self._rolled_back():
            self._remember(objects)
            self._apply_all(objects)
        self._prune(objects)
        return tuple(self._changes)

    def _check_owners(self, objects: Sequence[Object]) -> None:
        """What exists must be of this stack."""
        for key in (key_of(item) for item in objects):
            found = None if key in self._before else self._cluster.find(key)
            if found is not None and not is_of(found, self._stack):
                labels = found["metadata"].get("labels") or {}
                owner = f"stack {labels[STACK]}" if labels.get(STACK) else labels.get(MANAGER) or "another program"
                raise UserError(
                    f"{key} exists in namespace {self._cluster.namespace} and is of {owner}",
                    hint="deploy to a namespace of the stack's own with --namespace",
                )

    def _remember(self, objects: Sequence[Object]) -> None:
        kept, text = kept_of(self._before), pack(list(objects))
        if self._terms.dry or (kept and kept[max(kept)] == text):
            return
        secret = keeping(self._stack, number_after(kept), text)
        self._cluster.apply(secret)
        self._revision = key_of(secret)

    def _apply_all(self, objects: Sequence[Object]) -> None:
        for item in objects:
            if item["kind"] not in WORKLOADS:
                self._apply(item)
        workloads = {item["metadata"]["name"]: item for item in objects if item["kind"] in WORKLOADS}
        self._names = frozenset(workloads)
        self._in_order(workloads)

    def _look(self) -> Mapping[str, Rollout]:
        found = {}
        keys = [key_of(item) for item in self._begun.values()]
        live = self._cluster.of_stack(self._stack, tuple(dict.fromkeys(key.kind for key in keys)))
        for key in keys:
            if key not in live:
                raise FatalError(f"{key} was removed while it was deployed")
            state = rollout(live[key])
            self._say(str(key), "ready" if state.done else state.failed or state.text)
            if state.failed and not state.done:
                raise FatalError(f"{key}: {state.failed}", hint=self._reason(key.name))
            found[key.name] = state
        return found

    def _awaited(self, name: str, item: Object, seen: Mapping[str, Rollout]) -> Collection[str]:
        return self._names.intersection(awaits(item, seen))

    def _begin(self, name: str, item: Object) -> Object:
        self._apply(item)
        return item

    def _trouble(self, unready: Sequence[str], seen: Mapping[str, Rollout]) -> str:
        for pod in self._cluster.pods(self._stack):
            for text in troubles(pod):
                self._say(f"pod/{pod['metadata']['name']}", text)
        return self._reason(unready[0]) if self._clock() >= self._deadline else ""

    def _reason(self, name: str) -> str:
        """The newest thing that the cluster says is wrong with pods of a workload."""
        said = [
            text for subject, text in self._told.items() if subject.startswith(f"pod/{name}-") and "avail" not in text
        ]
        return said[-1] if said else self._last_event(name)

    def _last_event(self, workload: str) -> str:
        events = [
            event
            for event in self._cluster.warnings()
            if (name := (event.get("involvedObject") or {}).get("name", "")) == workload
            or name.startswith(f"{workload}-")
        ]
        events.sort(key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        return f"{events[-1].get('reason')}: {events[-1].get('message')}" if events else ""

    def _apply(self, item: Object) -> None:
        key, dry = key_of(item), self._terms.dry
        before = self._before.get(key)
        effect = Effect.CREATED if before is None else Effect.CHANGED
        try:
            if key.kind == "Job" and before is not None and rollout(before).failed:
                effect = Effect.REPLACED  # so that it runs once more
            else:
                after = self._cluster.apply(item, force=self._terms.force, dry=dry)
        except Refused as refused:
            if refused.status != _INVALID or key.kind != "Job" or before is None:
                raise _explained(refused, key) from refused
            effect = Effect.REPLACED  # what a job runs cannot be changed
        if effect is Effect.REPLACED:
            after = item if dry else self._replace(item)
        if before is not None and effect is Effect.CHANGED and comparable(before) == comparable(after):
            effect = Effect.UNCHANGED
        self._changes.append(Change(key, effect, before, after))
        if effect is not Effect.UNCHANGED and not dry:
            self._tell(str(key), effect)

    def _replace(self, item: Object) -> Object:
        key = key_of(item)
        self._cluster.delete(key)
        wait_until_gone(self._cluster, self._stack, [key], self._clock, self._pause)
        return self._cluster.apply(item, force=self._terms.force)

    def _prune(self, objects: Sequence[Object]) -> None:
        """Remove what has left the file. Claims stay: they hold data."""
        revisions = {number_of(item): key for key, item in self._before.items() if number_of(item)}
        if self._revision is not None:
            old = superfluous({**revisions, number_after(revisions): self._revision})
            for number in old:
                self._cluster.delete(revisions[number])
        wanted = {*(key_of(item) for item in objects), *revisions.values()}
        for key in reversed([*self._before]):
            if key in wanted or key.kind == CLAIM or self._before[key]["metadata"].get("ownerReferences"):
                continue
            if not self._terms.dry:
                self._cluster.delete(key)
                self._tell(str(key), Effect.REMOVED)
            self._changes.append(Change(key, Effect.REMOVED, self._before[key]))

    def _take_back(self) -> None:
        for change in reversed(self._changes):
            try:
                self._undo(change)
            except OrchestraError as error:
                self._tell(str(change.key), f"is not rolled back: {error}")
        if self._revision is not None:
            self._cluster.delete(self._revision)

    def _undo(self, change: Change) -> None:
        if change.effect is Effect.UNCHANGED:
            return
        if change.before is None:
            if change.key.kind != CLAIM:
                self._cluster.delete(change.key)
                self._tell(str(change.key), Effect.REMOVED)
            return
        ours = applied(change.before, FIELD_MANAGER)
        if ours is None:
            self._tell(str(change.key), "is not rolled back: another program made it")
            return
        if change.effect is Effect.REPLACED:
            self._replace(ours)
        else:
            self._cluster.apply(ours, force=True)
        self._tell(str(change.key), "rolled back")


def wait_until_gone(
    api: Api,
    stack: str,
    keys: Sequence[Key],
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], object] = time.sleep,
    seconds: float = 300.0,
) -> None:
    """Raises FatalError if the objects are still there after that time."""
    deadline = clock() + seconds
    kinds = tuple(dict.fromkeys(key.kind for key in keys))
    while left := [str(key) for key in api.of_stack(stack, kinds) if key in set(keys)]:
        if clock() >= deadline:
            raise FatalError(f"{', '.join(left)} still there after {seconds:g} seconds", hint="look for finalizers")
        pause(PAUSE)


def _explained(refused: Refused, key: Key) -> Refused:
    fields = [f"{cause.get('field')}: {cause.get('message')}" for cause in refused.causes]
    refused.args = (f"{key}: {'; '.join(fields) if fields else refused}",)
    if refused.status == 404 and key.kind in ADDED:
        refused.args = (f"{key}: the cluster has no objects of the kind {key.kind}",)
        refused.hint = "have the Gateway API installed: https://gateway-api.sigs.k8s.io/guides/"
    if refused.status == 409:
        refused.hint = "another program manages the field: leave it out of the file, or use --force-conflicts"
    return refused

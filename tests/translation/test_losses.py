"""Nothing of a file is left out in silence, and all that comes out is what Kubernetes takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestra.compose import LoadRequest
from orchestra.compose.nodes import render_path
from orchestra.compose.render import says_nothing
from orchestra.compose.schema.model import Model
from orchestra.errors import OrchestraError
from orchestra.record import replace
from orchestra.translation.source import Source, read
from orchestra.translation.targets import target
from tests.compose import corpora
from tests.translation.schemas import validate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.compose.schema.stack import Stack

EVERYTHING = Path(__file__).with_name("everything.yaml")
KUBERNETES = {
    "version": "means nothing",
    "services.*.profiles": "the chosen ones are those in the result",
    "services.*.depends_on.*.required": "all services of the result are there",
    "services.*.volumes.[].volume.nocopy": "nothing is ever copied",
    "services.*.healthcheck.start_period": "a pod is not ready before its first success",
    "services.*.healthcheck.timeout": "may be what it is by default",
    "services.*.healthcheck.interval": "may be what it is by default",
    "services.*.healthcheck.retries": "may be what it is by default",
    "services.*.healthcheck.disable": "there is no probe without a health check",
    "services.*.environment.*": "a variable without a value is not set",
    "services.*.deploy.mode": "may be what it is by default",
    "services.*.deploy.replicas": "may be what it is by default",
    "services.*.deploy.update_config.failure_action": "pause is what Kubernetes does",
    "services.*.deploy.update_config.parallelism": "may be what it is by default",
    "services.*.deploy.update_config.order": "may be what it is by default",
    "services.*.deploy.update_config.delay": "the monitor may be longer",
    "services.*.deploy.update_config.monitor": "the delay may be longer",
    "services.*.deploy.restart_policy.condition": "may be what it is by default",
    "services.*.restart": "always is what Kubernetes does",
    "services.*.scale": "may be what it is by default",
    "services.*.ipc": "private is what Kubernetes does",
    "services.*.network_mode": "bridge is what Kubernetes does",
    "services.*.init": "false is what Kubernetes does",
    "services.*.tty": "false is what Kubernetes does",
    "services.*.deploy.resources.reservations.devices.[].driver": "may be the only one that is known",
    "services.*.gpus.[].driver": "may be the only one that is known",
    "services.*.pre_start.[].per_replica": "every pod runs its init containers",
    "services.*.ports.[].mode": "may be what it is by default",
    "services.*.ports.[].protocol": "may be what it is by default",
    "services.*.ports.[].name": "may be the name that it has without",
    "services.*.ports.[].host_ip": "may be all addresses",
    "services.*.ports.[].published": "may be the port of the container",
    "services.*.expose": "may be published, too",
    "services.*.links": "may be the name of the service itself",
    "services.*.container_name": "may be the name of the service itself",
    "services.*.cpus": "may be limited by deploy",
    "services.*.mem_limit": "may be limited by deploy",
    "services.*.networks.*.aliases": "may be the name of the service itself",
    "services.*.configs.[].target": "may be the name of the config",
    "services.*.secrets.[].target": "may be the name of the secret",
    "networks.*.driver": "bridge is what others have",
    "networks.*.name": "is told by labels",
    "volumes.*.name": "claims have the keys as names",
    "secrets.*.name": "objects have the keys as names",
    "configs.*.name": "objects have the keys as names",
    "secrets.*.environment": "the content is read by the load",
    "secrets.*.file": "the content is read by the load",
    "configs.*.file": "the content is read by the load",
    "configs.*.content": "the content is read by the load",
    "configs.*.environment": "the content is read by the load",
    "name": "may be the only one",
}
SWARM = {
    "name": "may be the only one",
    "version": "means nothing",
    "services.*.profiles": "the chosen ones are those in the result",
    "services.*.expose": "containers of one network reach all ports of each other",
    "services.*.links": "may be the name of the service itself",
    "services.*.healthcheck.disable": "false is the default",
    "services.*.environment.*": "a variable without a value is not set",
    "services.*.cpus": "may be limited by deploy",
    "services.*.mem_limit": "may be limited by deploy",
    "services.*.restart": "deploy may say it",
    "services.*.scale": "deploy may say it",
    "services.*.init": "false is the default",
    "services.*.tty": "false is the default",
    "services.*.volumes.[].bind.create_host_path": "the path is told to be missing",
    "services.*.ports.[].mode": "may be what it is by default",
    "services.*.ports.[].protocol": "may be what it is by default",
    "services.*.ports.[].host_ip": "may be all addresses",
    "services.*.ports.[].published": "those of one host are not published",
    "services.*.configs.[].target": "may be the name of the config",
    "services.*.secrets.[].target": "may be the name of the secret",
    "networks.*.driver": "bridge becomes overlay, as without it",
    "secrets.*.environment": "the content is read by the load",
    "secrets.*.file": "the content is read by the load",
    "configs.*.file": "the content is read by the load",
    "configs.*.content": "the content is read by the load",
    "configs.*.environment": "the content is read by the load",
}
QUADLET = {
    "name": "may be the only one",
    "version": "means nothing",
    "services.*.profiles": "the chosen ones are those in the result",
    "services.*.depends_on.*.required": "may be what it is by default",
    "services.*.deploy.mode": "may be what it is by default",
    "services.*.devices.[].target": "may be what it is by default",
    "services.*.devices.[].permissions": "may be what it is by default",
    "services.*.environment.*": "a variable without a value is not set",
    "services.*.links": "may be the name of the service itself",
    "services.*.mac_address": "may be that of the attachment",
    "services.*.ports.[].mode": "both are a port of this machine",
    "services.*.ports.[].protocol": "may be what it is by default",
    "services.*.restart": "deploy may say it, and no is the default",
    "services.*.scale": "may be what it is by default",
    "services.*.configs.[].target": "may be the name of the config",
    "services.*.secrets.[].target": "may be the name of the secret",
    "networks.*.enable_ipv6": "may be what it is by default",
    "networks.*.ipam.driver": "may be what it is by default",
    "networks.*.name": "may be the one of its key",
    "volumes.*.name": "may be the one of its key",
    "secrets.*.name": "may be the one of its key",
    "configs.*.name": "may be the one of its key",
}
FULFILLED = {"kubernetes": KUBERNETES, "swarm": SWARM, "quadlet": QUADLET}
"""What may be removed from a file without a change of the result, and why."""


def parts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all that a stack says: of attributes, and of the entries of its lists and mappings."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, Model):
        for name in value.hints():
            item = getattr(value, name)
            if not says_nothing(name, item, value.default(name)):
                inner.append((name, item))
    elif isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, tuple):
        inner = list(enumerate(value))
    for key, item in inner:
        below = (*path, key)
        deeper = list(parts(item, below))
        yield from deeper or ([] if item == {} or isinstance(item, Model) else [below])


def without(value: Any, path: tuple[str | int, ...]) -> Any:
    """The same without what is at the path."""
    key, *rest = path
    if isinstance(value, Model):
        inner = without(getattr(value, str(key)), tuple(rest)) if rest else value.default(str(key))
        return replace(value, **{str(key): inner})
    if isinstance(value, dict):
        if rest:
            return {**value, key: without(value[key], tuple(rest))}
        return {name: item for name, item in value.items() if name != key}
    items = list(value)
    items[int(key) : int(key) + 1] = [without(value[key], tuple(rest))] if rest else []
    return tuple(items)


def shape(path: tuple[str | int, ...], stack: Stack) -> str:
    """``services.*.ports.[].target``."""
    found: list[str] = []
    value: Any = stack
    for part in path:
        found.append("[]" if isinstance(part, int) else "*" if isinstance(value, dict) else part)
        value = getattr(value, str(part)) if isinstance(value, Model) else value[part]
    return ".".join(found)


def needs(path: tuple[str | int, ...], stack: Stack) -> bool:
    """Whether a model cannot be without it, or others refer to it."""
    owner: Any = stack
    for part in path[:-1]:
        owner = getattr(owner, str(part)) if isinstance(owner, Model) else owner[part]
    return isinstance(owner, Model) and owner.needs(str(path[-1]))


def silent(engine: str, source: Source, known: set[str], most: int) -> Iterator[str]:
    """What can be removed from a stack without any change: neither objects nor losses tell of it.

    known: shapes that have been looked at before; of each, so many are looked at.
    """
    translate, fulfilled = target(engine).translate, FULFILLED[engine]
    whole = translate(source)
    subjects = {loss.subject for loss in whole.losses}
    counts: dict[str, int] = {}
    for path in parts(source.stack):
        form = shape(path, source.stack)
        told = {render_path(path[:length]) for length in range(1, len(path) + 1)}
        if form in fulfilled or form.rpartition(".")[0] in fulfilled or told & subjects:
            continue
        counts[form] = counts.get(form, 0) + 1
        if form in known or counts[form] > most or needs(path, source.stack):
            continue
        changed = translate(replace(source, stack=without(source.stack, path)))
        if changed == whole:
            yield render_path(path)
    known.update(counts)


@pytest.fixture(scope="module")
def everything() -> Source:
    request = LoadRequest(
        environment={"TOKEN": "secret"},
        working_directory=str(EVERYTHING.parent),
        files=(str(EVERYTHING),),
        profiles=("*",),
        all_resources=True,
    )
    return read(request)


@pytest.fixture(scope="module")
def projects() -> list[tuple[str, Source]]:
    """The real files of the corpus that can be loaded."""
    found = []
    for case in corpora.read("corpus/cases.json") or ():
        folder = corpora.ROOT / "corpus" / case["name"]
        environment = {"HOME": "/home/user"}
        files = tuple(case["files"])
        request = LoadRequest(environment=environment, working_directory=str(folder), files=files, profiles=("*",))
        try:
            found.append((case["name"], read(request)))
        except OrchestraError:
            assert case["result"] != "ok" or case["profiles"], case["name"]
    return found


@pytest.mark.parametrize("engine", FULFILLED)
def test_all_that_can_be_said_is_made_use_of_or_told_as_lost(everything, engine):
    assert list(silent(engine, everything, set(), most=9)) == []


def test_the_file_says_all_that_can_be_said(everything):
    """Otherwise the test above would look at less than it seems to."""
    said = {".".join(shape(path, everything.stack).split(".")[:3]) for path in parts(everything.stack)}
    said |= {".".join(shape(path, everything.stack).split(".")[:4]) for path in parts(everything.stack)}
    service = next(iter(everything.stack.services.values()))
    missing = {name for name in service.hints() if f"services.*.{name}" not in "\n".join(said)}
    # The load makes other attributes of them.
    assert missing <= {"env_file", "label_file", "pull_refresh_after"}


@pytest.mark.parametrize("engine", FULFILLED)
def test_each_loss_has_a_reason_of_its_own(everything, engine):
    messages = [loss.message for loss in target(engine).translate(everything).losses]
    assert len(messages) > 50
    assert not [message for message in messages if message.endswith("has no counterpart")]


@pytest.mark.parametrize("engine", FULFILLED)
def test_what_is_lost_has_its_place(everything, engine):
    """In the block of the service, volume or other part that its subject names."""
    lines = EVERYTHING.read_text().splitlines()
    for loss in target(engine).translate(everything).losses:
        assert loss.span is not None
        blocks = [line.strip().partition(":")[0] for line in lines[: loss.span.line] if re.match(r"(  )?[\w-]+:", line)]
        assert blocks[-1] == re.split(r"[.\[]", loss.subject)[: 2 if "." in loss.subject else 1][-1], loss


@corpora.needed
@pytest.mark.parametrize("engine", FULFILLED)
def test_real_files_lose_nothing_in_silence(projects, engine):
    known: set[str] = set()
    assert len(projects) > 100
    assert [(name, path) for name, source in projects for path in silent(engine, source, known, most=2)] == []


@corpora.needed
def test_objects_of_real_files_are_valid(projects, everything):
    for name, source in [*projects, ("everything", everything)]:
        translate = target("kubernetes").translate
        translation = translate(source)
        assert translation == translate(source)
        names = [(item["kind"], item["metadata"]["name"]) for item in translation.objects]
        assert len(names) == len(set(names)), name
        for item in translation.objects:
            validate(item)

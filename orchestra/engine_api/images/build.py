"""``POST /build``: the classic builder, with its context as an archive in the request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestra.build.event import Planned, StageOutput, StepDone, StepFailed, StepOutput, StepStarted
from orchestra.driver.local.build.run import CommandFailed
from orchestra.engine_api.errors import absent, bad_request
from orchestra.engine_api.images.names import familiar, full_name
from orchestra.errors import DockerfileError, OrchestraError
from orchestra.model.build import BuildSpec
from orchestra.model.limits import Ulimit
from orchestra.stacks.build import build

if TYPE_CHECKING:
    from orchestra.build.event import BuildEvent
    from orchestra.engine_api.exchange import Exchange, Request, Writer
    from orchestra.engine_api.world import World

CLASSIC = "1"


def build_image(world: World, exchange: Exchange) -> None:
    """A failure is told in the stream."""
    request = exchange.request
    if request.query.get("version", CLASSIC) != CLASSIC:
        raise absent("this engine has no BuildKit session; set DOCKER_BUILDKIT=0 to build through this socket")
    spec = _read_spec(request)
    archive = exchange.archive()
    with exchange.stream() as writer:
        progress = _Progress(writer, quiet=request.flag("q"))
        try:
            (built,) = build(world.context, [spec], progress.hear, stdin=archive)
        except OrchestraError as error:
            text = _sentence(error)
            writer.document({"errorDetail": {**_exit_code(error), "message": text}, "error": text})
            return
        writer.document({"aux": {"ID": built.id}})
        progress.say(f"Successfully built {built.id.removeprefix('sha256:')[:12]}")
        if request.flag("q"):
            writer.document({"stream": f"{built.id}\n"})
        for name in (spec.image, *spec.tags):
            if name:
                progress.say(f"Successfully tagged {familiar(name)}")
                world.events.tell("image", "tag", built.id, {"name": familiar(name)})


def _exit_code(error: BaseException | None) -> dict[str, int]:
    """Of the command that has failed, which becomes that of the client; nothing for another error."""
    while error is not None and not isinstance(error, CommandFailed):
        error = error.__cause__
    return {} if error is None else {"code": error.code}


def _sentence(error: OrchestraError) -> str:
    if isinstance(error, DockerfileError):
        first = error.diagnostics[0]
        place = f"dockerfile parse error on line {first.span.line}: " if first.span else ""
        return f"{place}{first.message}" + (f": {first.hint}" if first.hint else "")
    return f"{error.message}: {error.hint}" if error.hint else error.message


def _read_spec(request: Request) -> BuildSpec:
    """Raises ApiError."""
    query = request.query
    if query.get("remote"):
        raise absent("a build takes its context from the request, not from a URL")
    names = [full_name(*_split(text)) for text in request.queries.get("t", ()) if text]
    return BuildSpec(
        service="build",
        image=names[0] if names else "",
        context="-",
        tags=tuple(names[1:]),
        dockerfile=query.get("dockerfile") or None,
        arguments={key: value for key, value in _object(query, "buildargs").items() if value is not None},
        target=query.get("target") or None,
        labels=_object(query, "labels"),
        network=None if query.get("networkmode", "default") in ("", "default", "bridge") else query["networkmode"],
        shm_size=request.number("shmsize") or None,
        extra_hosts=tuple(
            _host(text) for words in request.queries.get("extrahosts", ()) for text in words.split(",") if text
        ),
        ulimits=tuple(Ulimit(each["Name"], each["Soft"], each["Hard"]) for each in _list(query, "ulimits")),
        platforms=(query["platform"],) if query.get("platform") else (),
        pull=request.flag("pull"),
        no_cache=request.flag("nocache"),
    )


def _split(text: str) -> tuple[str, str]:
    repository, colon, tag = text.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (text, "")


def _host(text: str) -> tuple[str, str]:
    name, _, address = text.partition(":")
    return name, address


def _object(query: Any, key: str) -> dict[str, Any]:
    found = _json(query, key)
    if found is not None and not isinstance(found, dict):
        raise bad_request(f"{key} is not an object")
    return found or {}


def _list(query: Any, key: str) -> list[Any]:
    found = _json(query, key)
    if found is not None and not isinstance(found, list):
        raise bad_request(f"{key} is not a list")
    return found or []


def _json(query: Any, key: str) -> Any:
    try:
        return json.loads(query[key]) if query.get(key) else None
    except (ValueError, RecursionError) as error:
        raise bad_request(f"{key} is not JSON: {error}") from error


class _Progress:
    """Lines like those of Docker's classic builder."""

    def __init__(self, writer: Writer, *, quiet: bool) -> None:
        self._writer = writer
        self._quiet = quiet
        self._texts: dict[int, str] = {}
        self._places: dict[int, int] = {}

    def say(self, line: str) -> None:
        if not self._quiet:
            self._writer.document({"stream": f"{line}\n"})

    def hear(self, _name: str, event: BuildEvent) -> None:
        match event:
            case Planned(graph=graph, cached=cached):
                self._texts = {number: label.text for number, label in graph.labels.items()}
                self._places = {number: place for place, number in enumerate(sorted(self._texts), 1)}
                for number in sorted(cached):
                    self._step(number)
                    self.say(" ---> Using cache")
            case StepStarted(step=number):
                self._step(number)
            case StepOutput(line=line):
                self.say(line)
            case StageOutput(line=line) if line:
                self.say(line)
            case StepFailed() | StepDone() | StageOutput():
                pass

    def _step(self, number: int) -> None:
        if text := self._texts.get(number):
            self.say(f"Step {self._places[number]}/{len(self._texts)} : {text}")

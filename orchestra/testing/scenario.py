"""What a file of scenarios may say: each is a list of steps that a stack goes through."""

import re
from typing import Annotated, Literal

from orchestra.compose.schema.model import Model, Written
from orchestra.compose.schema.values import Boolean, Integer, Number, Text, Time, Variables, describe
from orchestra.units import Duration

ALL = "all"
"""Instead of names of services."""


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str) and value:
        return (value,)
    if isinstance(value, tuple) and value and all(isinstance(name, str) for name in value):
        return value
    raise ValueError(f"must be the name of a service, a list of names, or all, not {describe(value)}")


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str) and value:
        from shlex import split

        return tuple(split(value))
    if isinstance(value, tuple) and value and all(isinstance(word, str) for word in value):
        return value
    raise ValueError(f"must be a command, as a string or a list of words, not {describe(value)}")


def _pattern(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"must be a regular expression, not {describe(value)}")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return value


Names = Annotated[tuple[str, ...], Written(_names, str | tuple[str, ...])]
Words = Annotated[tuple[str, ...], Written(_words, str | tuple[str, ...])]
Pattern = Annotated[str, Written(_pattern, str)]
State = Literal["created", "running", "paused", "restarting", "exited"]
HealthState = Literal["starting", "healthy", "unhealthy"]
PART = Literal["supervisor", "fork-server", "shim"]


class Kill(Model):
    """service: the containers that get the signal. part: what is killed instead; a shim is that of ``service``."""

    service: str = ""
    signal: Text = "SIGKILL"
    part: PART | None = None


class Cut(Model):
    """A network that the containers of a service leave, or join again."""

    service: str
    network: str = "default"


class Fill(Model):
    """A file system of limited size in the containers of a service, which is filled by a file in that directory."""

    service: str
    path: str


class Up(Model):
    """services: as for ``up`` alone. fails: that it fails is expected, with this in what it says."""

    services: Names = (ALL,)
    fails: Pattern | None = None


class Exec(Model):
    service: str
    command: Words
    exit_code: Integer = 0
    output: Pattern = ""


class Http(Model):
    """A request from this machine to a published port. body: what is to be found in it."""

    service: str
    port: Integer
    path: str = "/"
    status: Integer = 200
    body: Pattern = ""


class Tcp(Model):
    """A connection from this machine to a published port. open: whether there is to be one."""

    service: str
    port: Integer
    open: Boolean = True


class Expect(Model):
    """What is to be so of every container of the services. log: lines that one of them has written."""

    state: dict[str, State] = {}
    health: dict[str, HealthState] = {}
    exit_code: dict[str, Integer] = {}
    containers: dict[str, Integer] = {}
    log: dict[str, Pattern] = {}


def _only_service(value: object) -> Kill:
    if isinstance(value, str) and value:
        return Kill(service=value)
    raise ValueError(f"must be the name of a service or a mapping, not {describe(value)}")


def _only_services(value: object) -> Up:
    return Up(services=_names(value))


class Step(Model):
    """One action or expectation. within: how long to wait for it to be so; during: how long it has to stay so."""

    up: Annotated[Up, Written(_only_services, str | tuple[str, ...], mapping=Up)] | None = None
    start: Names | None = None
    stop: Names | None = None
    restart: Names | None = None
    pause: Names | None = None
    unpause: Names | None = None
    kill: Annotated[Kill, Written(_only_service, str, mapping=Kill)] | None = None
    crash: Names | None = None
    scale: dict[str, Integer] | None = None
    sicken: Names | None = None
    cure: Names | None = None
    cut: Cut | None = None
    heal: Cut | None = None
    fill: Fill | None = None
    exec: Exec | None = None
    http: Http | None = None
    tcp: Tcp | None = None
    expect: Expect | None = None
    within: Time | None = None
    during: Time | None = None

    def __str__(self) -> str:
        """``kill web``, or ``http port: 80, service: web within 10s``."""
        limits = [f"{key} {getattr(self, key)}" for key in TIMES if getattr(self, key) is not None]
        return " ".join([*(f"{name} {_render(getattr(self, name))}" for name in self.names), *limits])

    @property
    def names(self) -> tuple[str, ...]:
        """Of its actions and expectations: one in a valid file."""
        return tuple(key for key in self.hints() if key not in TIMES and getattr(self, key) is not None)


TIMES = ("within", "during")
CHECKS = ("exec", "http", "tcp", "expect")
"""Steps that look: they may wait, and it may have to stay so."""


def _render(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, Kill) and value == Kill(service=value.service):
        return value.service
    if isinstance(value, Up) and value.fails is None:
        return _render(value.services)
    if isinstance(value, Model):
        given = {key: getattr(value, key) for key in value.hints() if getattr(value, key) != value.default(key)}
        return ", ".join(f"{key}: {_render(item)}" for key, item in given.items())
    return str(value)


class Behaviour(Model):
    """What the program of a service does when it is simulated: from when on it is healthy, when it ends by itself and
    how, and how long it takes to end when it is asked to. steady_from_run: from which run on, counted from 1, it does
    not end by itself any more; 0 for none.
    """

    healthy_after: Time = Duration(0)
    ends_after: Time | None = None
    exit_code: Integer = 0
    stops_after: Time = Duration(0)
    steady_from_run: Integer = 0


class Ills(Model):
    """What goes wrong in a simulated run; shares are between 0 and 1."""

    crashes: Integer = 0
    drift: Integer = 0
    clock_jumps: Integer = 0
    errors: Number = 0.0
    slow: Number = 0.0
    latency: Time = Duration(0)
    lost: Number = 0.0
    doubled: Number = 0.0
    late: Number = 0.0


class Simulated(Model):
    """programs: by service. troubles: the same in every run; without, they are drawn from its seed."""

    programs: dict[str, Behaviour] = {}
    troubles: Ills | None = None


class Scenario(Model):
    """services: those that are up when it begins, with what they need; all if none is named."""

    services: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    scale: dict[str, Integer] = {}
    variables: Variables = {}
    timeout: Time = Duration(120 * 10**9)
    simulation: Simulated = Simulated()
    steps: tuple[Step, ...]


class Scenarios(Model):
    """A file. stack: its Compose files, relative to it; without any, the one beside it."""

    stack: Names | None = None
    scenarios: dict[str, Scenario]

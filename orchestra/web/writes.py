"""What pages have done. Each takes the body of the request, and returns what has failed, as values for JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from orchestra.model.project import Chosen
from orchestra.stacks.apply import begin_reviewed
from orchestra.stacks.life_cycle import RestartOptions, StartOptions, StopOptions, restart, start, stop
from orchestra.stacks.rollback import CHANGES, begin_rollback
from orchestra.stacks.up import UpOptions, begin_up, up, with_providers
from orchestra.web.errors import Refusal
from orchestra.web.reads import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from orchestra.model.result import ReportedFailure
    from orchestra.web.desk import Desk

    Body = Mapping[str, Any]
    Data = dict[str, Any]

MOST_REPLICAS = 1000


def post_start(desk: Desk, body: Body) -> Data:
    services = _services(body)
    return _done(start(desk.of_command(" ".join(("start", *services))), StartOptions(services)).failures)


def post_stop(desk: Desk, body: Body) -> Data:
    services = _services(body)
    return _done(stop(desk.of_command(" ".join(("stop", *services))), StopOptions(services)).failures)


def post_restart(desk: Desk, body: Body) -> Data:
    services = _services(body)
    return _done(restart(desk.of_command(" ".join(("restart", *services))), RestartOptions(services)).failures)


def post_scale(desk: Desk, body: Body) -> Data:
    """service, and the number of its containers."""
    (service,) = _services({"services": [body.get("service")]})
    number = whole(body.get("number"))
    if number > MOST_REPLICAS:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"at most {MOST_REPLICAS} containers of a service")
    options = UpOptions(Chosen((service,), scale={service: number}))
    beginning = with_providers(begin_up(desk.of_command(f"scale {service}={number}"), options.chosen), _ignore)
    return _done(up(beginning, options).failures)


def post_apply(desk: Desk, body: Body) -> Data:
    """plan: the name of one that was looked at; it is refused if anything else would be done by now."""
    plan = desk.take(str(body.get("plan")))
    if plan is None:
        raise Refusal(HTTPStatus.CONFLICT, "this plan cannot be applied any more", "make it again, and look at it")
    return _done(up(begin_reviewed(desk.of_command("apply"), *plan), UpOptions()).failures)


def post_rollback(desk: Desk, body: Body) -> Data:
    number = whole(body.get("revision"))
    beginning = begin_rollback(desk.of_command(f"rollback {number}"), number).beginning
    return _done(up(beginning, UpOptions(changes=CHANGES)).failures)


def _ignore(_text: str) -> None:
    """What providers say while they work."""


def _services(body: Body) -> tuple[str, ...]:
    """Empty for all. Raises Refusal."""
    services = body.get("services", [])
    if not isinstance(services, list) or not all(isinstance(each, str) and each for each in services):
        raise Refusal(HTTPStatus.BAD_REQUEST, "services: expected a list of names")
    return tuple(services)


def _done(failures: Iterable[ReportedFailure]) -> Data:
    return {"failures": [{"resource": str(each.resource), "error": each.error, "hint": each.hint} for each in failures]}

"""Values of one service that the kernel would refuse: capabilities, processors, weights, ports, times.

Docker Compose accepts most of these, and its engine refuses them when the container is made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from orchestra.compose.context import Context
    from orchestra.compose.nodes import Path
    from orchestra.compose.schema.process import BlkioConfig
    from orchestra.compose.schema.service import Service
    from orchestra.units import Duration

    Refuse = Callable[[tuple[str | int, ...], str, str], None]

_PORTS = r"(\d*)(?:-(\d+))?"
# A host port in front has no effect, and Docker Compose accepts it, as well as a variable that is not set.
_EXPOSE = regex(rf"(?:{_PORTS}:)?{_PORTS}(?:/(?:tcp|udp|sctp))?", re.IGNORECASE)
_PROCESSORS = regex(r"(\d+)(?:-(\d+))?")
_DEVICE_RULE = regex(r"[abc] (\d+|\*):(\d+|\*) [rwm]{1,3}")
_HIGHEST_PORT = 65535


def check_limits(service: Service, path: Path, context: Context) -> None:
    def refuse(place: tuple[str | int, ...], message: str, hint: str) -> None:
        place = (*path, *place)
        context.problems.error("invalid-value", message, context.span(place), place, hint)

    if service.cap_add or service.cap_drop:
        _check_capabilities(service, context, refuse)
    for index, port in enumerate(service.expose):
        if not _is_port(port):
            refuse(("expose", index), f"{port!r} is not a valid port to expose", "use PORT[-PORT][/tcp|udp|sctp]")
    for index, rule in enumerate(service.device_cgroup_rules):
        if not _DEVICE_RULE.fullmatch(rule):
            hint = "use TYPE MAJOR:MINOR ACCESS, such as c 13:* rwm"
            refuse(("device_cgroup_rules", index), f"{rule!r} is not a valid device rule", hint)
    if service.stop_grace_period is not None and service.stop_grace_period < 0:
        refuse(("stop_grace_period",), "a duration cannot be negative", "the minimum is 0s")
    if service.oom_score_adj is not None and not -1000 <= service.oom_score_adj <= 1000:
        refuse(("oom_score_adj",), f"{service.oom_score_adj} is out of range", "use a number from -1000 to 1000")
    _check_healthcheck(service, refuse)
    if service.healthcheck and service.healthcheck.start_interval and not service.healthcheck.start_period:
        place = (*path, "healthcheck", "start_interval")
        message = "healthcheck.start_interval requires healthcheck.start_period to be set"
        context.problems.warn("no-effect", message, context.span(place), place, "set start_period")
    if service.cpuset and not all(_is_range(part) for part in service.cpuset.split(",")):
        refuse(("cpuset",), f"{service.cpuset!r} is not a valid list of CPUs", "use a list such as 0-2,4")
    if service.mem_swappiness is not None and not -1 <= service.mem_swappiness <= 100:
        refuse(("mem_swappiness",), f"{service.mem_swappiness} is not a valid swappiness", "use a number from 0 to 100")
    runtime, period = service.cpu_rt_runtime or 0, service.cpu_rt_period or 1_000_000
    if not 0 <= runtime <= period:
        refuse(("cpu_rt_runtime",), f"{runtime} µs is negative, or longer than the period of {period} µs", "")
    for place, message, hint in _block_io(service.blkio_config):
        refuse(("blkio_config", *place), message, hint)


def _check_healthcheck(service: Service, refuse: Refuse) -> None:
    check = service.healthcheck
    if check is None:
        return
    for attribute in ("interval", "timeout", "start_period", "start_interval"):
        time: Duration | None = getattr(check, attribute)
        if time is not None and time < 0:
            refuse(("healthcheck", attribute), "a duration cannot be negative", "")
    if check.retries is not None and check.retries < 0:
        refuse(("healthcheck", "retries"), "the number of retries cannot be negative", "")


def _check_capabilities(service: Service, context: Context, refuse: Refuse) -> None:
    from orchestra.linux.security.capabilities import NAMES

    short = [name.removeprefix("CAP_") for name in NAMES]
    for attribute in ("cap_add", "cap_drop"):
        for index, word in enumerate(getattr(service, attribute)):
            name = word.strip().upper().removeprefix("CAP_")
            if name not in short and word.strip().upper() != "ALL":
                near = context.problems.nearest(name, short)
                hint = (
                    f"did you mean {near}?"
                    if near
                    else "see capabilities(7) for the names; the prefix CAP_ is optional"
                )
                refuse((attribute, index), f"{word!r} is not a capability", hint)


def _is_port(text: str) -> bool:
    found = _EXPOSE.fullmatch(text)
    if not found:
        return False
    first, last = (int(number or 0) for number in found.groups()[2:])
    return first <= _HIGHEST_PORT and last <= _HIGHEST_PORT and (not last or first <= last)


def _is_range(text: str) -> bool:
    found = _PROCESSORS.fullmatch(text.strip())
    return found is not None and int(found[1]) <= int(found[2] or found[1])


def _block_io(config: BlkioConfig | None) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Place, message and hint for each mistake."""
    if config is None:
        return
    weights: list[tuple[tuple[str | int, ...], int]] = [(("weight",), config.weight or 0)]
    weights += [(("weight_device", index, "weight"), row.weight) for index, row in enumerate(config.weight_device)]
    for place, weight in weights:
        if weight and not 10 <= weight <= 1000:
            yield place, f"{weight} is not a valid weight", "use a number from 10 to 1000"
    for attribute in ("device_read_bps", "device_read_iops", "device_write_bps", "device_write_iops"):
        for index, row in enumerate(getattr(config, attribute)):
            if row.rate < 0:
                yield (attribute, index, "rate"), "a rate cannot be negative", ""

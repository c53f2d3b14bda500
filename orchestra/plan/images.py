"""When an image is made ready, and which digest it is known to have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.resource import ResourceId
from orchestra.plan.action import PullImage
from orchestra.units import parse_duration

if TYPE_CHECKING:
    from orchestra.model.desired import ImageSpec
    from orchestra.model.observed import Image
    from orchestra.plan.situation import Situation

_LOCAL_ONLY = {"never": ", from this machine only (pull_policy never)", "build": ", `up` builds it first"}
PERIODS = {"daily": 86_400.0, "weekly": 7 * 86_400.0}


def plan_image(situation: Situation, spec: ImageSpec) -> PullImage | None:
    """Pull an image that is not ready here, or that its pull_policy wants to be checked again, once per ``up``.

    The driver applies the policy ``never``: only it knows which images are on this machine but not unpacked.
    """
    if ResourceId.image(spec.key) in situation.in_flight:
        return None
    seen = situation.observed.images.get(spec.key)
    if seen is None:
        return PullImage(spec, f"not ready on this machine{_LOCAL_ONLY.get(spec.pull_policy, '')}")
    if _asks_again(situation, spec, seen):
        return PullImage(spec, f"pull_policy is {spec.pull_policy}")
    return None


def ready_digest(situation: Situation, key: str) -> str | None:
    """The digest from which new containers of this image are created, or None while it is not ready."""
    seen = situation.observed.images.get(key)
    if seen is None or ResourceId.image(key) in situation.in_flight or is_to_be_compared(situation, key):
        return None
    return seen.digest


def is_to_be_compared(situation: Situation, key: str) -> bool:
    """Whether an image that is here must still be compared with its registry, according to its pull_policy."""
    seen, spec = situation.observed.images.get(key), situation.images.get(key)
    return seen is not None and spec is not None and _asks_again(situation, spec, seen)


def _asks_again(situation: Situation, spec: ImageSpec, seen: Image) -> bool:
    if spec.pull_policy == "always":
        return seen.pulled_at < situation.request.at
    period = _period(spec.pull_policy)
    return period is not None and seen.pulled_at + period <= situation.request.at


def _period(policy: str) -> float | None:
    """Seconds after which an image is checked again; None for never."""
    if policy.startswith("every_"):
        try:
            return parse_duration(policy.removeprefix("every_")).seconds
        except ValueError:
            return None
    return PERIODS.get(policy)

import pytest

from orchestra.model.observed import Image, Observed
from orchestra.plan.plan import plan
from orchestra.record import replace

from . import stacks

DAY = 86_400.0


@pytest.mark.parametrize(
    ("policy", "age", "asks"),
    [
        ("missing", 1e9, False),
        ("never", 1e9, False),
        ("always", 1, True),
        ("daily", DAY - 1, False),
        ("daily", DAY, True),
        ("weekly", 7 * DAY - 1, False),
        ("weekly", 7 * DAY, True),
        ("every_12h", DAY / 2 - 1, False),
        ("every_12h", DAY / 2, True),
        ("every_nonsense", 1e9, False),
    ],
)
def test_an_image_that_is_here_is_asked_for_again_as_its_pull_policy_says(policy, age, asks):
    now = 2e9
    desired = stacks.stack(stacks.service("web"))
    images = tuple(replace(image, pull_policy=policy) for image in desired.images)
    desired = replace(desired, images=images, request=replace(desired.request, at=now))
    seen = {image.key: Image(image.key, "sha256:1", now - age) for image in images}
    found = [
        action for action in plan(desired, Observed(desired.stack, images=seen), {}, now).ready if action.verb == "pull"
    ]
    assert [action.reason for action in found] == ([f"pull_policy is {policy}"] if asks else [])

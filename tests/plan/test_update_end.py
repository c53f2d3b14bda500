"""The desired state after an update has succeeded or failed."""

from __future__ import annotations

from orchestra.model.desired import Earlier
from orchestra.model.observed import Image, Observed
from orchestra.model.update import Ending, FailureAction, Update
from orchestra.plan.causes import Explainer
from orchestra.plan.desire import restart
from orchestra.plan.plan import Plan
from orchestra.plan.rolling import FailedUpdate, failure_of_update
from orchestra.plan.situation import Situation
from orchestra.plan.update_end import after_failure, after_success, after_updates
from orchestra.record import replace
from tests.plan.stacks import service, stack

OLD = stack(service("web", replicas=2, image="shop:1"), service("db", image="pg"))
HOW = {"update": Update(failure_action=FailureAction.ROLLBACK), "rollback": Update(0)}
NEW = replace(
    stack(service("web", replicas=3, image="shop:2", config_hash="v2", **HOW), service("db", image="pg"), at=200.0),
    earlier=tuple(Earlier(spec, "digest of 1") for spec in OLD.containers if spec.service == "web"),
)
WORLD = Observed("s", images={"shop:2": Image("shop:2", "digest of 2")})
ROLLS_BACK = FailedUpdate("web", FailureAction.ROLLBACK, "s-web-1 exited (1)")


def test_the_former_definition_is_wanted_for_every_replica_and_so_is_its_image():
    back = after_failure(NEW, WORLD, ROLLS_BACK, 210.0)
    webs = back.replicas("web")
    assert [(spec.name, spec.config_hash, spec.image) for spec in webs] == [
        (f"s-web-{index}", "web v1", "shop:1") for index in (1, 2, 3)
    ]
    assert {spec.update for spec in webs} == {Update(0)}
    assert "shop:1" in {image.key for image in back.images}
    assert back.replicas("db") == NEW.replicas("db")
    assert back.failing["web"].ending is Ending.ROLLED_BACK
    assert {(each.spec.config_hash, each.image_digest) for each in back.earlier} == {("v2", "digest of 2")}


def test_a_pause_changes_no_definition():
    paused = after_failure(NEW, WORLD, replace(ROLLS_BACK, action=FailureAction.PAUSE), 210.0)
    assert replace(paused, failing={}) == NEW
    assert paused.failing["web"].ending is Ending.PAUSED


def test_after_a_success_there_is_no_way_back():
    done = after_success(NEW, ["web"])
    assert done.earlier == ()
    assert after_updates(done, NEW, WORLD, Plan(failing=(ROLLS_BACK,)), 210.0) is done
    paused = after_updates(done, done, WORLD, Plan(failing=(ROLLS_BACK,)), 210.0)
    assert paused.failing["web"].ending is Ending.PAUSED


def test_a_failed_update_is_told_until_the_next_command_about_its_service():
    back = after_failure(NEW, WORLD, ROLLS_BACK, 210.0)
    (cause,) = Explainer(back, WORLD, 211.0, lambda _: None).explain("web")
    assert (cause.subject, cause.what) == ("web", "the update was rolled back: s-web-1 exited (1)")
    later = restart(back, ["web"], None, 220.0)
    assert failure_of_update(Situation(later, WORLD, {}, 221.0), "web") is None

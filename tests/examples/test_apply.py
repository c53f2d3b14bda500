"""A plan that is written down, looked at, and carried out as it is, or not at all."""

from __future__ import annotations

import json
import stat

from tests.examples.conftest import needs_containers

pytestmark = needs_containers

FILE = """
services:
  web:
    image: "rootfs:/"
    command: sleep 1000
    stop_signal: SIGKILL
    environment: {{VERSION: "{version}"}}
"""


def test_a_plan_is_carried_out_as_it_is_or_not_at_all(write_stack, tmp_path):
    stack = write_stack(FILE.format(version=1))
    plan = tmp_path / "plan.json"
    told = stack.run("plan", "--out", str(plan), code=2)
    assert f"orchestra apply {plan} carries it out" in told.stderr
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    stack.write(FILE.format(version=2))
    assert stack.run("--dry-run", "apply", str(plan)).stdout == told.stdout
    stack.run("apply", "--wait", str(plan))
    assert stack.run("exec", "-T", "web", "sh", "-c", "echo $VERSION").stdout == "1\n"

    stack.run("plan", "--out", str(plan), code=2)
    stack.run("kill", "web")
    for command in (["--dry-run", "apply"], ["apply"]):
        refused = stack.run(*command, str(plan), code=1).stderr
        assert "is not as it was when the plan was made: stop container" in refused
        assert "not any more" in refused
    assert stack.states() == {"web": "exited"}

    other = json.loads(plan.read_text())
    for content, words in (
        ("{", "is no plan"),
        ("[]", "is no plan"),
        (json.dumps({**other, "version": "0.0.1"}), "was made by orchestra 0.0.1"),
        (json.dumps({**other, "home": "/elsewhere"}), "a plan for the stacks in /elsewhere"),
        (json.dumps({**other, "actions": 3}), "is no plan"),
    ):
        plan.write_text(content)
        assert words in stack.run("apply", str(plan), code=1).stderr
    assert "No such file" in stack.run("apply", str(tmp_path / "nowhere"), code=1).stderr
    assert "cannot be combined" in stack.run("plan", "--offline", "--out", str(plan), code=1).stderr
    assert "cannot be written" in stack.run("plan", "--out", str(tmp_path / "no" / "plan"), code=1).stderr

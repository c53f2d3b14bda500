"""`plan` on real stacks: which attribute changed, what is replaced, what is left over, and every option of `up`."""

from __future__ import annotations

import json

from tests.examples.conftest import needs_containers

pytestmark = needs_containers

SLEEP = 'image: "rootfs:BUSYBOX", command: [sleep, "1000"], stop_signal: SIGKILL'
FILE = f"""
services:
  db: {{{SLEEP}, volumes: [/data]}}
  web:
    {{{SLEEP}, depends_on: [db], environment: {{DEBUG: "${{DEBUG:-0}}", API_TOKEN: "${{TOKEN:-one}}"}}}}
"""


def test_plan_says_which_attribute_changed_and_what_is_replaced(write_stack):
    stack = write_stack(FILE)
    stack.run("up", "-d")
    stack.environment |= {"DEBUG": "1", "TOKEN": "two"}
    said = stack.run("plan", code=2).stdout
    assert said.splitlines()[-3:] == [
        "replaced container/stack-web-1  its definition changed",
        "    environment.API_TOKEN: changed (not shown)",
        '    environment.DEBUG: "0" → "1"',
    ]
    data = json.loads(stack.run("plan", "--format", "json", code=2).stdout)
    (replaced,) = data["replaced"]
    assert replaced["resource"] == "container/stack-web-1"
    assert replaced["changes"][1] == {"path": "environment.DEBUG", "before": '"0"', "after": '"1"'}
    assert "two" not in json.dumps(data)
    stack.run("up", "-d")
    assert stack.run("plan").stdout == "nothing to do\n"


def test_plan_compares_with_what_runs_also_after_an_edit_that_was_refused(write_stack):
    stack = write_stack(FILE)
    stack.run("up", "-d")
    text = stack.file.read_text()
    stack.file.write_text(text.replace("depends_on: [db]", "depends_on: [db], working_dir: /two, user: nosuchuser"))
    stack.run("up", "-d", code=1)
    stack.file.write_text(text.replace("depends_on: [db]", "depends_on: [db], working_dir: /three"))
    assert stack.run("plan", code=2).stdout.splitlines()[-2:] == [
        "replaced container/stack-web-1  its definition changed",
        '    working_dir: not set → "/three"',
    ]


def test_plan_names_orphans_and_what_a_changed_network_replaces(write_stack):
    networks = "networks: {default: {ipam: {config: [{subnet: 10.231.SUBNET.0/24}]}}}\n"
    stack = write_stack(FILE + networks.replace("SUBNET", "7"))
    stack.run("up", "-d")
    stack.file.write_text(stack.file.read_text().replace("10.231.7.", "10.231.8."))
    said = stack.run("plan", code=2).stdout
    assert "replaced network/stack_default  its definition changed" in said
    assert '    subnet: "10.231.7.0/24" → "10.231.8.0/24"' in said
    assert "replaced container/stack-db-1  the definition of network stack_default changed" in said
    stack.write(f"services: {{db: {{{SLEEP}, volumes: [/data]}}}}\n" + networks.replace("SUBNET", "7"))
    orphan = "orphan   container/stack-web-1  no service declares it; --remove-orphans removes it\n"
    assert stack.run("plan").stdout == "nothing to do\n" + orphan
    assert json.loads(stack.run("plan", "--format", "json").stdout)["orphans"] == ["stack-web-1"]
    removed = stack.run("plan", "--remove-orphans", code=2).stdout
    assert "orphan" not in removed
    assert "remove container/stack-web-1" in removed


def test_plan_takes_the_options_of_up(write_stack):
    stack = write_stack(FILE)
    stack.run("up", "-d")

    def replaced(*options):
        """The services that would be replaced."""
        rows = json.loads(stack.run("plan", "--format", "json", *options, code=None).stdout)["replaced"]
        return [row["resource"].split("-")[1] for row in rows]

    assert replaced() == []
    assert replaced("--force-recreate") == ["db", "web"]
    assert replaced("--force-recreate", "web") == ["web"]
    assert replaced("--always-recreate-deps", "web") == ["db"]
    assert replaced("-V") == ["db"]
    stack.environment["DEBUG"] = "1"
    assert replaced("--no-deps", "web") == ["web"]
    assert replaced("db") == []
    assert replaced("--no-recreate") == []
    assert "create container/stack-db-2" in stack.run("plan", "--scale", "db=2", code=2).stdout
    assert "pull_policy is always" in stack.run("plan", "--pull", "always", code=2).stdout
    assert "cannot be combined" in stack.run("plan", "--no-recreate", "-V", code=1).stderr
    more = stack.run("plan", "--no-start", "--no-deps", "--scale", "web=2", "web", code=2).stdout
    assert "create container/stack-web-2" in more
    assert "start  container/stack-web-2" not in more
    before = stack.containers()
    assert replaced("--offline", "--force-recreate") == []
    assert stack.containers()["db"]["ID"] == before["db"]["ID"], "nothing is done"

"""What can be done with stacks, done without a command line: in a world that touches nothing of this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from orchestra.errors import UserError
from orchestra.home import find_home
from orchestra.model.event import ActionEvent, ContainerEvent, Phase
from orchestra.model.project import Chosen, Project
from orchestra.model.request import Changes
from orchestra.model.wish import Recreate
from orchestra.record import replace
from orchestra.stacks.containers import find_stack
from orchestra.stacks.context import Context
from orchestra.stacks.down import DownOptions, down, find_stack_for_down
from orchestra.stacks.events import Span, follow_events
from orchestra.stacks.exec import ExecOptions, find_target
from orchestra.stacks.graph import graph
from orchestra.stacks.host_volumes import list_volumes
from orchestra.stacks.images.library import open_library
from orchestra.stacks.images.pull import PullOptions, pull
from orchestra.stacks.images.push import PushOptions, push
from orchestra.stacks.inspect import Inspector
from orchestra.stacks.logs import Logs, Selection
from orchestra.stacks.ls import ls
from orchestra.stacks.plan import PlanOptions, load_for_plan, plan
from orchestra.stacks.ps import PsOptions, ps
from orchestra.stacks.stack_file import StackFile
from orchestra.stacks.stats import Meter, StatsOptions
from orchestra.stacks.top import top
from orchestra.stacks.up import UpOptions, begin_up, up
from orchestra.stacks.volumes import volumes

FILE = "name: s\nservices: {db: {image: x}, web: {image: x, depends_on: [db]}}\n"


@pytest.fixture
def context(tmp_path, monkeypatch):
    """Of who stands somewhere else than this process does."""
    (tmp_path / "compose.yaml").write_text(FILE)
    monkeypatch.setenv("ORCHESTRA_HOME", f"{tmp_path}/home")  # the supervisor's, which this process starts
    home = find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0)
    return Context(home, "fake", Project(files=("compose.yaml",)), {"HOME": str(tmp_path)}, str(tmp_path))


def changes(context, options=PlanOptions()):  # noqa: B008 - it is frozen
    return plan(context, load_for_plan(context, options), options).preview.changes


@pytest.mark.parametrize(("driver", "told"), [("local", ["isolation: it is only for Windows"]), ("fake", [])])
def test_the_driver_says_what_has_no_effect_with_it(context, tmp_path, driver, told):
    (tmp_path / "compose.yaml").write_text("name: s\nservices: {web: {image: x, isolation: hyperv}}\n")
    file = StackFile(replace(context, driver=driver))
    for _ in range(2):  # also from what is remembered of the first
        assert [note.message for note in file.prepare(Chosen()).notes] == told


def test_a_stack_from_its_plan_to_its_end(context):
    assert changes(context)
    options, heard = UpOptions(), []
    result = up(begin_up(context, options.chosen), options, heard.append)
    assert [(each.name, each.state) for each in result.containers] == [("s-db-1", "running"), ("s-web-1", "running")]
    assert not result.failures
    ended = [event for event in heard if isinstance(event, ActionEvent) and event.phase is Phase.DONE]
    assert [event.resource.name for event in ended if event.verb == "start"] == ["s-db-1", "s-web-1"]
    assert not changes(context)
    assert changes(context, PlanOptions(changes=Changes(recreate=Recreate.ALWAYS)))
    assert [(node.name, node.state) for node in graph(context).nodes] == [("db", "running"), ("web", "running")]
    assert [row.service for row in ps(context, PsOptions(services=("web",))).containers] == ["web"]
    assert [(row.name, dict(row.states)) for row in ls(context)] == [("s", {"running": 2})]

    options = UpOptions(Chosen(("web",), no_deps=True, scale={"web": 3}))
    scaled = up(begin_up(context, options.chosen), options)
    assert [each.name for each in scaled.containers] == ["s-web-1", "s-web-2", "s-web-3"]

    known, exists = find_stack_for_down(context, DownOptions())
    assert exists
    assert down(context, known, DownOptions()).leaving
    seen = []
    assert ps(context, PsOptions(all=True), seen.append).containers == []
    assert [each.exist for each in seen] == [False]
    assert ls(context) == []
    assert find_stack_for_down(context, DownOptions()) == (known, False)


@pytest.mark.parametrize(
    ("ask", "part"),
    [
        (lambda context: pull(context, PullOptions(), print), "images"),
        (lambda context: push(context, PushOptions(), print), "images"),
        (open_library, "images"),
        (lambda context: Logs(context, Selection()), "logs"),
        (
            lambda context: find_target(context, ExecOptions("web", ("true",))),
            "containers that commands can be executed in",
        ),
        (volumes, "volumes"),
        (list_volumes, "volumes"),
        (lambda context: Inspector(context, None), "containers that can be observed without their supervisor"),
        (top, "processes that can be looked at"),
        (lambda context: Meter(context, StatsOptions()), "processes that can be looked at"),
    ],
)
def test_a_driver_that_lacks_a_part_says_so_and_touches_nothing(context, ask, part, tmp_path):
    with pytest.raises(UserError, match=f"the driver fake has no {part}"):
        ask(context)
    assert not (tmp_path / "home/data/content").exists()


def test_a_stack_without_a_file_is_known_by_its_name_alone(context, tmp_path):
    (tmp_path / "compose.yaml").unlink()
    named = find_stack(replace(context, project=Project(name="other")))
    assert (named.stack, named.services) == ("other", None)
    assert ps(replace(context, project=Project(name="other")), PsOptions()).containers == []


@pytest.mark.parametrize(("services", "names"), [((), ["s-db-1", "s-web-1"]), (("web",), ["s-web-1"])])
def test_who_follows_events_is_told_how_things_stand_and_what_changes(context, services, names):
    options, heard, begun = UpOptions(), [], Event()

    def hear(event):
        heard.append(event)
        begun.set()

    up(begin_up(context, options.chosen), options)
    with ThreadPoolExecutor(1) as executor:
        following = executor.submit(follow_events, context, services, Span(), hear)
        assert begun.wait(30)
        known, _ = find_stack_for_down(context, DownOptions())
        down(context, known, DownOptions())
        following.result(30)
    assert [state.name for state in heard[0].containers] == names
    removed = [
        event.container for event in heard[1:] if isinstance(event, ContainerEvent) and event.change == "removed"
    ]
    assert sorted(removed) == names

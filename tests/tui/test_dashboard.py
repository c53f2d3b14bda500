"""The dashboard on stacks that exist on paper: what it shows, and what keys and clicks do."""

from __future__ import annotations

import threading

import pytest

from orchestra.home import find_home
from orchestra.model.event import BlockedEvent, ContainerEvent
from orchestra.model.health import Health, HealthStatus
from orchestra.model.observed import Container, Created
from orchestra.model.project import Project
from orchestra.model.resource import Kind, ResourceId
from orchestra.model.usage import Usage
from orchestra.record import replace
from orchestra.stacks.context import Context
from orchestra.tui.rows import Line
from orchestra.tui.service_table import Details
from tests.cli.conftest import ByHand
from tests.examples.conftest import eventually
from tests.tui.driving import dashboard, drive


@pytest.fixture
def context(tmp_path):
    home = find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0)
    return Context(home, "local", Project(), {}, str(tmp_path))


@pytest.fixture
def shop(context):
    shop = ByHand(context.home, "shop")
    shop.want(services=["db", "web", "job"], containers=[{"service": "db"}, {"service": "web"}, {"service": "web"}])
    shop.run(shop.create("db"))
    shop.run(shop.create("web", 1))
    shop.create("web", 2)
    shop.exit(shop.create("job"), 3)
    return shop


def test_services_are_shown_with_their_state_and_details_of_the_chosen_one(context, shop):
    async def scenario():
        async with dashboard(context) as screen:
            await screen.shows("▾ shop", "2 of 3 running", "job       exited (3)", "web       created 1/2")
            await screen.press("down", "down", "down")
            await screen.shows("shop-web-1  running")
            await screen.press("end")
            assert screen.app.service == "web"
            await screen.press("home")
            assert (screen.app.stack.name, screen.app.service) == ("shop", "")
            shop.exit("shop-db-1", 1)
            screen.app.watching.sampler.wake()
            await screen.shows("db        exited (1)")

    drive(scenario)


def test_what_waits_says_for_what(context, shop):
    db = ResourceId(Kind.CONTAINER, "shop-job-1")

    async def scenario():
        async with dashboard(context) as screen:
            await screen.choose("job")
            screen.app.watching.tell("shop", BlockedEvent(1.0, ((db, "web has to be healthy"),)))
            await screen.shows("1 waiting shop", "job       waiting", "\nweb has to be healthy")
            await screen.press("4")
            await screen.shows("blocked: container/shop-job-1: web has to be healthy")
            await screen.press("3")
            await screen.shows("What waits", "container shop-job-1: web has to be healthy")

    drive(scenario)


def test_stacks_are_folded_and_services_searched(context, shop):
    ByHand(context.home, "other").want(services=["web", "cache"])

    async def scenario():
        async with dashboard(context) as screen:
            await screen.shows("▾ other", "▾ shop")
            await screen.press("enter")
            await screen.shows("▸ other")
            assert "cache" not in screen.text
            await screen.choose("job")
            await screen.press("slash")
            await screen.type("we")
            await screen.until(
                lambda _: (
                    screen.app.board.lines == [Line("other"), Line("other", "web"), Line("shop"), Line("shop", "web")]
                )
            )
            await screen.press("escape")
            await screen.until(lambda _: Line("shop", "job") in screen.app.board.lines)
            assert Line("other", "cache") not in screen.app.board.lines

    drive(scenario)


def test_only_the_named_stacks_are_shown(context, shop):
    ByHand(context.home, "other").want(services=["web"])

    async def scenario():
        async with dashboard(context, stacks=("shop",)) as screen:
            await screen.shows("▾ shop")
            assert "other" not in screen.text

    drive(scenario)


def test_logs_are_followed_filtered_and_searched(context, shop):
    shop.write("shop-db-1", "ready to serve\n", 1)
    shop.write("shop-web-1", "GET / 200\nERROR no \033[31mroute\n", 2)

    async def scenario():
        async with dashboard(context) as screen:
            await screen.choose("web")
            await screen.press("enter")
            await screen.shows("GET / 200", "web  all levels  following", "no \\x1b[31mroute")
            assert "ready to serve" not in screen.text
            await screen.press("v")
            await screen.shows("all services", "ready to serve")
            await screen.press("l", "l", "l")
            await screen.until(lambda _: "GET / 200" not in screen.text)
            await screen.shows("errors", "ERROR no")
            await screen.press("escape", "t")
            await screen.type("serve")
            await screen.shows("with “serve”", "ready to serve")
            assert "ERROR" not in screen.text
            shop.write_now("shop-db-1", "still ready to serve\n")
            await screen.shows("still ready to serve")
            await screen.press("escape", "slash")
            await screen.type("get")
            await screen.shows("search “get”", "line 1 of")
            assert screen.app.logs._found == 1
            await screen.press("n")
            assert screen.app.logs._found == 1
            await screen.press("slash")
            await screen.type("nowhere")
            await screen.shows("no line has “nowhere”")
            await screen.press("f")
            await screen.shows("following")

    drive(scenario)


def test_a_long_log_stays_where_it_was_scrolled_to_and_follows_at_its_end(context, shop):
    shop.write("shop-db-1", "".join(f"line {number} {'x' * 100}end\n" for number in range(400)), 1)

    async def scenario():
        async with dashboard(context) as screen:
            await screen.choose("db")
            await screen.press("2")
            await screen.shows("line 399", "following")
            await screen.press("pageup")
            await screen.shows("of 400")
            top = screen.app.logs.scroll_offset.y
            shop.write_now("shop-db-1", "line 400\n")
            await screen.shows("of 401")
            assert screen.app.logs.scroll_offset.y == top
            await screen.press("right", "right", "right", "right")
            await screen.shows("xend")
            await screen.press("end")
            await screen.shows("following")
            await screen.press("left", "left", "left", "left")
            await screen.shows("line 400")

    drive(scenario)


def test_views_are_turned_by_keys_and_clicks(context, shop):
    async def scenario():
        async with dashboard(context) as screen:
            await screen.shows("▾ shop")
            for view in ("logs", "plan", "events", "services"):
                await screen.press("tab")
                assert screen.app.view_name == view
            await screen.press("shift+tab")
            assert screen.app.view_name == "events"
            await screen.pilot.click("#tabs", offset=(3, 0))
            assert screen.app.view_name == "services"
            await screen.pilot.click("#services", offset=(4, 2))
            assert screen.app.service == "job"
            await screen.press("question_mark")
            await screen.shows("On the chosen service")
            await screen.press("escape")
            await screen.until(lambda _: "On the chosen" not in screen.text)

    drive(scenario)


def test_keys_sent_at_once_reach_the_view_that_the_first_one_opened(context, shop):
    async def scenario():
        async with dashboard(context) as screen:
            await screen.choose("db")
            await screen.press("4")
            for key in ("1", "down", "enter"):
                screen.app.simulate_key(key)
            await screen.shows("job  all levels")

    drive(scenario)


def test_nothing_is_done_without_a_yes(context, shop):
    done = []

    async def scenario():
        async with dashboard(context) as screen:
            screen.app.deeds.restart = lambda stack, service: done.append((stack.name, service)) or "restarted"
            screen.app.deeds.stop = lambda stack, service: done.append("stop") or "stopped"
            await screen.choose("db")
            await screen.press("s")
            await screen.shows("Stop db of shop?")
            await screen.press("n")
            await screen.until(lambda _: "Stop db" not in screen.text)
            await screen.press("r")
            await screen.shows("Restart db of shop?")
            await screen.press("y")
            await screen.shows("restarted")
            await screen.press("home", "r")
            await screen.shows("Restart all of shop?")
            await screen.press("y")
            await screen.until(lambda _: len(done) == 2)
            assert done == [("shop", "db"), ("shop", "")]

    drive(scenario)


def test_what_cannot_be_done_says_why(context, shop):
    opened = []

    async def scenario():
        async with dashboard(context, opened=opened) as screen:
            await screen.choose("job")
            await screen.press("x")
            await screen.shows("job is not running")
            await screen.press("u")
            await screen.shows("cannot be found")
            await screen.press("c")
            await screen.shows("How many containers of job?")
            await screen.type("many")
            await screen.shows("'many' is no number")
            await screen.choose("db")
            await screen.press("x")
            await screen.shows("this needs a terminal")
            await screen.press("e")
            await screen.shows("cannot be found here")
            await screen.press("o")
            await screen.shows("opening")
            assert opened == [""]

    drive(scenario)


def test_a_published_port_is_opened(context, shop):
    published = Container(
        *("shop-db-1", "db", 1, "id", "hash", "rootfs:/", "digest", Created(), 0.0), ports=("0.0.0.0:8080->80/tcp",)
    )
    opened = []

    async def scenario():
        async with dashboard(context, opened=opened) as screen:
            await screen.choose("db")
            stack = screen.app.stack
            view = stack.service("db").containers[0]
            row = replace(view.row, ports=published.ports)
            service = replace(stack.service("db"), containers=(replace(view, row=row),))
            overview = replace(screen.app.board.overview, stacks=(replace(stack, services=(service,)),))
            screen.app.watching.sampler.pauses = True
            screen.app.board.see(overview)
            screen.app.table.renew_around(Line("shop", "db"))
            await screen.press("o")
            await screen.until(lambda _: opened == ["http://localhost:8080"])

    drive(scenario)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40), (30, 10)])
def test_every_view_fits_every_terminal(context, shop, size):
    async def scenario():
        async with dashboard(context, size=size) as screen:
            await screen.shows("▾ shop")
            for view in "1234":
                await screen.press(view)
                await screen.pilot.pause()
                lines = screen.lines
                assert len(lines) == size[1]
                assert max(map(len, lines)) <= size[0]
                assert lines[-1].endswith("q quit")
            await screen.pilot.resize_terminal(100, 30)
            await screen.until(lambda _: len(screen.lines) == 30)

    drive(scenario)


def test_two_hundred_services_are_one_scroll_away(context):
    many = ByHand(context.home, "many")
    names = [f"service-{number:03}" for number in range(200)]
    many.want(services=names, containers=[{"service": name} for name in names])
    for name in names:
        many.create(name)

    async def scenario():
        async with dashboard(context) as screen:
            await screen.shows("▾ many", "service-000")
            await screen.press("end")
            await screen.shows("service-199")
            top = screen.app.table.scroll_offset.y
            many.run("many-service-199-1")
            screen.app.watching.sampler.wake()
            await screen.shows("service-199  running")
            assert screen.app.table.scroll_offset.y == top
            await screen.press("slash")
            await screen.type("-07")
            await screen.until(lambda _: len(screen.app.board.lines) == 11)

    drive(scenario)


def test_colours_are_left_out_and_the_chosen_line_is_still_seen(context, shop, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    async def scenario():
        async with dashboard(context) as screen:
            await screen.choose("db")
            await screen.shows("db        running")
            strips = screen.app.screen._compositor.render_strips()
            styles = [
                segment.style
                for strip in strips
                for segment in strip.apply_filter(screen.app._filters[-1], screen.app.screen.styles.background)
                if segment.style
            ]
            assert not any(style.color and not style.color.is_default for style in styles)
            assert any(style.reverse for style in styles)

    drive(scenario)


def test_nothing_of_it_is_left_when_it_ends(context, shop):
    before = threading.active_count()

    async def scenario():
        async with dashboard(context) as screen:
            await screen.shows("▾ shop")
            await screen.press("2")
            await screen.press("3")
            await screen.shows("What up would do")
            await screen.press("ctrl+c")

    drive(scenario)
    eventually(lambda: threading.active_count() <= before)


def test_an_unhealthy_container_tells_what_its_probe_said(context, shop):
    async def scenario():
        async with dashboard(context, size=(120, 40)) as screen:
            await screen.choose("db")
            service = screen.app.stack.service("db")
            sick = Health(HealthStatus.UNHEALTHY, output="connection \033refused", exit_code=1)
            view = service.containers[0]
            row = replace(view.row, health=sick, restarts=2)
            changed = replace(
                service, containers=(replace(view, row=row, usage=Usage(memory=1 << 20, memory_limit=2 << 20)),)
            )
            screen.app.query_one(Details).show(screen.app.stack, changed, "")
            await screen.shows("unhealthy: connection \\x1brefused (exit code 1)", "2 restarts", "mem 1.0M of 2.0M")

    drive(scenario)


def test_events_are_listed_as_they_come(context, shop):
    async def scenario():
        async with dashboard(context) as screen:
            await screen.shows("▾ shop")
            await screen.press("4")
            for number in range(40):
                screen.app.watching.tell("shop", ContainerEvent(float(number), f"c{number}", "web", "started"))
            await screen.shows("container c39: started")
            await screen.press("home")
            await screen.shows("container c0: started")
            screen.app.watching.tell("shop", ContainerEvent(99.0, "late", "web", "started"))
            await screen.until(lambda _: len(screen.app.board.events) == 41)
            assert "late" not in screen.text

    drive(scenario)


def test_what_cannot_be_looked_at_is_told_once(context, shop):
    told = []

    class Broken:
        def look(self, *, measure):
            raise PermissionError(13, "Permission denied", "/run/orchestra")

    async def scenario():
        async with dashboard(context) as screen:
            await screen.shows("▾ shop")
            screen.app.fail = lambda error: told.append(str(error))
            sampler = screen.app.watching.sampler
            looked = sampler._lookout.look
            sampler._lookout = Broken()
            sampler.wake()
            await screen.until(lambda _: told)
            sampler._lookout.look = lambda *, measure: told.append("looked") or looked(measure=measure)
            sampler.wake()
            await screen.until(lambda _: "looked" in told)

    drive(scenario)
    assert [each for each in told if each != "looked"] == ["[Errno 13] Permission denied: '/run/orchestra'"]


@pytest.mark.parametrize("where", ["key", "feed"])
def test_a_bug_in_a_thread_ends_it_with_the_error(context, shop, where, monkeypatch):
    def broken(*_arguments):
        raise ZeroDivisionError

    async def scenario():
        async with dashboard(context) as screen:
            await screen.choose("db")
            if where == "key":
                screen.app.deeds.start = broken
                await screen.press("a")
            else:
                monkeypatch.setattr("orchestra.tui.log_view.feed_logs", broken)
                await screen.press("2")
            await screen.until(lambda _: not screen.app.is_running)

    with pytest.raises(ZeroDivisionError):
        drive(scenario)

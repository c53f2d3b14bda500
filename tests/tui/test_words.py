"""Numbers, states and events in few characters."""

from __future__ import annotations

import pytest

from orchestra.model.event import (
    ActionEvent,
    AskedEvent,
    BlockedEvent,
    ContainerEvent,
    ConvergedEvent,
    HealthEvent,
    Phase,
)
from orchestra.model.health import Health, HealthStatus
from orchestra.model.resource import Kind, ResourceId
from orchestra.model.revision import Author
from orchestra.model.usage import Usage
from orchestra.stacks.containers import ContainerRow
from orchestra.stacks.overview import ContainerView, Overview, ServiceView, StackView
from orchestra.tui.event_words import event_text
from orchestra.tui.keys import footer, tab_at
from orchestra.tui.other_views import wrap
from orchestra.tui.rows import Line, arrange, columns_for, header, service_line, short_port, stack_line
from orchestra.tui.usage_history import LENGTH, Plots, UsageHistory
from orchestra.tui.words import describe_age, describe_bytes, describe_share, fit, spark

WEB = ResourceId(Kind.CONTAINER, "s-web-1")


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (999, "999B"),
        (1000, "1.0K"),
        (10 << 10, "10K"),
        (1023 << 10, "1.0M"),
        (1 << 20, "1.0M"),
        (5 << 40, "5.0T"),
    ],
)
def test_bytes_take_at_most_five_characters(size, text):
    assert describe_bytes(size) == text


@pytest.mark.parametrize(("percent", "text"), [(0, "0.0"), (12.34, "12.3"), (99.96, "100"), (1234.5, "1234")])
def test_shares_take_at_most_four(percent, text):
    assert describe_share(percent) == text


@pytest.mark.parametrize(("seconds", "text"), [(-1, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (86400 * 9, "9d")])
def test_ages(seconds, text):
    assert describe_age(seconds) == text


def test_a_plot_has_the_newest_value_last_and_a_floor():
    assert spark([], 3, 10) == "   "
    assert spark([0, 1, 5, 10], 5, 10) == "  ▁▄█"
    assert spark([9, 20, 40, 80], 3, 10) == "▂▄█"
    assert spark([0.01], 1, 10) == "▁"


def test_text_that_does_not_fit_ends_in_an_ellipsis():
    assert (fit("abc", 3), fit("abcd", 3), fit("abcd", 0)) == ("abc", "ab…", "…")


def container(state="running", index=1, **more):
    usage = more.pop("usage", None)
    row = ContainerRow(f"s-web-{index}", "web", f"i{index}", "x", "", 0.0, state=state, index=index, **more)
    return ContainerView(row, 12.5, usage)


def shown(service, width=120, waits="", plots=Plots()):  # noqa: B008 - it is frozen
    return service_line(service, waits, plots, columns_for(width, ["  web"])).plain


def test_a_service_has_its_state_in_words():
    assert shown(ServiceView("web")).split() == ["web", "down"]
    assert shown(ServiceView("web", 1), waits="db to be healthy").split() == ["web", "waiting"]
    two = (container(), container(index=2, ports=("0.0.0.0:8080->80/tcp", "127.0.0.1:53->53/udp")))
    assert shown(ServiceView("web", 3, two)).split() == ["web", "running", "2/3", "8080→80,", "127.0.0.1:53→53/udp"]
    assert shown(ServiceView("web", 1, (container("exited", exit_code=3),))).split() == ["web", "exited", "(3)"]
    assert shown(ServiceView("web", 1, (container("exited", exit_code=None),))).split() == ["web", "exited"]
    sick = container(health=Health(HealthStatus.UNHEALTHY), usage=Usage(memory=3 << 20))
    plots = Plots((1.0, 12.5), (1.0, 3 << 20))
    assert shown(ServiceView("web", 1, (sick,)), plots=plots).split() == [
        *("web", "running", "unhealthy", "12.5", "▁█", "3.0M", "▁█")
    ]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_no_line_of_the_table_is_wider_than_the_terminal(width):
    columns = columns_for(width, ["  a-rather-long-name-of-a-service-that-nothing-fits"])
    service = ServiceView("a-rather-long-name-of-a-service", 1, (container(usage=Usage(memory=5)),))
    assert header(columns).cell_len <= width
    assert service_line(service, "", Plots(), columns).cell_len <= width
    assert stack_line(StackView("s" * 300, (service,)), folded=False, width=width).cell_len <= width
    assert footer("services", width).cell_len <= max(width, len("? keys  q quit"))


def test_columns_are_left_out_where_there_is_no_room_and_the_state_stays():
    assert [each.title for each in columns_for(30, ["web"])] == ["SERVICE", "STATE"]
    assert [each.title for each in columns_for(60, ["web"])] == ["SERVICE", "STATE", "HEALTH", "CPU %", "MEM"]


def test_hostile_names_and_damage_are_shown_as_text():
    assert "\033" not in shown(ServiceView("w\033[2J"))
    assert "\033" not in stack_line(StackView("s", damage=("\033]0;x",)), folded=True, width=80).plain
    assert "\033" not in event_text("s\033", ContainerEvent(0.0, "c\033[2J", "web", "started")).plain


def test_stacks_can_be_folded_and_a_search_unfolds_them():
    overview = Overview(0.0, (StackView("s", (ServiceView("db"), ServiceView("Web"))), StackView("t")))
    everything = [Line("s"), Line("s", "db"), Line("s", "Web"), Line("t")]
    assert arrange(overview, (), "") == everything
    assert arrange(overview, ("s",), "") == [Line("s"), Line("t")]
    assert arrange(overview, ("s",), "we") == [Line("s"), Line("s", "Web"), Line("t")]


def test_usage_is_kept_for_a_minute_and_while_the_service_is_there():
    history, web = UsageHistory(), ServiceView("web", 1, (container(usage=Usage(memory=7)),))
    for _ in range(LENGTH + 5):
        history.add(Overview(0.0, (StackView("s", (web,)),)))
    assert history.of("s", "web") == Plots((12.5,) * LENGTH, (7.0,) * LENGTH)
    history.add(Overview())
    assert history.of("s", "web") == Plots()


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (ActionEvent(0.0, "stop", WEB, Phase.STARTED, "asked to"), "container s-web-1: stop started (asked to)"),
        (BlockedEvent(0.0, ((WEB, "db"), (WEB, "x"))), "blocked: container/s-web-1: db; container/s-web-1: x"),
        (AskedEvent(0.0, Author("me", "up")), "asked for by me: up"),
        (ConvergedEvent(0.0), "converged"),
        (HealthEvent(0.0, "c", "web", Health(HealthStatus.HEALTHY, output="a\nb")), "container c: healthy (a\\nb)"),
    ],
)
def test_events_are_one_line_each(event, text):
    assert event_text("s", event).plain[10:] == f"s  {text}"


def test_ports_lose_what_is_usual():
    assert short_port("[::]:443->443/tcp") == "443→443"


def test_long_lines_of_the_plan_are_wrapped_below_their_text():
    assert wrap("  one two three", 11) == ["  one two", "      three"]
    assert wrap("", 9) == []


def test_a_click_on_the_first_line_finds_its_view():
    assert [tab_at(column) for column in (0, 11, 12, 19, 20, 500)] == [
        *("services", "services", "logs", "logs", "plan", "")
    ]

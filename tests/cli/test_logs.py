"""``logs`` shows what containers wrote, merged by time, chosen and marked as asked; following ends when they have."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from orchestra.cli.moments import parse_moment
from orchestra.cli.render.log_lines import LogPrinter, short_name
from orchestra.driver.local.log_follow import Follower
from orchestra.errors import UserError
from orchestra.model.log import Ended, Line, Written
from tests.examples.conftest import eventually


@pytest.fixture
def two(by_hand):
    for service, second in (("web", 0), ("database", 0.5)):
        name = by_hand.create(service)
        by_hand.run(name)
        by_hand.exit(name)
        for number in range(3):
            by_hand.write(name, f"{service} {number}\n", second + number)
    return by_hand


def test_lines_of_all_containers_are_merged_by_time_behind_aligned_names(two, orchestra):
    assert orchestra("-p", "s", "logs") == (
        0,
        "web-1       | web 0\n"
        "database-1  | database 0\n"
        "web-1       | web 1\n"
        "database-1  | database 1\n"
        "web-1       | web 2\n"
        "database-1  | database 2\n",
        "",
    )


def test_only_the_services_that_are_named(two, orchestra):
    assert orchestra("-p", "s", "logs", "web")[1] == "web-1  | web 0\nweb-1  | web 1\nweb-1  | web 2\n"


def test_without_prefix_and_with_time_stamps(two, orchestra):
    assert orchestra("-p", "s", "logs", "--no-log-prefix", "-t", "-n", "1", "web")[1] == (
        "2026-01-01T00:00:02.000000000Z web 2\n"
    )


def test_the_last_lines_are_counted_for_each_container(two, orchestra):
    assert orchestra("-p", "s", "logs", "--no-log-prefix", "--tail", "1")[1] == "web 2\ndatabase 2\n"
    assert orchestra("-p", "s", "logs", "--tail", "0")[1] == ""
    assert orchestra("-p", "s", "logs", "--tail", "-1")[1].count("\n") == 6


def test_from_a_moment_and_up_to_one(two, orchestra):
    line = ("-p", "s", "logs", "--no-log-prefix", "--since", "2026-01-01T00:00:01Z", "--until", "2026-01-01T00:00:02Z")
    assert orchestra(*line)[1] == "web 1\ndatabase 1\nweb 2\n"


def test_a_replica_by_its_number(by_hand, orchestra):
    for index in (1, 2):
        by_hand.write(by_hand.create("web", index), f"replica {index}\n", index)
    assert orchestra("-p", "s", "logs", "--index", "2", "web")[1] == "web-2  | replica 2\n"
    code, out, err = orchestra("-p", "s", "logs", "--index", "2")
    assert (code, out) == (1, "")
    assert "--index needs exactly one service" in err


def test_a_container_with_a_name_of_its_own_is_called_by_it(by_hand, orchestra):
    by_hand.write(by_hand.create("web", name="the-web"), "hello\n")
    by_hand.run("the-web")
    assert orchestra("-p", "s", "logs")[1] == "the-web  | hello\n"


def test_the_containers_of_one_off_commands_are_part_of_their_service(by_hand, orchestra):
    run = "s-web-run-0123456789ab"
    for name, text in ((by_hand.create("web"), "serving\n"), (by_hand.create("web", 0, run), "migrated\n")):
        by_hand.run(name)
        by_hand.write(name, text)
    assert orchestra("-p", "s", "--ansi", "always", "logs", "--no-color", "web")[1].splitlines() == [
        f"{'web-1':<{len(run)}}  | serving",
        f"{run}  | migrated",
    ]
    assert orchestra("-p", "s", "logs", "--index", "1", "web")[1] == "web-1  | serving\n"


def test_colours_are_those_of_services_in_the_order_of_the_file(two, orchestra):
    out = orchestra("-p", "s", "--ansi", "always", "logs", "-n1")[1]
    assert out == "\033[33mweb-1       | \033[0mweb 2\n\033[36mdatabase-1  | \033[0mdatabase 2\n"
    assert "\033" not in orchestra("-p", "s", "--ansi", "always", "logs", "--no-color")[1]


def test_an_unfinished_line_at_the_end_is_shown(by_hand, orchestra):
    name = by_hand.create("web")
    by_hand.run(name)
    by_hand.write(name, "password: ")
    assert orchestra("-p", "s", "logs")[1] == "web-1  | password: \n"


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (("logs", "nobody"), "no such service: nobody"),
        (("logs", "--tail", "many"), "--tail many"),
        (("logs", "--since", "yesterday"), "--since yesterday"),
        (("logs", "--until", "2026-13-01"), "--until 2026-13-01"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_line_or_two(two, orchestra, line, word):
    code, out, err = orchestra("-p", "s", *line)
    assert (code, out) == (1, "")
    assert word in err
    assert len(err.splitlines()) <= 2


def test_a_reader_that_leaves_early_is_no_error(by_hand):
    name = by_hand.create("web")
    by_hand.run(name)
    by_hand.write(name, "line\n" * 200_000)
    command = [sys.executable, "-m", "orchestra", "-p", "s", "logs"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"web-1  | line\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_moments_are_dates_numbers_and_durations():
    now = 1767225600.0  # 2026-01-01T00:00:00Z
    assert parse_moment("--since", "1h30m", now) == b"2025-12-31T22:30:00.000000000Z"
    assert parse_moment("--since", "1767225600.5", now) == b"2026-01-01T00:00:00.500000000Z"
    assert parse_moment("--since", "2026-01-01T02:00:00.25+02:00", now) == b"2026-01-01T00:00:00.250000000Z"
    assert parse_moment("--since", "2026-01-01T00:00Z", now) == b"2026-01-01T00:00:00.000000000Z"
    local = parse_moment("--since", "2026-01-01", now).decode()
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.mktime((2026, 1, 1, 0, 0, 0, 0, 0, -1))))
    assert local == f"{moment}.000000000Z"
    for text in ("", "soon", "5", "5x", "2026-02-30", "2026-01-01T25:00"):
        if text == "5":
            continue
        with pytest.raises(UserError, match="not a valid time"):
            parse_moment("--since", text, now)


def test_short_names_leave_the_stack_out():
    assert short_name("s", "s-web-1", "web", 1) == "web-1"
    assert short_name("s", "other", "web", 1) == "other"


def test_columns_widen_when_a_longer_name_comes(by_hand, capfd):
    printer = LogPrinter("s", ["a", "longer"])
    with Follower(by_hand.home, lambda c: True) as follower:
        for service in ("a", "longer"):
            by_hand.create(service)
        list(follower.begin(lambda cursor: []))
        short, long = follower.containers
        line = Line(b"", b"stdout", b"text")
        printer.write(short, line)
        printer.write(long, line)
        printer.write(short, line)
        printer.flush()
    assert capfd.readouterr().out == "a-1  | text\nlonger-1  | text\na-1       | text\n"


class Watched:
    """A follower, and what it has told so far as short words."""

    def __init__(self, follower) -> None:
        self.follower = follower
        self.told = []

    def until(self, *words):
        def look():
            for happened in self.follower.read():
                if isinstance(happened, Written):
                    self.told.append(happened.line.text.decode())
                else:
                    assert isinstance(happened, Ended)
                    self.told.append(f"{happened.container.name}={happened.exited.exit_code}")
            return set(words) <= set(self.told)

        eventually(look, 5)
        told, self.told = self.told, []
        return told


@pytest.fixture
def watched(by_hand):
    with Follower(by_hand.home, lambda container: container.service != "silent") as follower:
        yield Watched(follower)


def test_lines_and_ends_seen_together_are_reported_in_order(by_hand, watched):
    names = [by_hand.create(service) for service in ("a", "b", "c")]
    for name in names:
        by_hand.run(name)
    list(watched.follower.begin(lambda cursor: []))
    for name in reversed(names):
        by_hand.write_now(name, f"bye of {name}\n")
        by_hand.exit(name)
    told = watched.until(*(f"{name}=0" for name in names))
    assert told == [word for name in reversed(names) for word in (f"bye of {name}", f"{name}=0")]


def test_following_sees_lines_new_containers_ends_and_removals(by_hand, watched):
    web = by_hand.create("web")
    by_hand.write(web, "before\n")
    by_hand.run(web)
    first = watched.follower.begin(lambda cursor: [])
    assert [written.line.text for written in first] == [b"before"]
    by_hand.write(web, "one\ntw")
    assert watched.until("one") == ["one"]
    by_hand.write(web, "o\n")
    assert watched.until("two") == ["two"]
    late = by_hand.create("late")
    by_hand.write(late, "late\n")
    by_hand.run(late)
    assert watched.until("late") == ["late"]
    by_hand.write(by_hand.create("silent"), "not to be shown\n")
    by_hand.write(web, "last words")
    by_hand.exit(web, 3)
    assert watched.until("s-web-1=3") == ["last words", "s-web-1=3"]
    assert not watched.follower.is_over
    by_hand.write(late, "and gone\n")
    for file in os.listdir(by_hand.home.container(late)):
        os.unlink(f"{by_hand.home.container(late)}/{file}")
    os.rmdir(by_hand.home.container(late))
    assert watched.until("and gone") == ["and gone"]
    assert watched.follower.is_over


def test_a_recreated_container_is_still_followed(by_hand, watched):
    web = by_hand.create("web")
    by_hand.run(web)
    by_hand.write(web, "old\n")
    assert len(list(watched.follower.begin(lambda cursor: []))) == 1
    for file in os.listdir(by_hand.home.container(web)):
        os.unlink(f"{by_hand.home.container(web)}/{file}")
    os.rmdir(by_hand.home.container(web))
    os.unlink(f"{by_hand.home.logs}/{web}.log")
    by_hand.create("web")
    by_hand.write(web, "new\n")
    by_hand.run(web)
    assert watched.until("new") == ["new"]
    by_hand.exit(web, 1)
    assert watched.until("s-web-1=1") == ["s-web-1=1"]


def test_earlier_ends_are_not_reported(by_hand, watched):
    web = by_hand.create("web")
    by_hand.run(web)
    by_hand.exit(web, 1)
    list(watched.follower.begin(lambda cursor: []))
    assert watched.follower.is_over
    by_hand.write(web, "x\n")
    assert watched.until("x") == ["x"]


def test_following_a_flood_gives_others_their_turn(by_hand, watched):
    web, quiet = by_hand.create("web"), by_hand.create("quiet")
    for name in (web, quiet):
        by_hand.run(name)
    list(watched.follower.begin(lambda cursor: []))
    by_hand.write(web, "flood\n" * 100_000)
    by_hand.write(quiet, "drop\n", 1)
    by_hand.write(web, "high water\n", 2)
    first = [happened.line.text for happened in watched.follower.read()]
    assert b"drop" in first
    assert 0 < first.count(b"flood") < 100_000
    assert watched.follower.is_behind
    assert watched.until("high water").count("flood") + first.count(b"flood") == 100_000
    assert not watched.follower.is_behind


def test_the_command_follows_until_everything_has_ended(by_hand, orchestra):
    web = by_hand.create("web")
    by_hand.run(web)
    by_hand.write(web, "one\n")

    def live():
        time.sleep(0.3)
        by_hand.write(web, "two\n", 1)
        by_hand.exit(web, 5)

    thread = threading.Thread(target=live)
    thread.start()
    code, out, err = orchestra("-p", "s", "logs", "-f")
    thread.join()
    assert (code, err) == (0, "")
    assert out == "web-1  | one\nweb-1  | two\nweb-1 exited with code 5\n"


def test_following_what_has_ended_shows_it_and_ends(two, orchestra):
    assert orchestra("-p", "s", "logs", "-f", "-n", "1", "web") == (0, "web-1  | web 2\n", "")


def test_following_up_to_a_moment_that_has_passed_ends(two, orchestra):
    two.run(two.create("runs"))
    assert orchestra("-p", "s", "logs", "-f", "--until", "2026-01-01T00:00:00Z", "web")[1] == "web-1  | web 0\n"

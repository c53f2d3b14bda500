"""Logs are read whole and in order: over rotations, from the end, from a moment, and while they are written."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.driver.local import logs
from orchestra.driver.local.log_files import list_files
from orchestra.driver.local.logs import LogCursor
from orchestra.model.log import Line
from orchestra.shim.log import LogFile, render_records


def stamp(number: int) -> str:
    return f"2026-01-01T00:00:{number // 1000:02d}.{number % 1000:03d}000000Z"


def write(path, *records: tuple[int, str, bytes]) -> None:
    """Chunks of output, as a shim writes them."""
    with open(path, "ab") as file:
        for number, stream, data in records:
            file.write(render_records(data, stream, stamp(number)))


def texts(lines) -> list[bytes]:
    return [line.text for line in lines]


@pytest.fixture
def path(tmp_path):
    return f"{tmp_path}/web.log"


@pytest.fixture
def cursor(path):
    made = LogCursor(path)
    yield made
    made.close()


def test_a_log_that_is_not_there_yet_is_empty_until_it_is(path, cursor):
    assert list(cursor.lines()) == []
    assert cursor.tail(5) == []
    write(path, (1, "stdout", b"one\n"))
    assert list(cursor.lines()) == [Line(stamp(1).encode(), b"stdout", b"one")]


def test_pieces_of_a_line_are_joined_though_the_other_stream_comes_between(path, cursor):
    write(path, (1, "stdout", b"be"), (2, "stderr", b"oops\n"), (3, "stdout", b"gin\nnext\n"))
    assert [(line.stamp, line.text) for line in cursor.lines()] == [
        (stamp(2).encode(), b"oops"),
        (stamp(1).encode(), b"begin"),
        (stamp(3).encode(), b"next"),
    ]


def test_an_unfinished_line_waits_for_its_end_and_is_given_out_when_there_is_none(path, cursor):
    write(path, (1, "stdout", b"name? "))
    assert list(cursor.lines()) == []
    write(path, (2, "stdout", b"Ada\n> "))
    assert texts(cursor.lines()) == [b"name? Ada"]
    assert texts(cursor.finish()) == [b"> "]
    assert cursor.finish() == []


def test_empty_lines_blanks_and_any_bytes_are_kept(path, cursor):
    write(path, (1, "stdout", b"\n  two  blanks \n\xff\xfe\n"))
    assert texts(cursor.lines()) == [b"", b"  two  blanks ", b"\xff\xfe"]


def test_rotated_files_come_first_and_in_their_order(path, cursor):
    for number in range(12):
        write(f"{path}.{11 - number}" if number < 11 else path, (number, "stdout", b"%d\n" % number))
    assert texts(cursor.lines()) == [b"%d" % number for number in range(12)]


def test_a_record_is_read_when_all_of_it_is_there(path, cursor):
    record = render_records(b"slowly\n", "stdout", stamp(1))
    with open(path, "wb") as file:
        file.write(record[:20])
    assert list(cursor.lines()) == []
    assert cursor.tail(1) == []
    with open(path, "ab") as file:
        file.write(record[20:])
    assert texts(cursor.lines()) == [b"slowly"]


def test_what_is_no_record_is_passed_over(path, cursor):
    with open(path, "wb") as file:
        file.write(b"2026-01-01T00:0\n\n")
    write(path, (1, "stdout", b"after\n"))
    assert texts(cursor.lines()) == [b"after"]


def test_going_on_over_rotations_loses_and_repeats_nothing(path, cursor):
    log = LogFile(path, 300, 4)
    seen = []
    for number in range(100):
        text = render_records(b"line %d\n" % number, "stdout", stamp(number))
        log.make_room(len(text))
        log.append(text)
        if number % 7 == 0:
            seen += texts(cursor.lines())
    seen += texts(cursor.lines())
    assert seen == [b"line %d" % number for number in range(100)]


def test_with_one_file_what_was_not_read_in_time_is_lost_and_nothing_else(path, cursor):
    log = LogFile(path, 200, 1)
    seen = []
    for number in range(50):
        text = render_records(b"line %d\n" % number, "stdout", stamp(number))
        log.make_room(len(text))
        log.append(text)
        seen += texts(cursor.lines())
    assert seen == [b"line %d" % number for number in range(50)]


def test_following_a_writer_that_rotates_all_the_time(path, cursor):
    count = 3000
    written = threading.Event()

    def produce():
        log = LogFile(path, 2000, 500)
        for number in range(count):
            text = render_records(b"line %d\n" % number, "stdout", stamp(number % 60000))
            log.make_room(len(text))
            log.append(text)
        written.set()

    thread = threading.Thread(target=produce)
    thread.start()
    seen = []
    while not written.is_set():
        seen += texts(cursor.lines())
    thread.join()
    seen += texts(cursor.lines())
    assert seen == [b"line %d" % number for number in range(count)]


def test_the_oldest_file_is_begun_with_though_a_rotation_comes_between(path, cursor, monkeypatch):
    write(f"{path}.1", (1, "stdout", b"oldest\n"))
    write(path, (2, "stdout", b"newer\n"))
    found = []

    def list_then_rotate(path):
        found.append(list_files(path))
        if len(found) == 1:
            os.rename(f"{path}.1", f"{path}.2")
            os.rename(path, f"{path}.1")
            write(path, (3, "stdout", b"newest\n"))
        return found[-1]

    monkeypatch.setattr(logs, "list_files", list_then_rotate)
    assert texts(cursor.lines()) == [b"oldest", b"newer", b"newest"]


def test_the_oldest_file_is_begun_with_though_it_was_missing_from_a_list(path, cursor, monkeypatch):
    write(f"{path}.1", (1, "stdout", b"oldest\n"))
    write(path, (2, "stdout", b"newer\n"))
    lists = iter([[path]])
    monkeypatch.setattr(logs, "list_files", lambda path: next(lists, None) or list_files(path))
    assert texts(cursor.lines()) == [b"oldest", b"newer"]


def test_a_recreated_container_has_a_new_log(path, cursor):
    write(path, (1, "stdout", b"old\n"))
    assert texts(cursor.lines()) == [b"old"]
    os.unlink(path)
    assert list(cursor.lines()) == []
    write(path, (2, "stdout", b"new\n"))
    assert texts(cursor.lines()) == [b"new"]


def test_the_last_lines_are_found_over_rotated_files(path, cursor):
    write(f"{path}.2", *((n, "stdout", b"%d\n" % n) for n in range(3)))
    write(f"{path}.1", *((n, "stdout", b"%d\n" % n) for n in range(3, 5)))
    write(path, (5, "stdout", b"5\n"))
    for count in range(9):
        assert texts(cursor.tail(count)) == [b"%d" % n for n in range(6)][max(0, 6 - count) :]
    write(path, (6, "stdout", b"6\n"))
    assert texts(cursor.lines()) == [b"6"]


def test_the_last_lines_of_a_huge_log_are_found_without_reading_it(path, cursor, monkeypatch):
    with open(path, "wb") as file:
        file.write(render_records(b"x" * 99 + b"\n", "stdout", stamp(1)) * 200_000)
    write(path, (2, "stdout", b"last\n"))
    read = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: read.append(size) or pread(fd, size, at))
    assert texts(cursor.tail(3))[-1] == b"last"
    assert sum(read) < 2_000_000


def test_the_beginning_of_an_unfinished_line_is_not_lost_by_asking_for_the_last_lines(path, cursor):
    write(path, (1, "stdout", b"a\n"), (2, "stdout", b"wor"), (3, "stdout", b"k"), (4, "stderr", b"b\n"))
    assert texts(cursor.tail(1)) == [b"b"]
    write(path, (5, "stdout", b"ing\n"))
    assert [(line.stamp, line.text) for line in cursor.lines()] == [(stamp(2).encode(), b"working")]


def test_a_moment_is_found_by_halving(path, cursor):
    for file, numbers in ((f"{path}.1", range(20_000)), (path, range(20_000, 40_000))):
        with open(file, "wb") as opened:
            opened.writelines(render_records(b"%d\n" % n, "stdout", stamp(n)) for n in numbers)
    for moment in (0, 7, 19_999, 20_000, 31_234):
        cursor.skip_before(stamp(moment).encode())
        lines = list(cursor.lines())
        assert lines[-1].text == b"39999"
        assert texts(line for line in lines if line.stamp >= stamp(moment).encode())[0] == b"%d" % moment
        assert len(lines) <= 40_000 - moment + 12_000
    cursor.skip_before(stamp(50_000).encode())
    assert all(line.stamp < stamp(50_000).encode() for line in cursor.lines())


def test_a_line_without_end_comes_in_pieces(path, cursor, monkeypatch):
    monkeypatch.setattr(logs, "LONGEST_LINE", 1000)
    write(path, *((n, "stdout", b"y" * 100) for n in range(30)))
    given_out = texts(cursor.lines()) + texts(cursor.finish())
    assert b"".join(given_out) == b"y" * 3000
    assert len(given_out) > 1


@settings(max_examples=150, deadline=None)
@given(
    chunks=st.lists(
        st.tuples(st.sampled_from(["stdout", "stderr"]), st.lists(st.sampled_from([b"a", b"b c", b"\n"]), min_size=1)),
        max_size=30,
    ),
    size=st.integers(60, 600),
    count=st.integers(0, 12),
)
def test_the_last_lines_are_the_end_of_all_lines(tmp_path_factory, chunks, size, count):
    path = f"{tmp_path_factory.mktemp('logs')}/web.log"
    log = LogFile(path, size, 100)
    for number, (stream, parts) in enumerate(chunks):
        text = render_records(b"".join(parts), stream, stamp(number))
        log.make_room(len(text))
        log.append(text)
    whole, end = LogCursor(path), LogCursor(path)
    everything = list(whole.lines())
    assert end.tail(count) == everything[len(everything) - min(count, len(everything)) :]
    assert list(end.lines()) == []
    assert end.finish() == whole.finish()
    for stream in ("stdout", "stderr"):
        output = b"".join(b"".join(parts) for name, parts in chunks if name == stream)
        assert texts(line for line in everything if line.stream == stream.encode()) == output.split(b"\n")[:-1]
    whole.close()
    end.close()

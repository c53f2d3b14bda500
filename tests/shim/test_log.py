"""The log: every byte of both streams in the CRI text format, rotated, and its writer taken apart."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import termios
from pathlib import Path

import pytest

from orchestra.shim.log import LogFile, LogWriter, render_records
from tests.shim.conftest import eventually

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z")


def test_both_streams_with_stamps_that_do_not_go_back(stack):
    container = stack.shell("for i in 1 2 3; do echo out$i; echo err$i >&2; done; printf 'no end'")
    assert container.finish() == ["out1", "out2", "out3", "no end"]
    assert container.texts("stderr") == ["err1", "err2", "err3"]
    records = container.records()
    assert all(STAMP.fullmatch(stamp) and tag == "F" for stamp, _, tag, text in records if text != "no end")
    assert [tag for _, _, tag, text in records if text == "no end"] == ["P"]
    assert [record[0] for record in records] == sorted(record[0] for record in records)


def test_long_lines_come_in_parts_that_join_to_the_whole(stack):
    container = stack.shell("seq 1 40000 | tr '\\n' ','; echo; echo after")
    long, after = container.finish()
    assert long == "".join(f"{number}," for number in range(1, 40001))
    assert after == "after"
    assert "P" in {tag for _, _, tag, _ in container.records()}


def test_bytes_that_are_no_text_are_kept(stack):
    container = stack.container("printf", "".join(f"\\{number:03o}" for number in range(256) if number != 10))
    container.run()
    container.wait()
    written = b"".join(line.split(b" ", 3)[3] for line in container.log.read_bytes().split(b"\n") if line)
    assert written == bytes(number for number in range(256) if number != 10)


def test_rotation_keeps_so_many_files_of_such_a_size_and_splits_no_record(stack):
    container = stack.shell("seq 1 2000", log={"max_size": 20_000, "max_file": 3})
    container.run()
    container.wait()
    logs = sorted(Path(container.stack.home.logs).iterdir(), reverse=True)
    assert [log.name for log in logs] == ["s-web-1.log.2", "s-web-1.log.1", "s-web-1.log"]
    texts = [""]
    for log in logs:
        content = log.read_text()
        assert len(content) <= 20_000
        assert content.endswith("\n")
        for line in content.splitlines():
            _stamp, _stream, tag, text = line.split(" ", 3)
            texts[-1] += text
            if tag == "F":
                texts.append("")
    whole = texts[1:-1]  # the first may be the end of a line that began in a file that is gone
    assert whole == [str(number) for number in range(2001 - len(whole), 2001)]
    assert len(texts) > 400


def test_one_file_alone_starts_over(stack):
    container = stack.shell("seq 1 2000", log={"max_size": 20_000, "max_file": 1})
    container.run()
    container.wait()
    assert [log.name for log in Path(container.stack.home.logs).iterdir()] == ["s-web-1.log"]
    assert container.texts("stdout")[-1] == "2000"


def test_without_a_log_output_is_dropped_and_nothing_stalls(stack):
    container = stack.shell("yes | head -c 1000000")
    container.settings["log"] = None
    container.write()
    container.run()
    assert container.wait().exit_code == 0


def test_a_later_run_appends(stack):
    container = stack.shell("echo again")
    container.finish()
    assert container.finish() == ["again", "again"]


def test_what_children_write_after_the_first_process_has_ended_is_lost_to_nobody(stack):
    """The namespace ends with its first process: what was in the pipe by then is in the log."""
    container = stack.shell("seq 1 5000 & wait")
    assert container.finish() == [str(number) for number in range(1, 5001)]


class Pipe:
    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK)

    def waiting(self):
        return struct.unpack("i", fcntl.ioctl(self.reader, termios.FIONREAD, b"\0" * 4))[0]


@pytest.fixture
def pipe():
    made = Pipe()
    yield made
    os.close(made.reader)
    os.close(made.writer)


def writer(tmp_path, **limits):
    log = LogFile(str(tmp_path / "log"), limits.get("max_size", 0), limits.get("max_file", 1))
    made = LogWriter(str(tmp_path / "note"))
    made.open(log)
    return made


def texts(tmp_path):
    return [line.split(" ", 1)[1] for line in (tmp_path / "log").read_text().splitlines()]


def test_records_of_a_chunk():
    assert render_records(b"a\n\nb", "stderr", "T") == b"T stderr F a\nT stderr F \nT stderr P b\n"
    assert render_records(b"\n", "stdout", "T") == b"T stdout F \n"


def test_pumping_empties_the_pipe_to_its_end(tmp_path, pipe):
    log = writer(tmp_path)
    assert log.pump(pipe.reader, 1) == b""
    os.write(pipe.writer, b"one\ntwo")
    assert log.pump(pipe.reader, 1) == b"one\ntwo"
    assert pipe.waiting() == 0
    assert texts(tmp_path) == ["stdout F one", "stdout P two"]
    other, last = os.pipe2(os.O_NONBLOCK)
    os.close(last)
    assert log.pump(other, 1) is None
    os.close(other)


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the writer runs after it."""


@pytest.mark.parametrize("moment", ["before the note", "half written", "written", "taken"])
def test_a_writer_killed_at_any_moment_loses_and_repeats_nothing(tmp_path, pipe, moment, monkeypatch):
    first = writer(tmp_path)
    os.write(pipe.writer, b"earlier\n")
    first.pump(pipe.reader, 2)
    os.write(pipe.writer, b"one\ntwo\n")
    log = first._log

    def die(*_arguments):
        raise Killed

    def append_half(text):
        os.write(log._fd, text[: len(text) // 2])
        raise Killed

    def take_and_die(fd, count):
        os.read(fd, count)
        raise Killed

    step = {
        "before the note": (log, "make_room", die),
        "half written": (log, "append", append_half),
        "written": (first, "_take", die),
        "taken": (first, "_take", take_and_die),
    }[moment]
    monkeypatch.setattr(*step)
    with pytest.raises(Killed):
        first.pump(pipe.reader, 2)
    os.write(pipe.writer, b"three\n")
    second = writer(tmp_path)
    second.recover({1: -1, 2: pipe.reader})
    while second.pump(pipe.reader, 2):
        pass
    assert texts(tmp_path) == [f"stderr F {word}" for word in ("earlier", "one", "two", "three")]


def test_a_full_disk_loses_the_chunk_and_is_reported(tmp_path, pipe, monkeypatch, capfd):
    log = writer(tmp_path)

    def full(_text):
        raise OSError(28, "No space left on device")

    os.write(pipe.writer, b"one\n")
    monkeypatch.setattr(log._log, "append", full)
    assert log.pump(pipe.reader, 1) == b"one\n"
    monkeypatch.undo()
    os.write(pipe.writer, b"two\n")
    log.pump(pipe.reader, 1)
    assert texts(tmp_path) == ["stdout F two"]
    assert "bytes lost: No space left" in capfd.readouterr().err


def test_a_line_without_an_end_does_not_go_on_in_the_next_run(stack):
    container = stack.shell("printf unfinished; printf also >&2")
    container.finish()
    assert [record[1:] for record in container.records() if record[2] == "F"] == [
        ["stderr", "F", ""],
        ["stdout", "F", ""],
    ]
    container.config["process"]["args"] = ["echo", "next"]
    container.write()
    container.finish()
    assert container.texts("stdout") == ["unfinished", "next"]
    assert container.texts("stderr") == ["also"]


def test_a_shim_that_took_over_closes_the_line_of_the_one_before(stack):
    container = stack.shell("printf unfinished; read line < /go", stdin=False)
    os.makedirs(f"{container.directory}/upper", exist_ok=True)
    os.mkfifo(f"{container.directory}/upper/go")
    container.run()
    eventually(lambda: container.texts("stdout") == ["unfinished"])
    before = container.shim
    container.kill_shim()
    eventually(lambda: container.shim != before)
    with open(f"/proc/{container.state().pid}/root/go", "w") as file:
        file.write("on\n")
    container.wait()
    assert container.records()[-1][1:] == ["stdout", "F", ""]


def test_a_finished_line_is_followed_by_nothing(stack):
    container = stack.container("echo", "whole")
    container.finish()
    assert [record[1:] for record in container.records()] == [["stdout", "F", "whole"]]

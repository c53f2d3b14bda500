"""Directories of the machine that runs mount on: made once, and removed with the last run that needs them."""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import contextmanager

import pytest

from tests.apart import make_directories
from tests.run import PREFIX, Run

pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="only root makes them")]


@pytest.fixture
def wanted(tmp_path):
    """Paths, in place of those of the machine, and their modes."""
    return {f"{tmp_path}/{name}": 0o700 for name in ("run", "lib")}


@contextmanager
def a_run(tmp_path, word):
    """Until the end of the block it goes on, as its lock says."""
    run = Run(tmp_path / f"{PREFIX}{word}")
    run.base.mkdir()
    with (run.base / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield run


def present(wanted):
    return [path for path in wanted if os.path.isdir(path)]


def test_runs_that_begin_at_once_make_each_directory_once(tmp_path, wanted):
    with a_run(tmp_path, "one") as one, a_run(tmp_path, "two") as two:
        threads = [threading.Thread(target=make_directories, args=(run, wanted)) for run in (one, two)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = [(run.base / "made").read_text().splitlines() for run in (one, two)]
        assert sorted(made) == [[], list(wanted)]


def test_a_run_that_ends_leaves_them_to_one_that_goes_on(tmp_path, wanted):
    with a_run(tmp_path, "one") as one, a_run(tmp_path, "two") as two:
        make_directories(one, wanted)
        make_directories(two, wanted)
        one.remove_made()
        assert present(wanted) == list(wanted)
        two.remove_made()
        assert present(wanted) == []


def test_a_run_whose_reaper_was_killed_is_no_heir(tmp_path, wanted):
    with a_run(tmp_path, "one") as one:
        make_directories(one, wanted)
        with a_run(tmp_path, "two") as two:
            make_directories(two, wanted)
        one.remove_made()
    assert present(wanted) == []


def test_what_was_there_or_is_not_empty_stays(tmp_path, wanted):
    run_directory, lib = wanted
    os.mkdir(run_directory)
    with a_run(tmp_path, "one") as one:
        make_directories(one, wanted)
        os.mkdir(f"{lib}/kept")
        one.remove_made()
    assert present(wanted) == [run_directory, lib]

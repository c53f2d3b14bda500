"""What is carried out again and what is not; builds that are killed, that fail, and several at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestra.build.event import StepOutput, StepStarted
from orchestra.build.step import BindMount, CacheMount, ContextFiles, Copy, Network, Run, Scratch
from orchestra.driver.local.build.builder import opened_builder
from orchestra.driver.local.build.execute import StepError
from orchestra.driver.local.build.given import Given, RunOptions
from orchestra.driver.local.build.records import load_record
from orchestra.driver.local.build.stack import BUILDS
from orchestra.driver.local.build.waiting import Interrupted
from orchestra.driver.local.image.content.collect import collect
from orchestra.driver.local.image.content.parts import load_parts
from orchestra.driver.local.image.content.store import ContentStore
from orchestra.driver.local.image.store import ImageStore
from orchestra.driver.local.snapshot import Snapshotter
from orchestra.home import Home
from tests.driver.local.build.making import MACHINE, PATH, build, graph, shell
from tests.driver.local.image.making import needs_root

pytestmark = needs_root


def two_copies():
    return graph(Scratch(), ContextFiles(), Copy(0, 1, ("a",), "/"), Copy(2, 1, ("b",), "/"))


def test_nothing_is_done_twice(home, context):
    first = build(home, two_copies(), context)
    assert (first.made, first.cached) == ([2, 3], [])
    second = build(home, two_copies(), context)
    assert (second.started, second.cached) == ([], [2, 3])
    assert second.id == first.id


@pytest.mark.parametrize(
    ("change", "made"),
    [
        (lambda path: (path / "a").write_text("new"), [2, 3]),
        (lambda path: (path / "b").write_text("new"), [3]),
        (lambda path: (path / "b").chmod(0o755), [3]),
        (lambda path: os.utime(path / "a", (1, 1)), []),
        (lambda path: os.chown(path / "a", 5, 5), []),
        (lambda path: (path / "c").write_text("another"), []),
    ],
    ids=["first file", "second file", "mode", "time", "owner", "file that is not copied"],
)
def test_only_what_depends_on_a_change_is_done_again(home, context, change, made):
    build(home, two_copies(), context)
    change(context)
    assert build(home, two_copies(), context).made == made


def test_a_change_of_the_same_size_in_the_same_moment_is_noticed(home, context):
    for number in range(5):
        (context / "a").write_text(str(number))
        assert build(home, two_copies(), context).files()["a"].endswith(str(number))


def test_other_stacks_and_names_share_what_is_known(home, context, tmp_path):
    build(home, two_copies(), context, names=("docker.io/library/one:latest",))
    shutil.copytree(context, tmp_path / "elsewhere")
    again = build(home, two_copies(), tmp_path / "elsewhere", names=("docker.io/library/two:latest",))
    assert again.started == []
    assert sorted(ContentStore(home.content).entries()) == [
        "docker.io/library/one:latest",
        "docker.io/library/two:latest",
    ]


def test_uncached_steps_and_what_depends_on_them_are_done_again(home):
    steps = (MACHINE, shell(0, "cat /proc/sys/kernel/random/uuid > /x"), shell(1, "cp /x /y"))
    first = build(home, graph(*steps))
    second = build(home, graph(*steps, uncached=frozenset({1})))
    assert second.made == [1, 2]
    assert second.id != first.id
    assert second.files()["x"] == second.files()["y"]
    # From now on the later results are the known ones.
    assert build(home, graph(*steps)).id == second.id


def test_a_failed_step_leaves_those_before_it_known(home):
    steps = (MACHINE, shell(0, "touch /one"), shell(1, "touch /two; false"))
    with pytest.raises(StepError):
        build(home, graph(*steps))
    fixed = build(home, graph(*steps[:2], shell(1, "touch /two")))
    assert (fixed.cached, fixed.made) == ([1], [2])


def test_independent_steps_run_at_the_same_time_and_a_failure_ends_the_others(home):
    mounts = (CacheMount("/meeting", "meeting"),)
    forever = shell(0, "touch /meeting/here; sleep infinity", mounts=mounts)
    failing = shell(0, "until [ -e /meeting/here ]; do sleep 0.01; done; exit 7", mounts=mounts)
    with pytest.raises(StepError, match="exit code 7"):
        build(home, graph(MACHINE, forever, failing, Copy(1, 2, ("etc/hostname",), "/")))
    assert leftovers(home) == []


def test_steps_that_nothing_needs_are_not_done_for_a_known_result(home):
    steps = (MACHINE, shell(0, "touch /one"), shell(0, "touch /two"), Copy(1, 2, ("two",), "/"))
    build(home, graph(*steps))
    os.unlink(f"{home.builds}/steps/{key_of(home, 'step 2')}.json")
    assert build(home, graph(*steps)).started == []


def key_of(home, name):
    for file in os.listdir(f"{home.builds}/steps"):
        if load_record(f"{home.builds}/steps/{file}")["name"] == name:
            return file.removesuffix(".json")
    raise AssertionError(name)


def test_layers_hold_what_changed_and_marks_for_what_is_gone(home):
    steps = (
        MACHINE,
        shell(0, "mkdir -p /d/e; echo 1 > /d/one; echo 2 > /d/two; ln /d/one /d/same; mkfifo /d/fifo"),
        shell(1, "rm /d/two; rm -r /d/e; mkdir /d/e; touch /d/e/new; setfattr -n user.x -v y /d/one || true"),
    )
    built = build(home, graph(*steps))
    content = ContentStore(home.content)
    parts = load_parts(content, built.digest)
    names = []
    for blob in parts.layers:
        done = subprocess.run(["tar", "tzf", content.path(blob.digest)], capture_output=True, text=True, check=True)
        names.append([line for line in done.stdout.split() if line.startswith("d/")])
    assert names[0] == ["d/", "d/e/", "d/fifo", "d/one", "d/same", "d/two"]
    assert {"d/.wh.two", "d/e/.wh..wh..opq", "d/e/new"} <= set(names[1])
    assert "d/fifo" not in names[1]


def test_the_same_digest_on_every_machine_with_source_date_epoch(tmp_path, context):
    epoch = 1_600_000_000
    ids = set()
    for name in ("one", "two"):
        home = Home(f"{tmp_path}/{name}/data", f"{tmp_path}/{name}/run")
        steps = (MACHINE, ContextFiles(), Copy(0, 1, (".",), "/app/"), shell(2, "date > /dev/null; echo x > /app/x"))
        built = build(home, graph(*steps, config={"Cmd": ["x"]}), context, epoch=epoch)
        ids.add((built.id, built.digest))
        [layer] = [one for one in ImageStore(home).resolve(built.digest).layers if os.path.exists(f"{one}/app/x")]
        assert os.stat(f"{layer}/app/x").st_mtime == epoch
        for path in context.iterdir():
            os.utime(path)
    assert len(ids) == 1


def test_another_builder_waits_and_takes_what_the_first_has_made(home):
    steps = (MACHINE, shell(0, "mkfifo /meeting/go; cat /meeting/go > /made", mounts=(CacheMount("/meeting", "m"),)))
    pipe = f"{home.builds}/caches/{hashlib.sha256(b'm').hexdigest()}/data/go"
    results, waits = [], threading.Event()

    def hear(event):
        if isinstance(event, StepOutput) and "waiting for another build" in event.line:
            waits.set()

    threads = [threading.Thread(target=lambda: results.append(build(home, graph(*steps), hear=hear))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert waits.wait(30)
    wait_until(lambda: os.path.exists(pipe))
    with open(pipe, "w") as file:
        file.write("once")
    for thread in threads:
        thread.join()
    assert sorted(len(built.made) for built in results) == [0, 1]
    assert len({built.id for built in results}) == 1


AGAIN = """
import sys
from pathlib import Path
from orchestra.build.step import ContextFiles, Copy
from orchestra.home import Home
from tests.driver.local.build.making import MACHINE, build, graph, shell
home, context = Home(*sys.argv[1:3]), Path(sys.argv[3])
build(home, graph(MACHINE, ContextFiles(), Copy(0, 1, (".",), "/app/"), shell(2, "echo x > /app/x")), context)
print(*sys.modules)
"""
CARRYING_OUT = "making copy run layer_archives processors download attestations cache_from cache_to other"


def test_what_carries_out_steps_is_only_loaded_for_steps_that_are(home, context):
    arguments = [sys.executable, "-c", AGAIN, home.data, home.run, str(context)]
    first, again = (subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.split() for _ in "12")
    modules = {f"orchestra.driver.local.build.{name}" for name in CARRYING_OUT.split()}
    modules |= {"tarfile", "tempfile", "orchestra.driver.local.net.endpoint", "orchestra.container.init"}
    assert {"orchestra.driver.local.build.making", "orchestra.driver.local.build.layer_archives"} <= {*first}
    assert not modules & {*again}


KILLED = """
import os, sys
from orchestra.home import Home
from tests.driver.local.build.making import MACHINE, PATH, build, graph, shell
from orchestra.build.step import Copy, ContextFiles
from pathlib import Path
home, context, place = Home(*sys.argv[1:3]), Path(sys.argv[3]), sys.argv[4]
calls = int(sys.argv[5])
import orchestra.driver.local.build.layer_archives as layer_archives
import orchestra.driver.local.build.builder as builder, orchestra.driver.local.snapshot as snapshot
def dying(function):
    def call(*arguments, **named):
        global calls
        calls -= 1
        if calls < 0:
            os.kill(os.getpid(), 9)
        return function(*arguments, **named)
    return call
for name in place.split(","):
    module, _, function = name.partition(":")
    setattr(globals()[module], function, dying(getattr(globals()[module], function)))
steps = (MACHINE, ContextFiles(), Copy(0, 1, (".",), "/app/"), shell(2, "echo x > /app/x"), shell(3, "rm /app/a"))
build(home, graph(*steps), context, names=("docker.io/library/killed:latest",))
"""
PLACES = [
    ("layer_archives:write_archive", 0),
    ("layer_archives:write_archive", 1),
    ("snapshot:sync_file_system", 0),
    ("snapshot:sync_file_system", 2),
    ("builder:add_image", 0),
]


@pytest.mark.parametrize(("place", "calls"), PLACES)
def test_nothing_half_made_is_used_after_a_kill(home, context, place, calls):
    arguments = [home.data, home.run, str(context), place, str(calls)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "docker.io/library/killed:latest" not in ContentStore(home.content).entries()
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments[:-1], "1000"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    entry = ContentStore(home.content).entries()["docker.io/library/killed:latest"]
    layers = ImageStore(home).resolve(entry.digest).layers
    assert any(os.path.exists(f"{layer}/app/x") for layer in layers)
    assert leftovers(home) == []
    check_layers(home)


def test_a_command_dies_with_its_builder(home):
    code = (
        "import sys; from orchestra.home import Home; from tests.driver.local.build.making import *\n"
        "build(Home(*sys.argv[1:]), graph(MACHINE, shell(0, 'echo begun; sleep 600')),"
        "hear=lambda event: print(event, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code, *home], stdout=subprocess.PIPE, text=True) as process:
        assert any("line='begun'" in line for line in process.stdout)
        assert len(containers(home)) == 1
        process.kill()
    wait_until(lambda: not processes_of(home))
    build(home, graph(MACHINE, shell(0, "true")))
    assert leftovers(home) == []


def test_a_command_ends_with_its_keeper(home):
    def kill(event):
        if isinstance(event, StepOutput) and event.line == "begun":
            [keeper] = children_of(runner())
            os.kill(keeper, signal.SIGKILL)

    with pytest.raises(StepError, match="was killed"):
        build(home, graph(MACHINE, shell(0, "echo begun; sleep 600")), hear=kill)
    assert leftovers(home) == []


def test_when_the_process_that_begins_commands_is_killed_they_go_on_and_another_one_is_begun(home):
    seen = []

    def kill(event):
        if isinstance(event, StepOutput) and event.line in ("begun", "next"):
            seen.append(runner())
            os.kill(seen[-1], signal.SIGKILL)

    steps = (
        shell(0, "echo begun; sleep 0.2; echo ended > /orchestra-test"),
        shell(1, "echo next; cat /orchestra-test"),
    )
    built = build(home, graph(MACHINE, *steps), hear=kill)
    assert [event.line for event in built.events if isinstance(event, StepOutput)] == ["begun", "next", "ended"]
    assert len(set(seen)) == 2
    assert leftovers(home) == []


def runner():
    """The process that begins the commands of this one's builds."""
    [pid] = [pid for pid in children_of(os.getpid()) if any(word.endswith("/run_process.py") for word in words_of(pid))]
    return pid


def children_of(pid):
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def words_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def processes_of(home):
    """The first words of what still runs for builds of this home."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read().replace(b"\0", b" ").decode()
            if home.run in line and "run_process" in line:
                found.append(line)
    return found


def wait_until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def containers(home):
    return os.listdir(home.stack(BUILDS).containers)


def leftovers(home):
    """What a build has not removed."""
    found = [left for left in Snapshotter(home).leftovers({}) if left.stack == BUILDS]
    return [
        *found,
        *os.listdir(f"{home.run}/stacks"),
        *Path(home.snapshots, "layers").glob("*.new*"),
    ]


def check_layers(home):
    """Every record names layers that are there."""
    for file in os.listdir(f"{home.builds}/steps"):
        assert load_record(f"{home.builds}/steps/{file}")["tree"]["diff_ids"]


def test_collecting_keeps_what_builds_know_and_waits_for_builds(home, context):
    built = build(home, two_copies(), context)
    collect(home)
    assert ContentStore(home.content).size(built.digest) < 0
    assert build(home, two_copies(), context).id == built.id
    waited = threading.Event()
    with opened_builder(home):
        thread = threading.Thread(target=collect, args=(home, waited.set))
        thread.start()
        assert waited.wait(20)
        assert thread.is_alive()
    thread.join()


def test_environment_of_a_step_counts(home):
    step = shell(0, "env | grep ^X= > /x")
    steps = [Run(step.base, step.arguments, (*step.environment, ("X", value))) for value in ("1", "2")]
    assert [build(home, graph(MACHINE, one)).files()["x"] for one in (*steps, steps[0])] == [
        "644 X=1\n",
        "644 X=2\n",
        "644 X=1\n",
    ]


def test_a_build_that_waits_for_another_can_be_cancelled(home):
    steps = (MACHINE, shell(0, "mkfifo /meeting/go; cat /meeting/go > /made", mounts=(CacheMount("/meeting", "m"),)))
    pipe = f"{home.builds}/caches/{hashlib.sha256(b'm').hexdigest()}/data/go"
    first = threading.Thread(target=build, args=(home, graph(*steps)))
    first.start()
    wait_until(lambda: os.path.exists(pipe))
    given = Given({}, {}, RunOptions(Network.NONE))
    with opened_builder(home) as builder:
        bases = {MACHINE: builder.prepare(MACHINE, "/", pull=False, hear=lambda _: None)}

        def hear(event):
            if isinstance(event, StepOutput) and "waiting for another build" in event.line:
                builder.cancel()

        with pytest.raises(Interrupted):
            builder.build(graph(*steps), given, bases, (), hear)
    with open(pipe, "w") as file:
        file.write("once")
    first.join()


def two_stages(command, *, uncached=frozenset()):
    """A file of the first stage in the second one, and a command after it."""
    first = (MACHINE, shell(0, command), Scratch(), Copy(2, 1, ("out/file",), "/got/"))
    return graph(*first, MACHINE, Copy(4, 3, ("got",), "/"), shell(5, "cat /file > /after"), uncached=uncached)


def test_files_of_a_stage_that_are_the_same_are_known_whatever_made_them(home):
    make = "mkdir /out; echo same > /out/file; echo {} > /out/other"
    first = build(home, two_stages(make.format(1)))
    second = build(home, two_stages(make.format(2)))
    assert second.made == [1]
    assert second.id == first.id
    # What was known by its files is known by its words too now.
    assert build(home, two_stages(make.format(2))).started == []
    # A step after them that is new is known in the same way.
    grown = [graph(*two_stages(make.format(n)).steps, shell(6, "touch /new")) for n in (2, 3)]
    assert [build(home, one).made for one in grown] == [[7], [1]]


SET_ATTRIBUTE = f'{sys.executable} -Ic \'import os; os.setxattr("/out/file", "user.a", b"b")\''


@pytest.mark.parametrize(
    "command",
    [
        "mkdir /out; echo other > /out/file",
        "mkdir /out; echo same > /out/file; chmod 600 /out/file",
        "mkdir /out; echo same > /out/file; chown 5 /out/file",
        "mkdir /out; ln -s /etc/hostname /out/file",
        f"mkdir /out; echo same > /out/file; {SET_ATTRIBUTE}",
    ],
)
def test_files_of_a_stage_that_differ_in_anything_but_time_are_copied_again(home, command):
    build(home, two_stages("mkdir /out; echo same > /out/file"))
    assert build(home, two_stages(command)).made == [1, 3, 5, 6]


def test_a_stage_that_is_made_again_counts_for_what_it_is_now(home):
    mounts = (CacheMount("/count", "count"),)
    changing = Run(0, ("/bin/sh", "-ec", "mkdir /out; echo >> /count/x; cp /count/x /out/file"), PATH, mounts=mounts)
    steps = (MACHINE, changing, Scratch(), Copy(2, 1, ("out/file",), "/"))
    build(home, graph(*steps))
    again = build(home, graph(*steps, uncached=frozenset({1})))
    assert again.made == [1, 3]
    assert again.files()["file"] == "644 \n\n"
    shown = graph(*steps, shell(0, "cp /m/file /x", mounts=(BindMount("/m", 3),)), uncached=frozenset({1}))
    assert [build(home, shown).files()["x"] for _ in range(2)] == ["644 \n\n\n", "644 \n\n\n\n"]
    same = two_stages("mkdir /out; echo same > /out/file", uncached=frozenset({1}))
    build(home, same)
    assert build(home, same).made == [1]


@pytest.mark.parametrize("through", ["copy", "mount"])
def test_a_context_that_changes_while_it_is_copied_never_counts_as_what_was_read(home, context, through):
    """It changes after its digest was taken, and has its old content again when the build is over."""
    taking = Copy(0, 1, ("a",), "/") if through == "copy" else shell(0, "cp /c/a /a", mounts=(BindMount("/c", 1),))
    wanted = graph(MACHINE, ContextFiles(), taking, shell(2, "cp /a /b"))

    def change(event):
        if isinstance(event, StepStarted) and event.step == 2:
            (context / "a").write_text("B")
        if isinstance(event, StepStarted) and event.step == 3:
            (context / "a").write_text("a")

    changed = build(home, wanted, context, hear=change)
    assert [event.line for event in changed.events if isinstance(event, StepOutput)] == [
        "files of the context changed while they were read: build again"
    ]
    assert changed.files()["a"].endswith("B")
    again = build(home, wanted, context)
    assert again.made == [2, 3]
    assert again.files()["b"].endswith("a")


def test_directories_that_parents_keeps_count_with_their_modes(home, context):
    (context / "d").mkdir()
    (context / "d/file").write_text("x")
    wanted = graph(Scratch(), ContextFiles(), Copy(0, 1, ("d/file",), "/", parents=True))
    build(home, wanted, context)
    (context / "d").chmod(0o700)
    assert build(home, wanted, context).files()["d"] == "dir 700"

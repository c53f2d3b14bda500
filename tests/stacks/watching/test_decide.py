"""What a batch of changes means."""

from __future__ import annotations

from orchestra.model.watch import WatchCommand
from orchestra.stacks.watching.decide import After, decide
from orchestra.stacks.watching.tree import Changes
from tests.stacks.watching.conftest import TEST, rule


def changes(*changed, removed=()) -> Changes:
    return Changes(frozenset(removed), frozenset(changed))


def told(*rows):
    """Each service's work in words."""
    words = {}
    for work in decide(rows):
        parts = ["rebuild"] if work.rebuild else []
        for sync in work.syncs:
            gone = [f"-{path}" for path in sorted(sync.changes.removed)]
            parts.append(" ".join(["sync", *sorted(sync.changes.changed), *gone]))
        parts += ["restart"] if work.restart else []
        parts += [f"exec {' '.join(command.command)}" for command in work.commands]
        words[work.service] = "; ".join(parts)
    return words


def test_each_action_does_what_it_is_called():
    one = changes("a")
    assert told((rule("sync"), one)) == {"web": "sync a"}
    assert told((rule("restart"), one)) == {"web": "restart"}
    assert told((rule("sync+restart"), one)) == {"web": "sync a; restart"}
    assert told((rule("sync+exec"), one)) == {"web": "sync a; exec make test"}
    assert told((rule("rebuild"), one)) == {"web": "rebuild"}


def test_rules_without_changes_do_nothing():
    assert told((rule("sync"), changes()), (rule("restart"), changes())) == {}


def test_removals_are_synced():
    assert told((rule("sync"), changes("a", removed=["b", "c"]))) == {"web": "sync a -b -c"}


def test_a_rebuild_makes_the_rest_of_a_service_needless_and_no_other_one():
    assert told(
        (rule("sync"), changes("a")),
        (rule("rebuild", path="/project/package.json"), changes("")),
        (rule("sync+restart", service="worker"), changes("a")),
    ) == {"web": "rebuild", "worker": "sync a; restart"}


def test_a_batch_restarts_a_service_once_and_runs_each_command_once():
    other = rule("sync+exec", path="/b", exec=WatchCommand(("migrate",)))
    assert told(
        (rule("sync+restart"), changes("a", "b")),
        (rule("restart", path="/c"), changes("")),
        (rule("sync+exec", path="/d"), changes("x")),
        (rule("sync+exec", path="/e"), changes("y")),
        (other, changes("z")),
    ) == {"web": "sync a b; sync x; sync y; sync z; restart; exec make test; exec migrate"}


def test_a_path_of_several_rules_counts_once():
    works = decide([(rule("sync"), changes("src/a")), (rule("restart", path="/project/src"), changes("a"))])
    assert [work.paths for work in works] == [1]


def test_what_waits_for_a_service_becomes_one():
    assert After(restart=True) | After(commands=(TEST,)) == After(restart=True, commands=(TEST,))
    assert After(commands=(TEST,)) | After(commands=(TEST,)) == After(commands=(TEST,))
    assert not After()
    assert After(restart=True)

"""What is said of options that have no meaning in a cluster, in the words that were typed."""

from __future__ import annotations

import shlex

import pytest

from orchestra.cli import table
from orchestra.cli.cluster_rules import KEPT
from orchestra.cli.start import start


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("plan --driver swarm --renew-anon-volumes", "--renew-anon-volumes has no effect with --driver swarm"),
        ("plan --driver kubernetes web", "web has no effect with --driver kubernetes"),
        ("scale --driver swarm --no-deps web=2", "--no-deps has no effect"),
        ("ps --driver swarm -a", "--all has no effect"),
        ("down --driver swarm -t 4", "--timeout has no effect"),
        ("logs --driver kubernetes --until 1h", "--until has no effect"),
        ("ps --driver swarm --namespace shop", "--namespace is for Kubernetes"),
        ("ps --driver kubernetes --manager tcp://a:1", "use it with --driver swarm"),
        ("ps --driver swarm --manager tcp://a:1 --context b", "--manager and --context cannot be combined"),
        ("ps --manager tcp://a:1", "--manager is about a cluster"),
        ("deploy --driver swarm --host tcp://a:1", "name a manager of a swarm with --manager"),
        ("--host tcp://a:1 deploy --driver swarm", "--manager names a manager of a swarm"),
    ],
)
def test_what_has_no_meaning_is_refused(line, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRA_HOME", str(tmp_path / "home"))
    (tmp_path / "compose.yaml").write_text("services:\n  web: {image: web}\n")
    assert start(shlex.split(line)) != 0
    assert said in capsys.readouterr().err


def test_the_rules_are_about_options_that_exist():
    for name, kept in KEPT.items():
        command = table.find_command(name)
        known = {option.name for option in table.options_after(command)} | {one.name for one in command.arguments}
        assert kept <= known
    clustered = {
        command.name for command in table.COMMANDS if any(option.name == "manager" for option in command.options)
    }
    assert clustered == KEPT.keys()

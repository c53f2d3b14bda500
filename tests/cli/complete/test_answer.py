"""The scripts are answered in silence, whatever is wrong: an error has no place in a line that is being typed."""

from __future__ import annotations

import pytest

from orchestra.home import Home

FILE = "services: {web: {image: a}, worker: {image: b}}"


@pytest.fixture
def complete(orchestra, tmp_path):
    """The words that are offered, and what they mean."""
    (tmp_path / "empty/compose.yaml").write_text(FILE)

    def complete(*words):
        code, out, err = orchestra("__complete", "zsh", *words)
        assert (code, err) == (0, "")
        return dict(line.split("\t") for line in out.splitlines())

    return complete


def test_services_are_those_of_the_file_and_of_containers(complete, by_hand):
    by_hand.create("orphan")
    assert list(complete("-p", "s", "logs", "")) == ["web", "worker", "orphan"]
    assert list(complete("logs", "web", "")) == ["worker"]
    assert list(complete("config", "--hash", "web,")) == ["web,worker"]
    assert list(complete("config", "--explain", "w")) == ["web.", "worker."]


def test_a_copy_is_from_or_to_a_service_or_a_file(complete, orchestra):
    assert list(complete("cp", "w")) == ["web:", "worker:"]
    assert list(complete("cp", "web:/etc/hostname", "wo")) == ["worker:"]
    assert orchestra("__complete", "zsh", "cp", "./w")[1] == ":files\n"
    assert complete("cp", "web:/e") == {}, "that is no file of this machine"


def test_a_container_is_measured_and_its_ports_are_offered(complete, by_hand):
    assert list(complete("stats", "w")) == ["web", "worker"]
    assert list(complete("port", "w")) == ["web", "worker"]
    assert complete("port", "web", "") == {}, "it does not run"


def test_commands_and_options_say_what_they_do(complete):
    assert complete("dow") == {"down": "Stop and remove containers and networks"}
    assert complete("down", "--vol") == {"--volumes": "Also remove the stack's own volumes"}


@pytest.mark.parametrize("text", ["services: [", "services: {web: {imge: x}}", "\x00", "", "services: {web: {image: $"])
def test_a_broken_file_offers_nothing(complete, tmp_path, text):
    (tmp_path / "empty/compose.yaml").write_text(text)
    assert complete("up", "") == {}
    assert complete("--profile", "") == {}
    assert "--wait" in complete("up", "--")


@pytest.mark.parametrize(
    "words", [("-f", "missing.yaml", "up", ""), ("-f", ".", "up", ""), ("-f", "-", "up", ""), ("--bogus", "up", "x")]
)
def test_what_cannot_be_read_offers_nothing(complete, words):
    assert complete(*words) == {}


def test_a_user_without_a_home_is_offered_nothing(complete, monkeypatch):
    nowhere = Home("~/.local/share/orchestra", "/tmp/orchestra-12345")
    monkeypatch.setattr("orchestra.stacks.context.find_home", lambda _environment, _uid: nowhere)
    assert complete("up", "") == {}
    assert complete("-p", "") == {}


def test_names_that_a_shell_would_not_read_as_one_word_are_left_out(complete, by_hand):
    for number, service in enumerate(("a b", "$(id)", "tab\tx", "fine")):
        by_hand.create(service, name=f"s-{number}")
    assert list(complete("-p", "s", "ps", "")) == ["web", "worker", "fine"]


def test_a_script_that_asks_for_nothing_gets_nothing(orchestra):
    assert orchestra("__complete") == (0, "", "")
    assert orchestra("__complete", "bash") == (0, "", "")

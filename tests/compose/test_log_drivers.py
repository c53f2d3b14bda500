"""``logging`` of a service: its driver and options."""

from __future__ import annotations

import pytest

from orchestra.model.logging import LOG_FILES, LOG_SIZE, Logging, Receiver


def load(folder, logging: str):
    loaded = folder.load(f"services:\n  web:\n    image: x\n    logging: {logging}\n")
    return loaded.desired.replicas("web")[0].logging, [note.message for note in loaded.not_applied]


@pytest.mark.parametrize(
    ("logging", "size", "files"),
    [
        ("{}", LOG_SIZE, LOG_FILES),
        ("{driver: local}", LOG_SIZE, LOG_FILES),
        ("{options: {max-size: 1k}}", 1024, 1),
        ("{options: {max-size: '-1'}}", 0, 1),
        ("{options: {max-file: '2'}}", LOG_SIZE, 2),
        ("{driver: local, options: {max-size: 1k}}", 1024, LOG_FILES),
        ("{driver: syslog, options: {cache-max-size: 1k, cache-max-file: '3'}}", 1024, 3),
    ],
)
def test_every_log_file_has_a_limit(logging, size, files, folder):
    found, notes = load(folder, logging)
    assert (found.max_size, found.max_file) == (size, files)
    assert notes == []


def test_syslog_with_all_its_options(folder):
    found, notes = load(
        folder,
        "{driver: syslog, options: {syslog-address: 'tcp://[::1]:601', syslog-facility: local3, syslog-format: rfc5424,"
        " tag: 'a/{{.Name}}', mode: non-blocking, max-buffer-size: 2m, labels: 'a, b', env: C}}",
    )
    assert found.receiver == Receiver(
        "tcp://[::1]:601", "rfc5424", 19, "a/{{.Name}}", labels=("a", "b"), environment=("C",), buffer=2 << 20
    )
    assert notes == []


def test_what_has_no_effect_is_told(folder):
    assert load(folder, "{driver: journald, options: {mode: blocking}}")[1] == [
        "mode: a slow log receiver never holds a container: lines are lost instead, and counted"
    ]
    assert load(folder, "{options: {tag: x}}")[1] == ["the log option tag has no effect with json-file"]
    assert load(folder, "{driver: loki}")[1] == ["the log driver loki is not supported; json-file is used instead"]
    assert load(folder, "{driver: fluentd, options: {fluentd-address: x}}") == (
        Logging(),
        ["the log driver fluentd is not supported; json-file is used instead"],
    )


@pytest.mark.parametrize(
    ("logging", "told"),
    [
        ("{driver: sislog}", "unknown log driver sislog"),
        ("{driver: sislog}", "did you mean syslog?"),
        ("{driver: syslog, options: {syslog-facility: locale0}}", "did you mean local0?"),
        ("{driver: syslog, options: {syslog-facility: '24'}}", "is not a facility"),
        ("{driver: syslog, options: {syslog-format: rfc5425}}", "did you mean rfc5424?"),
        ("{driver: syslog, options: {syslog-address: '127.0.0.1:514'}}", "is not an address"),
        ("{driver: syslog, options: {syslog-address: 'udp://:514'}}", "names no host"),
        ("{driver: syslog, options: {syslog-address: 'udp://a:x'}}", "Port could not be cast"),
        ("{driver: syslog, options: {syslog-address: 'unix://dev/log'}}", "names no absolute path"),
        ("{driver: syslog, options: {tag: '{{.Nam}}'}}", "placeholders are {{.ID}}"),
        ("{driver: syslog, options: {tag: '{{range .X}}'}}", "a placeholder that is not known"),
        ("{driver: syslog, options: {mode: later}}", "neither blocking nor non-blocking"),
        ("{driver: syslog, options: {max-buffer-size: big}}", "max-buffer-size"),
    ],
)
def test_mistakes_are_refused_at_their_place(logging, told, folder):
    refused = folder.refused(f"services:\n  web:\n    image: x\n    logging: {logging}\n")
    assert told in refused
    assert "compose.yaml:4:" in refused

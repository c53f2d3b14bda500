"""``--change`` takes the instructions of a Dockerfile that concern an image's configuration."""

from __future__ import annotations

import pytest

from orchestra.driver.local.image.documents.changes import apply_changes
from orchestra.errors import UserError


@pytest.mark.parametrize(
    ("changes", "config"),
    [
        ([], {}),
        (['CMD ["a", "b c"]'], {"Cmd": ["a", "b c"]}),
        (["cmd a b c"], {"Cmd": ["/bin/sh", "-c", "a b c"]}),
        (["CMD one", "CMD two"], {"Cmd": ["/bin/sh", "-c", "two"]}),
        (['ENTRYPOINT ["run"]'], {"Entrypoint": ["run"]}),
        (['ENV A=1 B="x y"', "ENV A=2", "ENV C d e"], {"Env": ["A=2", "B=x y", "C=d e"]}),
        (["LABEL a=1", "LABEL b='2 3'"], {"Labels": {"a": "1", "b": "2 3"}}),
        (["EXPOSE 80 53/udp"], {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
        (['VOLUME ["/a", "/b"]', "VOLUME /c /d"], {"Volumes": {"/a": {}, "/b": {}, "/c": {}, "/d": {}}}),
        (["USER app:app", "STOPSIGNAL SIGINT"], {"User": "app:app", "StopSignal": "SIGINT"}),
        (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
        (["HEALTHCHECK CMD a | b"], {"Healthcheck": {"Test": ["CMD-SHELL", "a | b"]}}),
        (
            ['healthcheck --interval=1m30s  --timeout=2s --retries=4 cmd ["a", "b c"]'],
            {"Healthcheck": {"Test": ["CMD", "a", "b c"], "Interval": 90 * 10**9, "Timeout": 2 * 10**9, "Retries": 4}},
        ),
        (
            ["HEALTHCHECK --start-period=5s --start-interval=100ms CMD a --b"],
            {"Healthcheck": {"Test": ["CMD-SHELL", "a --b"], "StartPeriod": 5 * 10**9, "StartInterval": 10**8}},
        ),
        (["HEALTHCHECK CMD a", "HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
        (["WORKDIR a", "WORKDIR b", "WORKDIR ../c"], {"WorkingDir": "/a/c"}),
    ],
)
def test_instructions_become_configuration(changes, config):
    assert apply_changes(changes) == config


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("RUN ls", "RUN is not one of CMD"),
        ("CMD", "nothing follows CMD"),
        ("", "nothing follows"),
        ('CMD ["a"', "begins like a JSON list"),
        ("CMD [1]", "not a list of strings"),
        ("ENV =1", "has no value"),
        ("ENV A=1 B", "'B' has no value"),
        ('ENV A="1', "No closing quotation"),
        ("ENV A", "'A' has no value"),
        ('ENV "" x', "has no value"),
        ("HEALTHCHECK ls", "followed by NONE, or by options and CMD"),
        ("HEALTHCHECK CMD", "followed by NONE, or by options and CMD"),
        ("HEALTHCHECK CMD []", "followed by NONE, or by options and CMD"),
        ("HEALTHCHECK NONE ls", "followed by NONE, or by options and CMD"),
        ("HEALTHCHECK --retries=3 NONE", "followed by NONE, or by options and CMD"),
        ("HEALTHCHECK --interval=5s", "followed by NONE, or by options and CMD"),
        ("HEALTHCHECK --interval=5 CMD a", "'5' is not a duration"),
        ("HEALTHCHECK --interval=5us CMD a", "less than 1ms"),
        ("HEALTHCHECK --timeout=-5s CMD a", "less than 1ms"),
        ("HEALTHCHECK --retries=x CMD a", "--retries=x is not one of --interval=TIME"),
        ("HEALTHCHECK --every=5s CMD a", "--every=5s is not one of --interval=TIME"),
    ],
)
def test_what_is_none_is_refused(change, words):
    with pytest.raises(UserError, match=words) as refused:
        apply_changes([change])
    assert refused.value.hint

"""``--change`` takes the instructions of a Dockerfile that concern an image's configuration."""

from __future__ import annotations

import pytest

from orchestra.driver.local.image.changes import apply_changes
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
    ],
)
def test_what_is_none_is_refused(change, words):
    with pytest.raises(UserError, match=words) as refused:
        apply_changes([change])
    assert refused.value.hint

"""What instructions change in the configuration and the history of an image, as in BuildKit."""

from __future__ import annotations

import pytest

from orchestra.build.configuration import ImageConfiguration
from orchestra.build.graph import DEFAULT_PATH
from orchestra.record import replace
from tests.build.conftest import OPTIONS, built_of, graph_of


def configured(lines: str, base: ImageConfiguration | None = None) -> dict[str, object]:
    config = dict(built_of(lines, base=base or ImageConfiguration()).result.config)
    config["Env"] = [one for one in config["Env"] if not one.startswith("PATH=")]
    return {key: value for key, value in config.items() if value}


def history(lines: str) -> list[str]:
    return [entry.created_by for entry in built_of(lines).result.history]


BASE = ImageConfiguration(
    environment=(("A", "1"), ("B", "2")),
    working_directory="/base",
    user="app",
    entrypoint=("/entry",),
    command=("run",),
    labels={"l": "1"},
    volumes=frozenset({"/v"}),
    exposed_ports=frozenset({"80/tcp"}),
    stop_signal="SIGINT",
    shell=("/bin/bash", "-c"),
)


@pytest.mark.parametrize(
    ("lines", "config"),
    [
        ("ENV A=1 B=$A\nENV C=${A}x", {"Env": ["A=1", "B=", "C=1x"]}),
        ("ENV A=1\nENV A=2", {"Env": ["A=2"]}),
        ("ENV A=a\\ b B='$x' C=\"d e\" D=\\$x", {"Env": ["A=a b", "B=$x", "C=d e", "D=$x"]}),
        ("ENV A b  c", {"Env": ["A=b  c"]}),
        ("ARG A=1\nENV A=2 B=$A", {"Env": ["A=2", "B=1"]}),
        ("LABEL a=1 'b c'=\"d\"\nLABEL a=2", {"Labels": {"a": "2", "b c": "d"}}),
        ("WORKDIR a\nWORKDIR b/../c", {"WorkingDir": "/a/c"}),
        ("ARG D=/x\nWORKDIR $D/y/", {"WorkingDir": "/x/y"}),
        ("WORKDIR ../..", {"WorkingDir": "/"}),
        ("ARG U=me\nUSER ${U}:staff", {"User": "me:staff"}),
        ('VOLUME /b\nVOLUME ["/a", "/b"]', {"Volumes": {"/a": {}, "/b": {}}}),
        (
            "EXPOSE 80 53/UDP 8000-8001 9:90",
            {"ExposedPorts": {f"{one}": {} for one in ("53/udp", "80/tcp", "8000/tcp", "8001/tcp", "90/tcp")}},
        ),
        ("ARG P='1 2/udp'\nEXPOSE $P", {"ExposedPorts": {"1/tcp": {}, "2/udp": {}}}),
        ("CMD a $A", {"Cmd": ["/bin/sh", "-c", "a $A"]}),
        ('CMD ["a"]\nCMD ["b"]', {"Cmd": ["b"]}),
        ('SHELL ["/bin/bash", "-c"]\nCMD a', {"Shell": ["/bin/bash", "-c"], "Cmd": ["/bin/bash", "-c", "a"]}),
        ('CMD ["c"]\nENTRYPOINT ["e"]', {"Entrypoint": ["e"], "Cmd": ["c"]}),
        ("ENTRYPOINT e", {"Entrypoint": ["/bin/sh", "-c", "e"]}),
        ("STOPSIGNAL SIGRTMIN+3", {"StopSignal": "SIGRTMIN+3"}),
        ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
        (
            "HEALTHCHECK --retries=2 --timeout=1s CMD a",
            {"Healthcheck": {"Test": ["CMD-SHELL", "a"], "Timeout": 10**9, "Retries": 2}},
        ),
        ("ONBUILD RUN $x\nONBUILD COPY a b", {"OnBuild": ["RUN $x", "COPY a b"]}),
    ],
)
def test_an_instruction_changes_the_configuration(lines, config):
    assert configured(lines) == config


@pytest.mark.parametrize(
    ("lines", "changed"),
    [
        ("", {}),
        ("ENV A=3", {"Env": ["A=3", "B=2"]}),
        ("ENV C=$A$B", {"Env": ["A=1", "B=2", "C=12"]}),
        ("WORKDIR x", {"WorkingDir": "/base/x"}),
        ("CMD x", {"Cmd": ["/bin/bash", "-c", "x"]}),
        ('ENTRYPOINT ["e"]', {"Entrypoint": ["e"], "Cmd": None}),
        ("ENTRYPOINT []", {"Entrypoint": None, "Cmd": None}),
        ("LABEL m=2", {"Labels": {"l": "1", "m": "2"}}),
        ("VOLUME /w", {"Volumes": {"/v": {}, "/w": {}}}),
    ],
)
def test_a_stage_takes_over_the_configuration_of_its_base(lines, changed):
    whole = {**configured("", BASE), **changed}
    assert configured(lines, BASE) == {key: value for key, value in whole.items() if value}
    assert len(configured("", BASE)) == 10


def test_a_stage_without_base_has_a_search_path_and_the_root_as_directory():
    result = graph_of("FROM scratch\nCMD a").result
    assert result.config == {"Env": [f"PATH={DEFAULT_PATH}"], "Cmd": ["/bin/sh", "-c", "a"], "WorkingDir": "/"}


def test_the_author_and_the_labels_of_the_user_are_in_the_result():
    result = built_of("MAINTAINER me\nLABEL a=1 b=1", replace(OPTIONS, labels={"b": "2"})).result
    assert (result.author, result.config["Labels"]) == ("me", {"a": "1", "b": "2"})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("RUN a $b", ["RUN /bin/sh -c a $b # buildkit"]),
        ('RUN ["a", "b"]', ["RUN a b # buildkit"]),
        ("ARG A=1 B\nRUN x", ["ARG A=1 B", "RUN |2 A=1 B= /bin/sh -c x # buildkit"]),
        ("ENV A=1 B='x y'", ["ENV A=1 B=x y"]),
        ("LABEL a=b", ["LABEL a=b"]),
        ("COPY --chown=a --chmod=1 --parents b c d", ["COPY --parents --chown=a --chmod=1 b c d # buildkit"]),
        ("COPY <<a /b\na", ["COPY <<a /b # buildkit"]),
        ("ADD a b", ["ADD a b # buildkit"]),
        ("WORKDIR a", ["WORKDIR /a"]),
        ("USER a\nVOLUME /a /b", ["USER a", "VOLUME [/a /b]"]),
        ("EXPOSE 80 53/udp", ["EXPOSE [53/udp 80/tcp]"]),
        ('CMD ["a", "b\\"\\n"]', ['CMD ["a" "b\\"\\n"]']),
        ("ENTRYPOINT a", ['ENTRYPOINT ["/bin/sh" "-c" "a"]']),
        ("STOPSIGNAL 9", ["STOPSIGNAL 9"]),
        ('SHELL ["a", "-c"]', ["SHELL [a -c]"]),
        ("MAINTAINER a", ["MAINTAINER a"]),
        ("ONBUILD RUN a", []),
        (
            "HEALTHCHECK --interval=90s CMD a b",
            ["HEALTHCHECK {Test:[CMD-SHELL a b] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}"],
        ),
    ],
)
def test_history_is_written_as_buildkit_writes_it(lines, expected):
    assert history(lines) == expected

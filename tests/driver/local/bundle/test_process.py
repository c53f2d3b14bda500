"""What runs, as whom, with which variables, capabilities and limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.container import privileges
from orchestra.driver.local.bundle.capability import DEFAULT, choose_capabilities
from orchestra.driver.local.bundle.process import render_process
from orchestra.driver.local.bundle.world import HostFacts
from orchestra.driver.local.image.documents.config import ImageConfig
from orchestra.driver.local.user import User
from orchestra.errors import FatalError
from orchestra.linux.security.capabilities import NAMES
from orchestra.model.limits import Ulimit
from tests.driver.local.bundle.containers import attachment, render, spec

APP = User(1000, 1000, (1000, 44), "/home/app")
PATH = f"PATH={privileges.DEFAULT_PATH}"


@pytest.mark.parametrize(
    ("image_entrypoint", "image_command", "entrypoint", "command", "expected"),
    [
        ((), ("c",), None, None, ["c"]),
        (("e",), (), None, None, ["e"]),
        (("e",), ("c",), None, None, ["e", "c"]),
        (("e",), ("c",), None, ("x", "y"), ["e", "x", "y"]),
        (("e",), ("c",), ("n",), None, ["n"]),
        (("e",), ("c",), ("n",), ("x",), ["n", "x"]),
        (("e",), ("c",), (), None, ["c"]),
        (("e",), ("c",), (), ("x",), ["x"]),
        (("e",), ("c",), None, (), ["e"]),
        ((), (), ("n",), None, ["n"]),
        ((), (), None, ("x",), ["x"]),
    ],
)
def test_entrypoint_and_command_merge(image_entrypoint, image_command, entrypoint, command, expected):
    image = ImageConfig(entrypoint=image_entrypoint, command=image_command)
    assert render(image, entrypoint=entrypoint, command=command)["process"]["args"] == expected


@pytest.mark.parametrize(
    ("image", "more"),
    [
        (ImageConfig(), {}),
        (ImageConfig(command=("c",)), {"command": ()}),
        (ImageConfig(entrypoint=("e",)), {"entrypoint": ()}),
        (ImageConfig(), {"command": ("",)}),
    ],
)
def test_nothing_to_run_is_said_with_what_to_do(image, more):
    with pytest.raises(FatalError, match="service web") as caught:
        render(image, **more)
    assert caught.value.hint == "set `command`"


@pytest.mark.parametrize(
    ("image", "more", "user", "expected"),
    [
        pytest.param({}, {}, APP, [PATH, "HOSTNAME=s-web-1", "HOME=/home/app"], id="defaults"),
        pytest.param({}, {"tty": True}, APP, [PATH, "HOSTNAME=s-web-1", "TERM=xterm", "HOME=/home/app"], id="terminal"),
        pytest.param(
            {"TERM": "vt100", "PATH": "/bin", "A": "i"},
            {"tty": True, "environment": {"A": "s", "B": ""}},
            APP,
            ["PATH=/bin", "HOSTNAME=s-web-1", "TERM=vt100", "HOME=/home/app", "A=s", "B="],
            id="the service wins over the image, the image over defaults",
        ),
        pytest.param({"HOME": "/i"}, {}, APP, [PATH, "HOSTNAME=s-web-1", "HOME=/i"], id="the image's home"),
        pytest.param(
            {"HOME": "/i"},
            {"environment": {"HOME": "/s", "HOSTNAME": "other"}},
            APP,
            [PATH, "HOSTNAME=other", "HOME=/s"],
            id="the service's home and host name",
        ),
    ],
)
def test_environment(image, more, user, expected):
    config = render(ImageConfig(command=("c",), environment=image), user=user, **more)
    assert config["process"]["env"] == expected


@pytest.mark.parametrize(
    ("image", "own", "expected"),
    [("", "", "/"), ("/app", "", "/app"), ("app", "", "/app"), ("/app", "/srv", "/srv")],
)
def test_working_directory(image, own, expected):
    config = render(ImageConfig(command=("c",), working_directory=image), working_directory=own)
    assert config["process"]["cwd"] == expected


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"working_directory": "app"}, "working_dir app is not absolute"),
        ({"oom_score_adj": 1001}, "oom_score_adj 1001"),
        ({"oom_score_adj": -1001}, "oom_score_adj -1001"),
        ({"ulimits": (Ulimit("files", 1, 1),)}, "unknown ulimit files"),
        ({"ulimits": (Ulimit("nofile", 2, 1),)}, "the soft ulimit nofile is higher"),
        ({"ulimits": (Ulimit("nofile", -1, 1),)}, "the soft ulimit nofile is higher"),
        ({"cap_add": ("SYS_ADMINISTRATOR",)}, "unknown capability SYS_ADMINISTRATOR"),
        ({"cap_drop": ("CAP_ALL",)}, "unknown capability CAP_ALL"),
        ({"cap_drop": ("nothing",), "privileged": True}, "unknown capability nothing"),
    ],
)
def test_what_cannot_be_is_named_with_a_way_out(more, message):
    with pytest.raises(FatalError, match=message) as caught:
        render(**more)
    assert caught.value.message.startswith("service web: ")
    assert caught.value.hint


def test_limits():
    limits = (Ulimit("nofile", 1024, 4096), Ulimit("core", -1, -1), Ulimit("NPROC", 5, -1), Ulimit("locks", 1, 1))
    process = render(ulimits=limits, oom_score_adj=-5)["process"]
    unlimited = 2**64 - 1
    assert process["rlimits"] == [
        {"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 4096},
        {"type": "RLIMIT_CORE", "soft": unlimited, "hard": unlimited},
        {"type": "RLIMIT_NPROC", "soft": 5, "hard": unlimited},
    ]
    assert process["oomScoreAdj"] == -5


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, set(DEFAULT)),
        ({"cap_add": ("NET_ADMIN", "cap_sys_time")}, {*DEFAULT, "CAP_NET_ADMIN", "CAP_SYS_TIME"}),
        ({"cap_drop": ("CHOWN",)}, set(DEFAULT) - {"CAP_CHOWN"}),
        ({"cap_add": ("CHOWN",), "cap_drop": ("CHOWN",)}, set(DEFAULT)),
        ({"cap_drop": ("ALL",)}, set()),
        ({"cap_drop": ("all",), "cap_add": ("NET_BIND_SERVICE",)}, {"CAP_NET_BIND_SERVICE"}),
        ({"cap_add": ("ALL",)}, set(NAMES)),
        ({"cap_add": ("ALL",), "cap_drop": ("SYS_ADMIN",)}, set(NAMES) - {"CAP_SYS_ADMIN"}),
        ({"cap_add": ("ALL",), "cap_drop": ("ALL",)}, set(NAMES)),
        ({"privileged": True, "cap_drop": ("ALL",)}, set(NAMES)),
    ],
)
def test_capabilities(more, expected):
    assert set(choose_capabilities(spec(**more), NAMES)) == expected


def test_all_capabilities_are_those_of_the_host():
    host = HostFacts(capabilities=("CAP_KILL", "CAP_CHOWN"))
    for more in ({"privileged": True}, {"cap_add": ("ALL",)}):
        assert render(host=host, **more)["process"]["capabilities"]["bounding"] == ["CAP_CHOWN", "CAP_KILL"]


def test_who_is_not_root_has_a_bound_only():
    capabilities = render(user=APP, cap_add=("NET_ADMIN",))["process"]["capabilities"]
    assert "CAP_NET_ADMIN" in capabilities.pop("bounding")
    assert set(map(tuple, capabilities.values())) == {()}


words = st.lists(st.sampled_from([*NAMES, *(name.removeprefix("CAP_").lower() for name in NAMES)]), max_size=6)


def full(words):
    return {f"CAP_{word.upper().removeprefix('CAP_')}" for word in words}


@given(add=words, drop=words)
def test_capabilities_are_an_algebra_of_sets(add, drop):
    def chosen(add=(), drop=()):
        names = choose_capabilities(spec(cap_add=tuple(add), cap_drop=tuple(drop)), NAMES)
        assert list(names) == sorted(names, key=NAMES.index)
        return set(names)

    assert chosen(add, drop) == (set(DEFAULT) - full(drop)) | full(add)
    assert chosen(add, [*drop, "ALL"]) == full(add)
    assert chosen([*add, "ALL"], drop) == set(NAMES) - full(drop)
    assert chosen(add, drop) == chosen(reversed(add), reversed(drop)) == chosen(add + add, drop + drop)


# Programs executed later


def test_a_probe_runs_as_the_container_does():
    config = render(
        user=APP, environment={"A": "b"}, tty=True, oom_score_adj=3, security_options=("no-new-privileges",)
    )
    process = render_process(config, ("true", "x"))
    assert process == {**config["process"], "args": ["true", "x"], "terminal": False}


def test_somebody_else_has_a_home_of_their_own_unless_it_was_chosen():
    other = User(0, 0, (0,), "/root")
    assert "HOME=/root" in render_process(render(user=APP), ("sh",), user=other)["env"]
    chosen = render(user=APP, environment={"HOME": "/chosen"})
    assert "HOME=/chosen" in render_process(chosen, ("sh",), user=other)["env"]


def test_root_has_the_containers_bound_in_effect_and_others_have_none():
    config = render(user=APP, cap_drop=("ALL",), cap_add=("KILL",))
    as_root = render_process(config, ("sh",), user=User())["capabilities"]
    assert as_root["bounding"] == as_root["effective"] == as_root["permitted"] == ["CAP_KILL"]
    as_other = render_process(config, ("sh",), user=User(5, 5, (5,), "/"))["capabilities"]
    assert as_other["bounding"] == ["CAP_KILL"]
    assert as_other["effective"] == as_other["permitted"] == []
    assert set(render_process(config, ("sh",), user=User(), privileged=True)["capabilities"]["effective"]) == set(NAMES)


def test_a_program_executed_on_a_terminal():
    process = render_process(
        render(), ("sh",), terminal=True, console_size=(24, 80), environment={"A": "1"}, working_directory="/tmp"
    )
    assert process["terminal"] is True
    assert process["consoleSize"] == {"height": 24, "width": 80}
    assert process["cwd"] == "/tmp"
    assert process["env"][-2:] == ["TERM=xterm", "A=1"]


def test_a_working_directory_is_found_from_the_containers_own():
    config = render(working_directory="/srv")
    assert render_process(config, ("sh",), working_directory="a/b")["cwd"] == "/srv/a/b"
    assert render_process(config, ("sh",))["cwd"].rstrip("/") == "/srv"


def test_rendering_a_process_leaves_the_configuration_as_it_was():
    config = render(user=APP)
    before = repr(config)
    render_process(config, ("sh",), user=User(), environment={"A": "1"}, terminal=True)["user"]["uid"] = 7
    render_process(config, ("sh",))["user"]["uid"] = 7
    assert repr(config) == before


def test_the_host_name_in_the_environment_is_the_containers():
    assert "HOSTNAME=box" in render(attached=attachment(hostname="box"))["process"]["env"]

import pytest

from orchestra.driver.local.image.documents.config import ImageConfig, parse_config
from orchestra.model.document import DocumentError, parse_document
from orchestra.model.observed import Healthcheck


def config(**members):
    return parse_config({"config": members})


def test_a_configuration_without_anything_is_empty():
    assert parse_config({}) == parse_config({"config": None}) == config() == ImageConfig()


def test_everything_a_container_inherits_is_read():
    found = config(
        User="app:app",
        Env=["PATH=/bin", "EMPTY=", "EQUALS=a=b", "BARE", "=odd"],
        Entrypoint=["/entry"],
        Cmd=["serve", "--fast"],
        WorkingDir="/srv",
        Volumes={"/data": {}, "/cache": {}},
        ExposedPorts={"80/tcp": {}, "53/udp": {}},
        Labels={"a": "b"},
        StopSignal="SIGQUIT",
        Healthcheck={"Test": ["CMD", "check"], "Interval": 5_000_000_000, "Retries": 2, "StartPeriod": 1_500_000_000},
    )
    assert found == ImageConfig(
        entrypoint=("/entry",),
        command=("serve", "--fast"),
        environment={"PATH": "/bin", "EMPTY": "", "EQUALS": "a=b", "BARE": ""},
        working_directory="/srv",
        user="app:app",
        volumes=("/cache", "/data"),
        exposed_ports=("53/udp", "80/tcp"),
        labels={"a": "b"},
        stop_signal="SIGQUIT",
        healthcheck=Healthcheck(("check",), interval=5.0, retries=2, start_period=1.5),
    )


@pytest.mark.parametrize(
    ("test", "argv"),
    [
        (["CMD-SHELL", "a | b"], ("/bin/sh", "-c", "a | b")),
        (["CMD", "a", "b"], ("a", "b")),
        (["NONE"], None),
        ([], None),
        (None, None),
    ],
)
def test_each_form_of_a_health_check_is_an_argv_or_none(test, argv):
    found = config(Healthcheck={"Test": test}).healthcheck
    assert (found.test if found else None) == argv


def test_a_shell_of_the_image_runs_its_health_check():
    found = config(Shell=["/bin/bash", "-ec"], Healthcheck={"Test": ["CMD-SHELL", "x"]}).healthcheck
    assert found.test == ("/bin/bash", "-ec", "x")


@pytest.mark.parametrize(
    "members",
    [
        {"Env": "A=B", "Cmd": [1]},
        {"Cmd": {"a": 1}},
        {"Labels": ["a=b"]},
        {"Labels": {"a": 1}},
        {"User": 1000},
        {"Healthcheck": {"Test": ["WHAT", "ever"]}},
        {"Healthcheck": {"Test": ["CMD"]}},
        {"Healthcheck": {"Test": ["CMD", "x"], "Interval": "5s"}},
        {"Healthcheck": {"Test": ["CMD", "x"], "Retries": True}},
    ],
)
def test_members_of_the_wrong_type_are_named(members):
    with pytest.raises(DocumentError):
        config(**members)


@pytest.mark.parametrize("data", [b"", b"[]", b"nonsense", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(DocumentError):
        parse_document(data)

from __future__ import annotations

import pytest

from orchestra.build.configuration import ImageConfiguration, parse_configuration, render_configuration

DOCUMENT = {
    "os": "linux",
    "architecture": "arm64",
    "variant": "v8",
    "author": "me",
    "config": {
        "User": "app",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["PATH=/bin", "A=b=c"],
        "Entrypoint": ["/e"],
        "Cmd": ["c"],
        "Healthcheck": {"Test": ["NONE"]},
        "Volumes": {"/v": {}},
        "WorkingDir": "/w",
        "OnBuild": ["RUN x"],
        "Labels": {"a": "b"},
        "StopSignal": "SIGINT",
        "Shell": ["/bin/bash", "-c"],
    },
}


def test_a_configuration_comes_back_as_it_was():
    configuration = parse_configuration(DOCUMENT)
    assert (configuration.platform, configuration.author) == ("linux/arm64/v8", "me")
    assert configuration.environment == (("PATH", "/bin"), ("A", "b=c"))
    assert render_configuration(configuration) == DOCUMENT["config"]


@pytest.mark.parametrize("document", [{}, {"config": None}, {"config": {"Env": None, "Cmd": None, "Labels": None}}])
def test_an_image_may_say_nothing(document):
    assert parse_configuration(document) == ImageConfiguration()


def test_a_command_may_be_one_word():
    assert parse_configuration({"config": {"Cmd": "sh"}}).command == ("sh",)


@pytest.mark.parametrize("config", [[], {"Env": {}}, {"Env": [1]}, {"User": 1}, {"Labels": {"a": 1}}, {"Volumes": []}])
def test_another_shape_is_refused(config):
    with pytest.raises(ValueError, match=r" is not an? "):
        parse_configuration({"config": config})

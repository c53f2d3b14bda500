"""The command lines of other programs that build."""

from __future__ import annotations

import pytest

from orchestra.build.other import Order, OtherBuilder, build_command, missing_in, save_command
from orchestra.errors import UserError
from orchestra.model.build import BuildSpec
from orchestra.model.limits import Ulimit
from orchestra.stacks.build_choice import choose_builder

EVERYTHING = BuildSpec(
    service="web",
    image="shop:1",
    context=".",
    arguments={"A": "1"},
    target="final",
    ssh=("default",),
    labels={"colour": "green"},
    network="none",
    shm_size=1024,
    extra_hosts=(("db", "10.0.0.1"),),
    ulimits=(Ulimit("nofile", 1, 2),),
    platforms=("linux/amd64",),
    pull=True,
    no_cache=True,
    cache_from=("type=registry,ref=localhost:5000/cache:main",),
)


def order(builder, spec=EVERYTHING, **more):
    contexts, secrets = {"base": "/base"}, {"token": "/scratch/secret-0"}
    names = ("docker.io/library/shop:1",)
    parts = (names, "/context", "/context/Dockerfile", contexts, secrets, "linux/amd64", "/scratch/id")
    return Order(OtherBuilder(builder), spec, *parts, **more)


def test_buildah_is_told_everything():
    assert build_command(order("buildah", epoch=5)) == [
        *("buildah", "build", "--file=/context/Dockerfile", "--iidfile=/scratch/id", "--layers", "--format=docker"),
        *("--tag=docker.io/library/shop:1", "--build-arg=A=1", "--label=colour=green", "--build-context=base=/base"),
        *("--secret=id=token,src=/scratch/secret-0", "--ssh=default", "--add-host=db:10.0.0.1"),
        *("--ulimit=nofile=1:2", "--cache-from=localhost:5000/cache", "--target=final", "--network=none"),
        *("--shm-size=1024", "--platform=linux/amd64", "--pull-always", "--no-cache", "--timestamp=5", "/context"),
    ]


def test_docker_has_other_words():
    command = build_command(order("docker", epoch=5))
    assert {"--pull", "--build-arg=SOURCE_DATE_EPOCH=5", f"--cache-from={EVERYTHING.cache_from[0]}"} <= set(command)
    assert not {"--layers", "--timestamp=5", "--pull-always"} & set(command)


def test_what_is_not_asked_for_is_not_said():
    plain = BuildSpec(service="", image="", context=".", network="default")
    one = Order(OtherBuilder.DOCKER, plain, (), "/c", "/c/Dockerfile", {}, {}, "linux/amd64", "/s/id")
    assert build_command(one) == ["docker", "build", "--file=/c/Dockerfile", "--iidfile=/s/id", "/c"]
    assert missing_in(one) == []


def test_both_write_an_archive_of_docker():
    assert save_command(OtherBuilder.DOCKER, "sha256:1", "/a") == ["docker", "save", "--output=/a", "sha256:1"]
    words = ["buildah", "push", "--quiet", "sha256:1", "docker-archive:/a"]
    assert save_command(OtherBuilder.BUILDAH, "sha256:1", "/a") == words


@pytest.mark.parametrize(
    ("builder", "field", "value"),
    [
        ("docker", "privileged", True),
        ("docker", "provenance", "mode=min"),
        ("docker", "sbom", "true"),
        ("buildah", "entitlements", ("network.host",)),
        ("buildah", "no_cache_filter", ("final",)),
        ("buildah", "cache_to", ("type=inline",)),
        ("buildah", "cache_from", ("type=local,src=/c",)),
    ],
)
def test_what_a_program_cannot_do(builder, field, value):
    spec = BuildSpec(service="", image="", context=".", **{field: value})
    assert missing_in(order(builder, spec)) == [field]


def test_the_command_line_counts_more_than_the_variable():
    environment = {"ORCHESTRA_BUILDER": "buildah"}
    assert choose_builder(None, environment) == "buildah"
    assert choose_builder("docker", environment) == "docker"
    assert choose_builder("default", environment) == ""
    with pytest.raises(UserError, match="there is no builder kaniko"):
        choose_builder(None, {"ORCHESTRA_BUILDER": "kaniko"})

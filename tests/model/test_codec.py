import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra.model.codec import decode, encode
from orchestra.model.container import ContainerSpec, Dependency, Port, Restart, RestartPolicy
from orchestra.model.desired import Desired
from orchestra.model.event import ActionEvent, ContainerEvent, Event, Phase
from orchestra.model.health import Health, HealthStatus
from orchestra.model.mount import BindMount, FileMount, TmpfsMount, VolumeMount
from orchestra.model.observed import Container, Created, Exited, Running
from orchestra.model.resource import ResourceId

names = st.text(min_size=1, max_size=8)
containers = st.builds(
    ContainerSpec,
    name=names,
    service=names,
    index=st.integers(1, 9),
    image=names,
    config_hash=names,
    depends_on=st.lists(st.builds(Dependency, service=names), max_size=2).map(tuple),
    command=st.none() | st.lists(names, max_size=3).map(tuple),
    environment=st.dictionaries(names, names, max_size=3),
    mounts=st.lists(
        st.builds(BindMount, target=names, source=names)
        | st.builds(VolumeMount, target=names)
        | st.builds(TmpfsMount, target=names)
        | st.builds(FileMount, target=names, content=names),
        max_size=2,
    ).map(tuple),
    ports=st.lists(st.builds(Port, target=st.integers(1, 65535), published=st.none() | st.just(80)), max_size=2).map(
        tuple
    ),
    restart=st.builds(Restart, policy=st.sampled_from(RestartPolicy), maximum_retries=st.none() | st.integers(0, 5)),
    extra_hosts=st.lists(st.tuples(names, names), max_size=2).map(tuple),
    stop_grace_period=st.floats(0, 60),
)


@given(st.builds(Desired, stack=names, containers=st.lists(containers, max_size=3).map(tuple)))
def test_what_is_encoded_decodes_to_the_same(desired):
    assert decode(Desired, encode(desired)) == desired


@pytest.mark.parametrize(
    "status",
    [
        Created(),
        Running(7, 1.5, Health(HealthStatus.HEALTHY, 0, 2.0)),
        Exited(137, 1.0, 2.0, oom_killed=True),
        Exited(None, 1.0, 2.0),
    ],
)
def test_a_union_keeps_its_kind(status):
    container = Container("a-b-1", "b", 1, "id", "hash", "rootfs:/", "digest", status, 1.0)
    assert decode(Container, encode(container)) == container


def test_events_of_every_kind_can_be_told_apart():
    events = [
        ActionEvent(1.0, "create", ResourceId.network("n"), Phase.DONE),
        ContainerEvent(2.0, "c", "s", "exited", 3),
    ]
    assert [decode(Event, encode(event)) for event in events] == events


def test_defaults_are_left_out_so_files_stay_small():
    assert encode(Desired("s")) == {"stack": "s"}


def test_integers_are_accepted_where_seconds_are_meant():
    assert decode(Running, {"pid": 1, "started_at": 3}).started_at == 3.0


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"stack": 1}, "$.stack"),
        ({"stack": "s", "containers": [{"name": "c"}]}, "$.containers[0]"),
        ({"stack": "s", "containers": {}}, "$.containers"),
        ({"stack": "s", "colour": "red"}, "colour"),
        ([], "$"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(value, place):
    with pytest.raises(ValueError, match=r"expected|unknown|missing") as caught:
        decode(Desired, value)
    assert place in str(caught.value)


def test_a_boolean_is_not_an_integer():
    with pytest.raises(ValueError, match="int was expected"):
        decode(Running, {"pid": True, "started_at": 1.0})

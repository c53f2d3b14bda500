"""What a stack from elsewhere would reach is told before it runs for the first time."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchestra.cli.accept import render_reach
from orchestra.compose import LoadRequest, load
from orchestra.errors import UserError
from orchestra.home import find_home
from orchestra.model.project import Project
from orchestra.record import replace
from orchestra.stacks.context import Context
from orchestra.stacks.sources.reach import accept, find_reach, is_accepted
from orchestra.stacks.stack_file import Identity, Prepared
from orchestra.stacks.up import Beginning, UpOptions, up, with_providers

TEXT = """\
services:
  web:
    image: x:${TAG:-1}
    ports: ["127.0.0.1:8080:80", "53:53/udp"]
    volumes: ["./site:/www:ro", "/etc:/host", "disk:/disk", "data:/data"]
    privileged: true
    network_mode: host
    cap_add: [SYS_ADMIN]
    devices: ["/dev/kvm"]
    secrets: [key]
    env_file: /ENV/web.env
    environment: {PASSWORD: "${PASSWORD?}", OTHER: "${OTHER-}"}
  tool: {provider: {type: helper, options: {size: "1"}}}
volumes: {data: {}, disk: {driver_opts: {type: none, o: bind, device: /srv}}}
secrets: {key: {file: ./key}}
"""


@pytest.fixture
def reach(tmp_path):
    copies = tmp_path / "copies"
    folder = copies / "git/site/commit/shop"
    folder.mkdir(parents=True)
    text = TEXT.replace("/ENV", str(tmp_path)).replace('    ports: ["127.0.0.1:8080:80", "53:53/udp"]\n', "")
    (folder / "compose.yaml").write_text(text)
    (folder / "key").write_text("x")
    (tmp_path / "web.env").write_text("A=1\n")
    fetched = {"https://me:pw@h/shop.git": str(folder / "compose.yaml")}
    request = LoadRequest(
        environment={"PASSWORD": "hunter22", "TAG": "2"},
        working_directory=str(tmp_path),
        files=tuple(fetched),
        fetch=fetched.__getitem__,
    )
    return find_reach(request, load(request), str(copies))


def test_it_is_shown_from_where_to_what(reach, tmp_path):
    assert (
        render_reach(reach, None)
        == f"""\
Stack shop has files from elsewhere, which you accept for the first time:
  - https://h/shop.git
    (here as {tmp_path}/copies/git/site/commit/shop/compose.yaml)

It will use:
  tool:
    - runs the program helper on this machine
  web:
    - image x:2
    - reads its own ./site
    - reads and writes /etc of this machine
    - volume disk of /srv
    - secret of its own ./key
    - privileged
    - network_mode: host
    - cap_add: SYS_ADMIN
    - device /dev/kvm

It reads these files of this machine:
  - {tmp_path}/web.env

Its files use these variables:
NAME       VALUE         SOURCE            REQUIRED
OTHER      (not set)                       no
PASSWORD   (not shown)   the environment   yes
TAG        2             the environment   no

Accept files only from sources that you trust."""
    )


def test_what_was_accepted_is_accepted_until_it_changes(reach, tmp_path):
    directory = f"{tmp_path}/copies"
    assert not is_accepted(directory, reach)
    accept(directory, reach)
    assert is_accepted(directory, reach)
    assert not is_accepted(directory, replace(reach, files={"https://h/shop.git": "/another/commit"}))
    assert not is_accepted(directory, replace(reach, settings=()))


def test_ports_are_shown_as_they_are_published(tmp_path):
    (tmp_path / "compose.yaml").write_text('services: {web: {image: x, ports: ["127.0.0.1:8080:80", "53/udp"]}}\n')
    fetched = {"oci://h/shop": f"{tmp_path}/compose.yaml"}
    request = LoadRequest(
        environment={}, working_directory=str(tmp_path), files=tuple(fetched), fetch=fetched.__getitem__
    )
    found = find_reach(request, load(request), f"{tmp_path}/copies")
    assert found.services["web"] == ("image x", "port 127.0.0.1:8080 -> 80/tcp", "port any -> 53/udp")


@pytest.mark.parametrize("begin", [up, with_providers])
def test_nothing_that_was_not_accepted_is_brought_up_by_any_face(reach, tmp_path, begin):
    """Those that cannot ask refuse."""
    context = Context(find_home({"ORCHESTRA_HOME": f"{tmp_path}/home"}, 0), "fake", Project(), {}, str(tmp_path))
    prepared = Prepared(Identity("shop", ("web", "tool")), (), (), b'{"providers": []}', reach)
    dismissed = []
    client = SimpleNamespace(dismiss=lambda: dismissed.append(True))
    with pytest.raises(UserError, match=r"not accepted yet: https://h/shop\.git"):
        begin(Beginning(prepared, client, context), UpOptions() if begin is up else print)
    assert dismissed

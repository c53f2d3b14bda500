"""The network of a step's command: one of its own with a way out, none, or the machine's."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, assert_never

from orchestra.build.step import Network
from orchestra.driver.local.build.stack import BUILDS, NETWORK
from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net import etc
from orchestra.driver.local.net.endpoint import attach, detach
from orchestra.driver.local.net.network import apply, create_network
from orchestra.errors import TemporaryError
from orchestra.linux.resolv_conf import load_resolv_conf
from orchestra.model.container import Endpoint
from orchestra.model.desired import NetworkSpec
from orchestra.model.names import NetworkName
from orchestra.model.sharing import Bare, Host, Own
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.driver.local.net.attachment import Attachment
    from orchestra.home import Home
    from orchestra.model.container import ContainerSpec

ATTEMPTS = 8
"""A builder that has ended may take the network away before a new one has attached anything to it."""


@contextlib.contextmanager
def attached(
    home: Home, spec: ContainerSpec, network: Network, identifier: str, directory: str
) -> Iterator[Attachment]:
    """The command's part in the network, as long as it runs."""
    match network:
        case Network.NONE:
            spec = replace(spec, network_mode=Bare())
        case Network.HOST:
            spec = replace(spec, network_mode=Host())
        case Network.DEFAULT:
            spec = replace(spec, network_mode=Own(), endpoints=(Endpoint(NetworkName(NETWORK)),))
        case _:
            assert_never(network)
    try:
        made = _attach(home, spec, identifier, directory, needed=network is Network.DEFAULT)
        if network is Network.DEFAULT:
            # No supervisor answers for builds: the command asks the machine's servers itself.
            host = load_resolv_conf()
            made = replace(made, resolv_conf=etc.render_resolv_conf(host.nameservers, host.search, host.options))
            attachments.store(directory, made)
        yield made
    finally:
        detach(home, BUILDS, identifier, directory)


def _attach(home: Home, spec: ContainerSpec, identifier: str, directory: str, *, needed: bool) -> Attachment:
    for attempt in range(ATTEMPTS):
        if needed:
            create_network(home, BUILDS, NetworkSpec("default", NetworkName(NETWORK)))
            apply(home, BUILDS)
        try:
            return attach(home, BUILDS, spec, identifier, directory)
        except TemporaryError:
            if not needed or attempt == ATTEMPTS - 1:
                raise
    raise AssertionError(ATTEMPTS)

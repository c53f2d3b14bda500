"""Noticing that others change the networks of a stack: by events of the kernel, without looking in between."""

from __future__ import annotations

import contextlib
import select
import sys
import threading
from typing import TYPE_CHECKING

from orchestra.driver.local.net import lease_file, link, ruleset
from orchestra.driver.local.net.drift import RULES_LOST, find_losses
from orchestra.driver.local.net.endpoint import pin_path, pinned_ids
from orchestra.driver.local.net.filter import table_name
from orchestra.linux.inotify import IN_MODIFY, IN_ONLYDIR, Inotify
from orchestra.linux.network.namespace import is_pinned
from orchestra.linux.network.netlink import HERE
from orchestra.linux.network.nftables_watch import TableWatch
from orchestra.linux.network.route_watch import RouteWatch

if TYPE_CHECKING:
    from orchestra.home import Home


class NetworkWatch:
    """Becomes readable when something in the networks of a stack may have been changed. Raises OSError.

    It hears of rules by nf_tables, of interfaces, addresses, routes and forwarding by rtnetlink, of other settings of a
    bridge by inotify(7), and of pinned namespaces by proc_pid_mountinfo(5).
    """

    def __init__(self, home: Home, stack: str) -> None:
        self._home, self._stack = home, stack
        with contextlib.ExitStack() as opened:
            self._tables = opened.enter_context(TableWatch())
            self._routes = opened.enter_context(RouteWatch())
            self._settings = opened.enter_context(Inotify())
            self._mounts = opened.enter_context(open("/proc/thread-self/mountinfo", "rb", buffering=0))
            self._all = opened.enter_context(select.epoll())
            for source in (self._tables, self._routes, self._settings):
                self._all.register(source, select.EPOLLIN)
            self._all.register(self._mounts, select.EPOLLPRI)
            self._opened = opened.pop_all()
        if not self._routes.hears_others:
            warning = "changes of networks inside containers are not noticed: CAP_NET_BROADCAST is missing"
            print(warning, file=sys.stderr, flush=True)
        for name in _bridges(home):
            self._watch_settings(name)
        self._lock = threading.Lock()
        self._suspects: frozenset[int] | None = None  # nothing has been looked at yet
        self._pinned = {path for path in (pin_path(home, found) for found in pinned_ids(home)) if is_pinned(path)}

    def __enter__(self) -> NetworkWatch:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._opened.close()

    def fileno(self) -> int:
        return self._all.fileno()

    def losses(self) -> str:
        """What others have done since the last call, described; empty for nothing that matters."""
        rules = self._of_rules()
        return "; ".join(
            filter(None, [rules, *(f"network {name}: {loss}" for name, loss in sorted(self.look().items()))])
        )

    def look(self) -> dict[str, str]:
        """``find_losses``, but only where the kernel has told of a change, or where something was missing before.

        May be called by several threads at once.
        """
        with self._lock:
            suspects = self._suspects_now()
            if suspects == frozenset():
                return {}
            found = find_losses(self._home, self._stack, suspects)
            self._suspects = suspects if found else frozenset()
            return found

    def _suspects_now(self) -> frozenset[int] | None:
        """The numbers of the namespaces to look at, HERE for this one; None for all of them."""
        news = self._routes.read()
        for name in news.appeared & _bridges(self._home):
            self._watch_settings(name)
        # Both are asked, whatever the first says.
        settings, pins = self._settings.read(), self._pins_are_lost()
        if self._suspects is None or news.namespaces is None or not self._routes.hears_others:
            return None
        return self._suspects | news.namespaces | ({HERE} if settings or pins else frozenset())

    def _watch_settings(self, bridge: str) -> None:
        for directory in (link.SYSCTL, link.SYSCTL_IPV6):
            with contextlib.suppress(FileNotFoundError):
                self._settings.add(f"{directory}/{bridge}", IN_MODIFY | IN_ONLYDIR)

    def _pins_are_lost(self) -> bool:
        """Whether a namespace is pinned no more. Containers that end take theirs with them, which is no loss."""
        # Whether mounts have changed is told only once, to the one who waits.
        pinned = {pin_path(self._home, found) for found in pinned_ids(self._home)}
        before, self._pinned = self._pinned, {path for path in pinned if is_pinned(path)}
        return not before <= self._pinned

    def _of_rules(self) -> str:
        tables, program, _ = self._tables.read()
        if tables is not None and table_name(self._home, self._stack) not in tables:
            return ""
        if not ruleset.was_applied(self._home, self._stack) or ruleset.is_whole(self._home, self._stack):
            return ""
        return RULES_LOST + (f" by the program {program}" if program else "")


def _bridges(home: Home) -> set[str]:
    return {lease.bridge for lease in lease_file.load(home).networks.values() if lease.bridge}

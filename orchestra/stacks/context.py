"""The caller, its directory, and the file that it means: every use case needs these beside its own options."""

from __future__ import annotations

import os

from orchestra.driver import DRIVERS
from orchestra.errors import EnvironmentLack, UserError
from orchestra.home import OWNER, find_home, is_rootless
from orchestra.model.revision import Author
from orchestra.record import Record, replace
from orchestra.ssh.caller import caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestra.control.client import Client
    from orchestra.driver import Part
    from orchestra.home import Home
    from orchestra.model.project import Project
    from orchestra.stacks.boot.unit import Units


class Context(Record):
    """driver: its name in ``orchestra.driver.DRIVERS``. environment, working_directory: None for those of this process.

    files: contents of files of another machine, where the command was given, by path; variables: its environment, None
    for that of this process.
    may_fetch: allow fetching Compose files from elsewhere, which needs a network and takes a while. command: what the
    user typed, for the history: its name and arguments. parallel: how many actions, transfers and builds may be under
    way at once; -1 for no limit, None for the limit of each kind.
    """

    home: Home
    driver: str
    project: Project
    environment: Mapping[str, str]
    working_directory: str | None = None
    may_fetch: bool = True
    command: str = ""
    parallel: int | None = None
    files: Mapping[str, bytes | None] = {}
    variables: Mapping[str, str] | None = None

    @property
    def given_variables(self) -> Mapping[str, str]:
        """What files and options may use."""
        return self.environment if self.variables is None else self.variables

    def client(self, stack: str) -> Client:
        from orchestra.control.client import Client

        return Client(self.home.stack(stack), self.driver, self.parallel)

    @property
    def author(self) -> Author:
        """The user who gives the command: behind sudo(8), its caller."""
        return Author(self.environment.get("SUDO_USER") or _user_name(self.user), self.command)

    @property
    def user(self) -> int:
        """The user of this process, as known outside the namespaces of a home."""
        return int(os.environ.get(OWNER, os.getuid()))

    def offers(self, part: Part) -> bool:
        return part in DRIVERS[self.driver].parts

    def need(self, part: Part) -> None:
        """Raise UserError if the driver lacks this part."""
        if not self.offers(part):
            raise UserError(f"the driver {self.driver} has no {part}")

    def need_privileges(self) -> None:
        """Become able to create and enter containers: without root, in the namespaces of the home.

        Raises EnvironmentLack if this user cannot.
        """
        if DRIVERS[self.driver].needs_root and os.geteuid() != 0:
            from orchestra.rootless.entry import enter

            enter(self.home)

    @property
    def units(self) -> Units:
        """Where systemd has the units of the home."""
        from orchestra.stacks.boot.unit import find_units

        return find_units(self.environment, self.user)

    @property
    def hides_root(self) -> bool:
        """Whether the caller does not see root's stacks, which are in a home of their own."""
        is_root = os.geteuid() == 0 and not is_rootless(os.environ)
        if is_root or not DRIVERS[self.driver].needs_root or self.environment.get("ORCHESTRA_HOME"):
            return False
        system = find_home({}, 0)
        return os.path.exists(system.data) or os.path.exists(system.run)


def _user_name(uid: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def make_context(
    driver: str, project: Project, command: str = "", parallel: int | None = None, *, enters: bool = True
) -> Context:
    """The context of this process. enters: without root, the namespaces of the home, if it has any.

    Raises EnvironmentLack for a user without a home directory.
    """
    environment = dict(os.environ)
    home = find_home(environment, os.getuid())
    if not os.path.isabs(home.data):
        hint = "set HOME or ORCHESTRA_HOME to a directory"
        raise EnvironmentLack(f"user {os.getuid()} has no home directory", hint=hint)
    if enters and os.geteuid() != 0 and DRIVERS[driver].needs_root:
        from orchestra.rootless.entry import enter_if_there

        enter_if_there(home)
    context = Context(home, driver, project, environment, command=command, parallel=parallel)
    asking = caller()
    if asking is None:
        return context
    return replace(context, working_directory=asking.directory, files=asking.files, variables=asking.variables)

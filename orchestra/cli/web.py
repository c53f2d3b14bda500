"""``orchestra web``: serve the page of the stack."""

from __future__ import annotations

import sys

from orchestra.errors import EnvironmentLack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.invocation import Invocation
    from orchestra.web.serve import Opened

WARNING = "other machines can connect, and nothing is encrypted: anyone who reads along gets the token"


def run(invocation: Invocation) -> int:
    try:
        import starlette  # noqa: F401 - whether it is there
        import uvicorn  # noqa: F401 - likewise
        import wsproto  # noqa: F401 - likewise
    except ImportError as error:
        raise EnvironmentLack(
            f"the page needs the package {error.name}", hint="pip install 'orchestra[web]'"
        ) from error
    from orchestra.web.serve import ServeOptions, check_url, parse_listen, serve

    values = invocation.values
    address, port = parse_listen(values["listen"])
    if values["url"] is not None:
        check_url(values["url"])

    def ready(opened: Opened) -> None:
        for role, url in opened.urls.items():
            print(f"{role:8} {url}", flush=True)
        if opened.is_remote:
            print(f"warning: {WARNING}", file=sys.stderr, flush=True)

    serve(
        invocation.context,
        ServeOptions(address, port, values["read_only"], values["allow_remote"], values["url"]),
        ready,
    )
    return 0

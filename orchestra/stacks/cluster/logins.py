"""The logins of this machine that a cluster needs for the images of a stack."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestra.cluster.registries import Login


def find_logins(images: Iterable[str], environment: Mapping[str, str]) -> dict[str, Login]:
    """By image; of images in registries without a login, none. Raises FatalError if a file of logins is invalid."""
    from orchestra.cluster.registries import Login
    from orchestra.driver.local.image.naming.name import DEFAULT_CREDENTIALS, DEFAULT_HOST, parse_name
    from orchestra.driver.local.image.registry.credentials import TOKEN_USER, find_credentials

    found = {}
    for image in images:
        name = parse_name(image)
        known = find_credentials(f"{name.host}/{name.path}", environment)
        if known is not None:
            server = DEFAULT_CREDENTIALS if name.host == DEFAULT_HOST else name.host
            user = known.user if known.user != TOKEN_USER else ""
            found[image] = Login(server, user, known.password, known.identity)
    return found

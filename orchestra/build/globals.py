"""The variables that stages begin with: those of the platform, and ARG instructions before the first FROM.

See https://docs.docker.com/reference/dockerfile/#scope and
https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build.expand import ExpansionError, expand
from orchestra.build.problem import Wrong
from orchestra.model.platform import DEFAULT_VARIANTS, Platform, parse_platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.build.dockerfile import Dockerfile
    from orchestra.build.expand import Style
    from orchestra.build.lines import Line
    from orchestra.build.options import Options

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy")


def normal_platform(text: str) -> Platform:
    """As Docker writes it: 32-bit ARM always with a variant, 64-bit ARM without the usual one. Raises FatalError."""
    platform = parse_platform(text, "")
    variant = platform.variant
    if platform.architecture == "arm64" and variant in ("8", DEFAULT_VARIANTS["arm64"]):
        variant = ""
    elif platform.architecture == "arm":
        variant = f"v{variant.removeprefix('v')}" if variant else DEFAULT_VARIANTS["arm"]
    return Platform(platform.system, platform.architecture, variant)


def platform_variables(options: Options, target: str) -> dict[str, str]:
    """target: the name of the stage that is built."""
    variables: dict[str, str] = {}
    for prefix, text in (("BUILD", options.build_platform), ("TARGET", options.platform)):
        platform = normal_platform(text)
        variables |= {
            f"{prefix}PLATFORM": str(platform),
            f"{prefix}OS": platform.system,
            f"{prefix}ARCH": platform.architecture,
            f"{prefix}VARIANT": platform.variant,
        }
    return variables | {"TARGETSTAGE": target or "default"}


def global_variables(
    dockerfile: Dockerfile,
    arguments: Mapping[str, str | None],
    beginning: Mapping[str, str],
    style: Style,
    report: Callable[[Line, Wrong], None],
) -> dict[str, str]:
    """The variables that FROM can use, and that ARG NAME in a stage takes over. arguments: the user's values.

    beginning: the variables of the platforms. report: is given the mistakes.
    """
    variables = {name: arguments.get(name) or value for name, value in beginning.items()}
    for instruction in dockerfile.arguments:
        for argument in instruction.arguments:
            value = arguments.get(argument.name)
            if value is None and argument.default is not None:
                try:
                    value = expand(argument.default, variables, style).text
                except ExpansionError as error:
                    report(instruction.line, Wrong(str(error)))
            if value is not None:
                variables[argument.name] = value
    return variables


def proxy_variables(arguments: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    """The proxies among the user's arguments, in upper and in lower case, since programs look for either."""
    proxies: dict[str, str] = {}
    for name, value in sorted(arguments.items()):
        if value is not None and name.lower() in PROXIES:
            proxies |= {name.upper(): value, name.lower(): value}
    return tuple(sorted(proxies.items()))

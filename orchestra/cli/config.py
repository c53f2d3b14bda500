"""``orchestra config``: the file, checked, in canonical form; or one thing that can be said of it."""

from __future__ import annotations

import json
import sys

from orchestra.cli.stack_file import StackFile
from orchestra.errors import Diagnostic, Span, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from orchestra.cli.invocation import Invocation
    from orchestra.compose import Loaded, LoadRequest

LISTS = ("services", "volumes", "networks", "images", "models", "profiles")
PARTS = {
    "no_interpolate": "interpolate",
    "no_path_resolution": "paths",
    "no_env_resolution": "environment",
    "no_normalize": "complete",
    "no_consistency": "check",
}
"""Options that leave out a pass of the load, and its name in ``orchestra.compose.request.Passes``."""


def run(invocation: Invocation) -> int:
    values = invocation.values
    for option in ("resolve_image_digests", "lock_image_digests"):
        if values[option]:
            raise UserError(
                f"--{option.replace('_', '-')} needs a registry, and no registry is asked yet",
                hint="write the digests into the file yourself, as image: name@sha256:…",
            )
    text = _text(invocation)
    if values["quiet"]:
        return 0
    if values["output"]:
        with open(values["output"], "w", encoding="utf-8") as file:
            file.write(text)
    else:
        # What others read as a Compose file is UTF-8 in every locale.
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    return 0


def _text(invocation: Invocation) -> str:
    values = invocation.values
    if values["schema"]:
        from orchestra.compose.json_schema import compose_schema

        return json.dumps(compose_schema(), indent=2) + "\n"
    for option, render in _UNKEPT.items():
        if values[option]:
            return render(_request(invocation), values)
    if any(values[option] for option in PARTS):
        return _partial(_request(invocation), values)
    return _whole(invocation)


def _whole(invocation: Invocation) -> str:
    """A text made of a whole load; remembered, with the warnings."""
    values = invocation.values
    what = next((name for name in LISTS if values[name]), values["format"])
    hashed = values["hash"]

    def render(loaded: Loaded) -> str:
        text = _hashes(loaded, hashed) if hashed else _render(loaded, what)
        return json.dumps({"text": text, "warnings": loaded.warnings})

    key = f"config --hash {hashed}" if hashed else f"config {what}"
    kept = json.loads(StackFile(invocation).render(key, values["selected"], render))
    if kept["warnings"]:
        from orchestra.cli.render.errors import render_notes

        warnings = [Diagnostic(code, text, span and Span(*span), *rest) for code, text, span, *rest in kept["warnings"]]
        sys.stderr.write(render_notes(warnings, invocation.colors(sys.stderr)))
    text: str = kept["text"]
    return text


def _render(loaded: Loaded, what: str) -> str:
    from orchestra.compose import render_config

    desired, stack = loaded.desired, loaded.stack
    match what:
        case "services":
            names = sorted(stack.services)
        case "volumes":
            names = sorted(spec.key for spec in desired.volumes)
        case "networks":
            names = sorted(spec.key for spec in desired.networks)
        case "images":
            names = sorted({spec.image for spec in desired.containers})
        case "models":
            names = sorted(stack.models)
        case "profiles":
            names = list(loaded.profiles)
        case "json":
            return render_config(stack, "json")
        case _:
            return render_config(stack, "yaml")
    return "".join(f"{name}\n" for name in names)


def _hashes(loaded: Loaded, asked: str) -> str:
    """``web 3f…`` for each service of a list with commas, ``*`` for all."""
    names = sorted(loaded.hashes) if asked == "*" else asked.split(",")
    missing = [name for name in names if name not in loaded.hashes]
    if missing:
        raise UserError(f"no such service: {missing[0]}", hint=f"services are {', '.join(sorted(loaded.hashes))}")
    return "".join(f"{name} {loaded.hashes[name]}\n" for name in names)


def _request(invocation: Invocation) -> LoadRequest:
    from orchestra.compose import LoadRequest

    plain = {**StackFile(invocation).request, "services": invocation.values["selected"]}
    asked: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    return LoadRequest(**asked)


def _partial(request: LoadRequest, values: dict[str, Any]) -> str:
    from orchestra.compose.partial import render_partial
    from orchestra.compose.request import Passes

    passes = Passes(**{name: not values[option] for option, name in PARTS.items()})
    return render_partial(request, passes, "json" if values["format"] == "json" else "yaml")


def _explain(request: LoadRequest, values: dict[str, Any]) -> str:
    from orchestra.compose.explain import explain

    return explain(request, values["explain"])


def _environment(request: LoadRequest, values: dict[str, Any]) -> str:
    from orchestra.compose.loading import assemble

    known = assemble(request).project.environment.values()
    if values["format"] == "json":
        return json.dumps(known, indent=2, ensure_ascii=False) + "\n"
    return "".join(f"{name}={value}\n" for name, value in known.items())


def _variables(request: LoadRequest, values: dict[str, Any]) -> str:
    from orchestra.compose.loading import assemble
    from orchestra.compose.request import Passes
    from orchestra.compose.variables import find_variables, texts_of

    assembled = assemble(request, Passes(interpolate=False))
    assembled.problems.raise_errors()
    found = find_variables(texts_of(assembled.document))
    if values["format"] == "json":
        return json.dumps([variable._asdict() for variable in found], indent=2, ensure_ascii=False) + "\n"
    rows = [("NAME", "REQUIRED", "DEFAULT VALUE", "ALTERNATE VALUE")]
    rows += [(name, str(required).lower(), default, alternate) for name, required, default, alternate in found]
    widths = [max(map(len, column)) + 3 for column in zip(*rows, strict=True)]
    lines = ["".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "".join(f"{line.rstrip()}\n" for line in lines)


# Options whose answer depends on more than a load remembers.
_UNKEPT: dict[str, Callable[[LoadRequest, dict[str, Any]], str]] = {
    "explain": _explain,
    "environment": _environment,
    "variables": _variables,
}

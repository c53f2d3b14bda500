"""What another program is told to build: ``--builder``."""

from __future__ import annotations

import os

from orchestra.errors import UserError
from orchestra.record import replace
from orchestra.stacks.build_inputs import EPOCH, IMAGE, SERVICE, opened_context, platforms_of, read_epoch, read_secrets

TYPE_CHECKING = False
if TYPE_CHECKING:
    import contextlib
    import io
    from collections.abc import Mapping, Sequence

    from orchestra.build.other import Order
    from orchestra.model.build import BuildSpec
    from orchestra.stacks.context import Context


def read_orders(
    context: Context,
    spec: BuildSpec,
    names: Sequence[str],
    images: Mapping[str, str],
    stdin: io.BufferedReader | None,
    stack: contextlib.ExitStack,
) -> list[Order]:
    """For each platform. images: of other services. stack: until it is closed, what was fetched is there.

    Raises UserError for what the program cannot do.
    """
    import tempfile

    from orchestra.build.other import Order, OtherBuilder, missing_in

    builder = OtherBuilder(spec.builder)
    directory = stack.enter_context(opened_context(context, spec.context, stdin)).path
    # Only this user may read it: it holds secrets.
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="orchestra-build-"))
    contexts = {}
    for name, text in spec.contexts.items():
        if text.startswith(SERVICE):
            service = text.removeprefix(SERVICE)
            contexts[name] = f"{IMAGE}{images.get(service, service)}"
        elif text.startswith(IMAGE):
            contexts[name] = text
        else:
            contexts[name] = stack.enter_context(opened_context(context, text, None)).path
    secrets = {}
    given = read_secrets(spec.secrets, context.given_variables, context.files)
    for number, (identifier, content) in enumerate(given.items()):
        secrets[identifier] = _write(f"{scratch}/secret-{number}", content)
    dockerfile = os.path.join(directory, spec.dockerfile or "Dockerfile")
    if spec.dockerfile_inline is not None:
        dockerfile = _write(f"{scratch}/Dockerfile", spec.dockerfile_inline.encode())
    elif spec.dockerfile == "-":
        if stdin is None:
            raise UserError("the Dockerfile - is standard input, which this command does not read")
        dockerfile = _write(f"{scratch}/Dockerfile", stdin.read())
    platforms = platforms_of(spec)
    order = Order(
        builder,
        spec,
        # A name that several platforms share would be taken from one by the next.
        tuple(names) if len(platforms) == 1 else (),
        directory,
        dockerfile,
        contexts,
        secrets,
        "",
        f"{scratch}/id",
        read_epoch(spec.arguments.get(EPOCH) or context.environment.get(EPOCH)),
    )
    missing = missing_in(order)
    if missing:
        hint = "leave them out, or let Orchestra build"
        raise UserError(f"{builder} cannot do what the build asks for: {', '.join(missing)}", hint=hint)
    return [replace(order, platform=platform) for platform in platforms]


def _write(path: str, content: bytes) -> str:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(content)
    return path

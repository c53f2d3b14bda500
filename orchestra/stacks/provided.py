"""Variables that other programs give to containers: providers of services, and the runner of models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orchestra.model.codec import decode, encode
from orchestra.model.desired import Desired
from orchestra.record import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.stacks.context import Context
    from orchestra.stacks.stack_file import Prepared


def provide(context: Context, prepared: Prepared, say: Callable[[str], None]) -> Prepared:
    """Run the programs, and give their variables to the containers; this may take long. Raises UserError."""
    from orchestra.stacks.models import provide_models
    from orchestra.stacks.providers import provide_services

    desired = decode(Desired, json.loads(prepared.desired))
    desired = provide_models(context, provide_services(context, desired, say), say)
    return replace(prepared, desired=json.dumps(encode(desired)).encode())


def with_known_variables(context: Context, prepared: Prepared) -> Prepared:
    """Use the variables of the last ``up``, without running a program."""
    from orchestra.stacks.models import with_endpoint
    from orchestra.stacks.providers import with_provided

    try:
        with open(context.home.stack(prepared.identity.stack).desired, "rb") as file:
            known = json.loads(file.read())
    except FileNotFoundError:
        return prepared
    desired = with_provided(decode(Desired, json.loads(prepared.desired)), known.get("provided", {}))
    desired = with_endpoint(desired, known.get("model_endpoint", ""))
    return replace(prepared, desired=json.dumps(encode(desired)).encode())

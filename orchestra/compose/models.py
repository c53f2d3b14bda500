"""AI models: the variables by which services know them, and the models themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.model.desired import ModelSpec

if TYPE_CHECKING:
    from orchestra.compose.context import Context
    from orchestra.compose.schema.service import Service


def model_names(service: Service, context: Context) -> dict[str, str]:
    """The variables with the names of the models: ``model_var``, or ``KEY_MODEL``."""
    return {
        (use.model_var if use else None) or f"{_prefix(key)}_MODEL": context.stack.models[key].model
        for key, use in (service.models or {}).items()
    }


def model_endpoints(service: Service) -> tuple[str, ...]:
    """The variables for the address of the models: ``endpoint_var``, or ``KEY_URL``."""
    return tuple(
        (use.endpoint_var if use else None) or f"{_prefix(key)}_URL" for key, use in (service.models or {}).items()
    )


def _prefix(key: str) -> str:
    return key.upper().replace("-", "_")


def models(context: Context) -> tuple[ModelSpec, ...]:
    """The models that containers use."""
    services = [service for key, service in context.stack.services.items() if key not in context.left_out]
    used = {key for service in services for key in service.models or ()}
    return tuple(
        ModelSpec(
            key,
            model.model,
            model.context_size or 0,
            model.runtime_flags,
            context.location(("models", key), key=True),
        )
        for key, model in context.stack.models.items()
        if key in used
    )

"""The top level of a Compose file, with its volumes, configs, secrets and models."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from orchestra.compose.schema.network import Network
from orchestra.compose.schema.service import Service
from orchestra.compose.schema.values import Boolean, Integer, Labels, Model, Text, Texts


class Volume(Model):
    name: str | None = None
    driver: str | None = None
    driver_opts: Labels | None = None
    external: Boolean = False
    labels: Labels | None = None


class FileObject(Model):
    """A config or a secret of the stack."""

    name: str | None = None
    file: str | None = None
    environment: str | None = None
    content: str | None = None
    external: Boolean = False
    labels: Labels | None = None
    driver: str | None = None
    driver_opts: Labels | None = None
    template_driver: str | None = None


class AiModel(Model):
    name: str | None = None
    model: str
    context_size: Integer | None = None
    runtime_flags: Texts = ()


def _empty(value: object) -> object:
    """``networks: {front:}`` declares a network without attributes."""
    return {} if value is None else value


DeclaredNetwork = Annotated[Network, BeforeValidator(_empty, json_schema_input_type=Network | None)]
DeclaredVolume = Annotated[Volume, BeforeValidator(_empty, json_schema_input_type=Volume | None)]
DeclaredFileObject = Annotated[FileObject, BeforeValidator(_empty, json_schema_input_type=FileObject | None)]
DeclaredAiModel = Annotated[AiModel, BeforeValidator(_empty, json_schema_input_type=AiModel | None)]


class Stack(Model):
    """``name`` is the project name once the stack is loaded, whatever is in the file."""

    version: Text | None = None
    name: str | None = None
    services: dict[str, Service] = Field(default_factory=dict)
    networks: dict[str, DeclaredNetwork] = Field(default_factory=dict)
    volumes: dict[str, DeclaredVolume] = Field(default_factory=dict)
    secrets: dict[str, DeclaredFileObject] = Field(default_factory=dict)
    configs: dict[str, DeclaredFileObject] = Field(default_factory=dict)
    models: dict[str, DeclaredAiModel] = Field(default_factory=dict)

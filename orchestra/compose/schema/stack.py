"""The top level of a Compose file, with its volumes, configs, secrets and models."""

from typing import Annotated

from orchestra.compose.schema.model import Model, OrNothing
from orchestra.compose.schema.network import Network
from orchestra.compose.schema.service import Service
from orchestra.compose.schema.values import Boolean, Integer, Labels, Text, Texts


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


DeclaredNetwork = Annotated[Network, OrNothing()]
DeclaredVolume = Annotated[Volume, OrNothing()]
DeclaredFileObject = Annotated[FileObject, OrNothing()]
DeclaredAiModel = Annotated[AiModel, OrNothing()]


class Stack(Model):
    """``name`` is the project name once the stack is loaded, whatever is in the file."""

    version: Text | None = None
    name: str | None = None
    services: dict[str, Service] = {}
    networks: dict[str, DeclaredNetwork] = {}
    volumes: dict[str, DeclaredVolume] = {}
    secrets: dict[str, DeclaredFileObject] = {}
    configs: dict[str, DeclaredFileObject] = {}
    models: dict[str, DeclaredAiModel] = {}

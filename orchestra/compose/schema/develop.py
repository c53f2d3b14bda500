"""``services.*.develop``: what to do when files on the host change."""

from typing import Literal

from orchestra.compose.schema.model import Model
from orchestra.compose.schema.process import Hook
from orchestra.compose.schema.values import Boolean, Texts


class Watch(Model):
    path: str
    action: Literal["rebuild", "sync", "restart", "sync+restart", "sync+exec"]
    target: str | None = None
    ignore: Texts = ()
    include: Texts = ()
    initial_sync: Boolean = False
    exec: Hook = Hook()


class Develop(Model):
    watch: tuple[Watch, ...] = ()

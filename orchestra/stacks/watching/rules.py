"""The rules of a stack's file, and what a watch keeps of each."""

from __future__ import annotations

import json
import os

from orchestra.driver import Part
from orchestra.errors import ComposeError, Diagnostic, FileError, Span, UserError
from orchestra.model.codec import decode, encode
from orchestra.model.watch import WatchAction, WatchRules
from orchestra.record import Record
from orchestra.stacks.stack_file import StackFile
from orchestra.stacks.watching.deliver import Watched
from orchestra.stacks.watching.patterns import Patterns
from orchestra.stacks.watching.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.compose import Loaded
    from orchestra.model.watch import WatchRule
    from orchestra.stacks.context import Context

NO_RULES = "none of the selected services is configured for watch, consider setting a 'develop' section"


class WatchOptions(Record):
    """services: empty for all that have rules."""

    services: tuple[str, ...] = ()


def find_rules(context: Context, options: WatchOptions) -> WatchRules:
    """The rules to watch by; of services that are named, whatever their profiles are.

    Raises the errors of a load, UserError if there is no rule, and ComposeError for one that cannot be followed.
    """
    context.need(Part.COPY)

    def render(loaded: Loaded) -> str:
        return json.dumps(encode(WatchRules(str(loaded.desired.stack), loaded.watch)))

    found = decode(WatchRules, json.loads(StackFile(context).render("watch", options.services, render)))
    rules = tuple(rule for rule in found.rules if not options.services or rule.service in options.services)
    if not rules:
        raise UserError(NO_RULES)
    for rule in rules:
        if rule.action is WatchAction.REBUILD and not rule.is_built:
            message = f'can\'t watch service "{rule.service}" with action rebuild without a build context'
            raise _problem(rule, "conflict", message, "give it a build section, or choose another action")
    return WatchRules(found.stack, rules)


def open_rule(rule: WatchRule) -> Watched:
    """Raises FileError for a pattern that is not valid."""
    try:
        patterns = Patterns(rule, _read_docker_ignore(rule))
    except FileError as error:
        if any(diagnostic.span and os.path.isabs(diagnostic.span.path) for diagnostic in error.diagnostics):
            raise
        raise _problem(rule, "invalid-value", error.message) from error
    return Watched(rule, patterns, Tree(rule.path, patterns))


def _read_docker_ignore(rule: WatchRule) -> str:
    """That of the Dockerfile, if it has one of its own, else that of the context."""
    names = [f"{rule.dockerfile}.dockerignore"] if rule.dockerfile else []
    for name in (*names, os.path.join(rule.context, ".dockerignore")):
        if rule.context and os.path.isfile(name):
            with open(name, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
    return ""


def _problem(rule: WatchRule, code: str, message: str, hint: str = "") -> ComposeError:
    place = rule.location
    span = Span(place.path, place.line, place.column, place.line, place.column + 1) if place else None
    return ComposeError((Diagnostic(code, message, span, f"services.{rule.service}.develop.watch", hint),))

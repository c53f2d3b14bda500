"""A stage while its instructions are evaluated one after another: its variables, configuration, history and tree."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from orchestra.build import history as text_of
from orchestra.build.expand import Expansion, ExpansionError, Style, expand
from orchestra.build.problem import Wrong
from orchestra.build.rule import Remark, Rule, near
from orchestra.build.step import ContextFiles, History, Label
from orchestra.build.steps import Evaluated, Steps, base_of, is_shown, label_of, step_count
from orchestra.record import replace
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestra.build import instruction as typed
    from orchestra.build.lines import Line
    from orchestra.build.stages import NeededStage, Stages

DEFAULT_SHELL = ("/bin/sh", "-c")
_SECRET = regex(r"(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)", re.IGNORECASE)
_NO_SECRET = regex(r"(?:_|^)(?:public|file|version)(?:_|$)", re.IGNORECASE)
# As in the text of an instruction that is shown: what it says, with the values.
_SHOWN = Style(keep_quotes=True, keep_unset=True)


class StageState:
    """done: the stages before it. remark: is given what a rule of ``check`` finds."""

    def __init__(
        self,
        stages: Stages,
        stage: NeededStage,
        begun: Evaluated,
        steps: Steps,
        done: Mapping[int, Evaluated],
        proxies: tuple[tuple[str, str], ...],
        remark: Callable[[Remark], None],
    ) -> None:
        self.stages = stages
        self.stage = stage
        self.steps = steps
        self.done = done
        self.proxies = proxies
        self.style = stages.style
        self.remark = remark
        self.tree, self.root = begun.tree, begun.root
        self.configuration = begun.configuration
        self.variables = dict(begun.variables)
        self.arguments = list(begun.arguments)
        self.history = list(begun.history)
        self.is_known = begun.is_known
        self.has_workdir = begun.has_workdir
        self.has_command = False
        self.last: dict[type, Line] = {}
        self.is_trigger = False
        name = stage.stage.name
        options = stages.options
        self.uncached = options.no_cache or name in {one.lower() for one in options.no_cache_filter if name}
        self.count = step_count(stage)
        self.position = int(is_shown(stage.base))

    def note(self, rule: Rule, message: str, line: Line) -> None:
        self.remark(Remark(rule, message, line))

    def change(self, **fields: object) -> None:
        self.configuration = replace(self.configuration, **fields)  # type: ignore[arg-type]

    def commit(self, text: str, step: int | None = None) -> None:
        """Raises Wrong if all the texts together are too long."""
        self.stages.spend(len(text))
        self.history.append(History(text, step, text_of.COMMENT))

    def expansion(self, text: str, line: Line, style: Style | None = None) -> Expansion:
        """``text`` with its values. Raises Wrong."""
        if "$" not in text and not set(text) & {"'", '"', self.style.escape}:
            return Expansion(text, tuple(text.split()), frozenset(), frozenset())
        try:
            found = expand(text, self.variables, style or self.style)
        except ExpansionError as error:
            raise Wrong(str(error)) from None
        self.stages.spend(len(found.text))
        if self.is_known:
            for name in sorted(found.missing.difference(self.arguments)):
                self.note(
                    Rule.UNDEFINED_VAR, f"Usage of undefined variable '${name}'{near(name, self.variables, '$')}", line
                )
        return found

    def value(self, text: str, line: Line) -> str:
        return self.expansion(text, line).text

    def label(self, line: Line, hidden: Mapping[str, str] | None = None, summary: str = "") -> Label:
        """hidden: what is shown instead of the values of secrets."""
        keyword, _, rest = line.text.strip().partition(" ")
        with contextlib.suppress(ExpansionError):  # then it is shown as it is written
            rest = expand(rest, {**self.variables, **(hidden or {})}, replace(_SHOWN, escape=self.style.escape)).text
        words = (*(("ONBUILD",) if self.is_trigger else ()), keyword.upper(), rest.strip())
        return label_of(self.stages, self.stage, (self.position, self.count), " ".join(words) + summary, line)

    def in_shell(self, text: str) -> tuple[str, ...]:
        return (*(self.configuration.shell or DEFAULT_SHELL), text)

    def final(self, command: typed.CommandLine, line: Line) -> tuple[str, ...]:
        """The arguments of CMD or ENTRYPOINT."""
        if not command.in_shell:
            return command.arguments
        if not self.configuration.shell:
            keyword = line.keyword.upper()
            what = f"JSON arguments recommended for {keyword} to prevent unintended behavior related to OS signals"
            self.note(Rule.JSON_ARGS_RECOMMENDED, what, line)
        return self.in_shell(" ".join(command.arguments))

    def only_once(self, one: typed.Instruction) -> None:
        before = self.last.get(type(one))
        if before is not None:
            keyword = one.line.keyword.upper()
            why = "in the same stage because only the last one will be used"
            what = f"Multiple {keyword} instructions should not be used {why}"
            self.note(Rule.MULTIPLE_INSTRUCTIONS_DISALLOWED, what, before)
        self.last[type(one)] = one.line

    def no_secret(self, name: str, line: Line) -> None:
        if _SECRET.search(name) and not _NO_SECRET.search(name):
            keyword = line.keyword.upper()
            what = f'Do not use ARG or ENV instructions for sensitive data ({keyword} "{name}")'
            self.note(Rule.SECRETS_USED_IN_ARG_OR_ENV, what, line)

    def tree_of(self, name: str) -> int:
        """The step of a source that an instruction names; of the context for an empty name. Raises Wrong."""
        if not name:
            return self.steps.add(ContextFiles())
        source = self.stage.sources.get(name)
        if source is None:
            raise Wrong(f"nothing is called {name}")
        return base_of(source, self.steps, self.done)

    def evaluated(self) -> Evaluated:
        return Evaluated(
            self.tree,
            self.root,
            self.configuration,
            self.variables,
            tuple(self.arguments),
            tuple(self.history),
            self.is_known,
            self.has_workdir,
        )

"""Parses tokens into the tree of a template. Checks functions and variables; fields are checked later."""

from __future__ import annotations

from orchestra.cli.template.error import TemplateError
from orchestra.cli.template.functions import FUNCTIONS
from orchestra.cli.template.syntax import (
    Command,
    Dot,
    Field,
    Function,
    If,
    Literal,
    Output,
    Pipeline,
    Range,
    Text,
    Variable,
    With,
)
from orchestra.cli.template.tokens import Token, read_tokens, unquote
from orchestra.nearest import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from orchestra.cli.template.syntax import Node, Operand

BLOCKS: dict[str, type[If] | type[With] | type[Range]] = {"if": If, "with": With, "range": Range}
CONSTANTS = {"true": True, "false": False, "nil": None}
UNSUPPORTED = ("block", "break", "call", "continue", "define", "html", "js", "template", "urlquery")
HINT = "use --format json and a program such as jq for more"


def parse_template(template: str, begin: int = 0) -> tuple[Node, ...]:
    """begin: its first character; columns of errors include the text before it. Raises TemplateError."""
    return _Parser(list(read_tokens(template, begin)), len(template) + 1).parse()


class _Parser:
    def __init__(self, tokens: list[Token], end: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = Token("end", "the end of the template", end)
        self._variables = [""]  # $ alone

    def parse(self) -> tuple[Node, ...]:
        nodes, token = self._nodes()
        if token.kind != "end":
            raise TemplateError(token.column, f"there is no block for {token.value}", "if, range and with begin one")
        return nodes

    def _peek(self) -> Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    def _take(self) -> Token:
        token = self._peek()
        self._next += 1
        return token

    def _nodes(self) -> tuple[tuple[Node, ...], Token]:
        """Nodes up to ``end``, ``else`` or the end of the template, and the token there."""
        nodes: list[Node] = []
        while True:
            token = self._take()
            if token.kind == "end":
                return tuple(nodes), token
            if token.kind == "text":
                nodes.append(Text(token.value))
                continue
            word = self._peek()
            if word.kind == "name" and word.value in ("end", "else"):
                return tuple(nodes), self._take()
            if word.kind == "name" and word.value in BLOCKS:
                nodes.append(self._block(self._take()))
            else:
                nodes.append(Output(self._pipeline()))
                self._close()

    def _block(self, word: Token) -> Node:
        """word: ``if``, ``with`` or ``range``, or such a word after ``else``."""
        known = len(self._variables)
        pipeline = self._pipeline(pairs=word.value == "range")
        self._close()
        body, token = self._nodes()
        otherwise: tuple[Node, ...] = ()
        if token.value == "else":
            following = self._peek()
            if following.kind == "name" and following.value == word.value and word.value != "range":
                # The end of the inner block also ends this one.
                otherwise, token = (self._block(self._take()),), Token("name", "end", 0)
            else:
                self._close()
                otherwise, token = self._nodes()
                if token.value == "end":
                    self._close()
        elif token.value == "end":
            self._close()
        if token.value != "end":
            raise TemplateError(word.column, f"{word.value} has no end", "a block ends with {{end}}")
        del self._variables[known:]
        return BLOCKS[word.value](pipeline, body, otherwise)

    def _close(self) -> None:
        token = self._take()
        if token.kind != "close":
            raise TemplateError(token.column, f"{token.value} is not expected here", "an action ends with }}")

    def _pipeline(self, *, pairs: bool = False) -> Pipeline:
        """pairs: two variables may be declared. The caller reads the tokens after it."""
        column = self._peek().column
        declares, assigns = self._declarations(pairs=pairs)
        commands = [self._command()]
        while self._peek().value == "|" and self._peek().kind == "mark":
            self._take()
            commands.append(self._command())
            first = commands[-1].operands[0]
            if not isinstance(first, Function | Field):
                message = "only a function takes what comes through |"
                raise TemplateError(first.column, message, "as in {{.Name | upper}}")
        if not assigns:
            self._variables += declares
        return Pipeline(column, tuple(commands), declares, assigns)

    def _declarations(self, *, pairs: bool) -> tuple[tuple[str, ...], bool]:
        """The variables before ``:=`` or ``=``, and whether they exist already; none if there is no such mark."""
        ahead = self._tokens[self._next : self._next + 4]
        words = [token.value for token in ahead]
        count = 2 if words[1:2] == [","] and pairs else 1
        mark = words[2 * count - 1 : 2 * count]
        if not ahead or ahead[0].kind != "variable" or mark not in ([":="], ["="]):
            return (), False
        self._next += 2 * count
        names = tuple(token.value[1:] for token in ahead[: 2 * count : 2])
        assigns = mark == ["="]
        for token in ahead[: 2 * count : 2] if assigns else ():
            self._check_variable(token)
        return names, assigns

    def _command(self) -> Command:
        operands: list[Operand] = []
        column = self._peek().column
        while (token := self._peek()).kind not in ("close", "end", "text") and token.value not in ("|", ")"):
            operands.append(self._operand())
        if not operands:
            raise TemplateError(token.column, "a value is missing", "a template looks like {{.Name}}")
        first = operands[0]
        if len(operands) > 1 and not isinstance(first, Function | Field):
            raise TemplateError(operands[1].column, "only a function takes values", 'as in {{join .Names ","}}')
        return Command(column, tuple(operands))

    def _operand(self) -> Operand:
        token = self._take()
        operand: Operand
        match token.kind:
            case "string":
                operand = Literal(token.column, unquote(token))
            case "number":
                operand = Literal(token.column, _number(token.value))
            case "field":
                return Field(token.column, Dot(token.column), tuple(token.value[1:].split(".")))
            case "variable":
                operand = self._check_variable(token)
            case "name" if token.value in CONSTANTS:
                operand = Literal(token.column, CONSTANTS[token.value])
            case "name":
                operand = _function(token)
            case "mark" if token.value == ".":
                operand = Dot(token.column)
            case "mark" if token.value == "(":
                operand = self._pipeline()
                if (closing := self._take()).value != ")":
                    raise TemplateError(token.column, "( is not closed", f"a ) is missing before {closing.value}")
            case _:
                raise TemplateError(token.column, f"{token.value} is not expected here", HINT)
        if self._peek().kind == "field" and self._peek().joined:
            field = self._take()
            return Field(field.column, operand, tuple(field.value[1:].split(".")))
        return operand

    def _check_variable(self, token: Token) -> Variable:
        name = token.value[1:]
        if name not in self._variables:
            known = [f"${known}" for known in self._variables if known]
            hint = suggest(token.value, known, "variables") or "{{$name := .Name}} declares one"
            raise TemplateError(token.column, f"there is no variable {token.value}", hint)
        return Variable(token.column, name)


def _function(token: Token) -> Function:
    if token.value in UNSUPPORTED:
        raise TemplateError(token.column, f"{token.value} of Go's templates is not supported", HINT)
    if token.value in ("end", "else", *BLOCKS):
        raise TemplateError(token.column, f"{token.value} is not expected here", "it stands first: {{if .Name}}")
    if token.value not in FUNCTIONS:
        hint = suggest(token.value, FUNCTIONS, "functions")
        raise TemplateError(token.column, f"there is no function {token.value}", hint)
    return Function(token.column, token.value)


def _number(text: str) -> int | float:
    try:
        return int(text, 16) if "x" in text.lower() else int(text)
    except ValueError:
        return float(text)

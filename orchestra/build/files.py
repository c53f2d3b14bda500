"""COPY and ADD: their sources, and the files that are taken from them, as steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build import history as text_of
from orchestra.build import instruction as typed
from orchestra.build.expand import Style
from orchestra.build.paths import below_root, destination, escaped
from orchestra.build.problem import Wrong
from orchestra.build.remote import parse_remote
from orchestra.build.step import ContextFiles, Copy, Download, GitTree, InlineFiles
from orchestra.named_tuple import NamedTuple
from orchestra.record import replace
from orchestra.regex import regex

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestra.build.here import HereDocument
    from orchestra.build.lines import Line
    from orchestra.build.state import StageState
    from orchestra.build.step import Label

_MODE = regex(r"[0-7]{1,4}|[ugoa]*([-+=]([rwxXst]*|[ugo]))+(,[ugoa]*([-+=]([rwxXst]*|[ugo]))+)*")
_IN_DOCUMENT = Style(ignore_quotes=True)


class _Part(NamedTuple):
    """What one step copies. source: the step of the source tree."""

    source: int
    paths: tuple[str, ...]
    unpack: bool = False


def copy(state: StageState, one: typed.Copy | typed.Add) -> None:
    """Raises Wrong."""
    files = _expanded(one.files, lambda text: state.value(text, one.line))
    if files.mode and not _MODE.fullmatch(files.mode):
        what = f"invalid chmod parameter: '{files.mode}'. it should be octal string and between 0 and 07777"
        raise Wrong(what, "or symbolic, as in u=rwX,go=rX")
    target = destination(state.configuration.working_directory, files.destination)
    state.position += 1
    label = state.label(one.line)
    parts = _added(state, one, files, label) if isinstance(one, typed.Add) else _copied(state, one, files)
    if files.documents:
        contents = tuple((document.name, _document(state, document, one.line).encode()) for document in files.documents)
        names = tuple(escaped(document.name) for document in files.documents)
        parts.append(_Part(state.steps.add(InlineFiles(contents)), names))
    shown = [f" --chown={files.owner}"] if files.owner else []
    shown += [f" --chmod={files.mode}"] if files.mode else []
    parents = isinstance(one, typed.Copy) and one.parents
    names = (*files.sources, *(f"<<{document.name}" for document in files.documents), files.destination)
    text = f"{one.line.keyword.upper()}{' --parents' * parents}{''.join(shown)} {' '.join(names)}{text_of.MARK}"
    for part in parts:
        step = Copy(
            state.tree,
            part.source,
            part.paths,
            target,
            owner=files.owner or None,
            mode=files.mode or None,
            exclude=files.exclude,
            parents=parents,
            unpack=part.unpack,
            link=files.link,
        )
        state.tree = state.steps.add(step, label, state.uncached)
        state.commit(text, state.tree)


def _copied(state: StageState, one: typed.Copy, files: typed.Files) -> list[_Part]:
    if "$" in one.source[:-1]:
        raise Wrong(
            "variable expansion is not supported for --from, define a new stage with FROM using ARG from global"
            " scope as a workaround"
        )
    for source in files.sources:
        remote = parse_remote(source, "", None)
        if remote is not None:
            what = "git ref" if isinstance(remote, GitTree) else "URL"
            raise Wrong(f"source can't be a {what} for COPY", "use ADD")
    tree = state.tree_of(one.source) if files.sources else 0
    paths = tuple(_path(source, one.parents) for source in files.sources)
    return [_Part(tree, paths)] if paths else []


def _added(state: StageState, one: typed.Add, files: typed.Files, label: Label) -> list[_Part]:
    """The sources in their order, those of the context that follow each other together."""
    checksum = state.value(one.checksum, one.line)
    if checksum and len(files.sources) != 1:
        raise Wrong("checksum can't be specified for multiple sources")
    parts: list[_Part] = []
    for source in files.sources:
        remote = parse_remote(source, checksum, one.keep_git_directory)
        if remote is not None:
            number = state.steps.add(remote, label, state.uncached)
            name = escaped(remote.file_name) if isinstance(remote, Download) else "."
            parts.append(_Part(number, (name,), isinstance(remote, Download) and one.unpack is True))
            continue
        if checksum:
            raise Wrong("checksum requires HTTP(S) or Git sources")
        part = _Part(state.steps.add(ContextFiles()), (_path(source, parents=False),), one.unpack is not False)
        if parts and parts[-1].source == part.source:
            part = part._replace(paths=parts.pop().paths + part.paths)
        parts.append(part)
    return parts


def _document(state: StageState, document: HereDocument, line: Line) -> str:
    return state.expansion(document.text, line, _IN_DOCUMENT).text if document.expands else document.text


def _expanded(files: typed.Files, value: Callable[[str], str]) -> typed.Files:
    return replace(
        files,
        sources=tuple(map(value, files.sources)),
        destination=value(files.destination),
        owner=value(files.owner),
        mode=value(files.mode),
        exclude=tuple(map(value, files.exclude)),
    )


def _path(source: str, parents: bool) -> str:
    """A path of the source tree; with ``--parents`` the point from which on directories are kept stays in it."""
    before, pivot, after = source.partition("/./") if parents else (source, "", "")
    return f"{below_root(before)}/./{below_root(after)}" if pivot else below_root(before)

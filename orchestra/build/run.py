"""RUN: the command, its environment and its mounts as a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestra.build import history as text_of
from orchestra.build.here import parse_opening
from orchestra.build.mounts import make_mount, parse_mount
from orchestra.build.paths import absolute
from orchestra.build.problem import Wrong
from orchestra.build.step import BindMount, DeviceRequest, InlineFiles, Run, SecretMount

if TYPE_CHECKING:
    from orchestra.build import instruction as typed
    from orchestra.build.state import StageState
    from orchestra.build.step import Mount

_DOCUMENTS = "/dev/pipes"


def run_command(state: StageState, one: typed.Run) -> None:
    """Raises Wrong."""
    directory = absolute(state.configuration.working_directory, "")
    mounts: list[Mount] = []
    for number, text in enumerate(one.mounts):
        options = parse_mount(text, lambda value: state.value(value, one.line))
        mounts.append(make_mount(options, state.tree_of, directory, number))
    arguments, summary = one.command.arguments, ""
    if one.command.documents:
        arguments, summary, script = _with_documents(one.command)
        if script is not None:
            mounts.append(BindMount(_DOCUMENTS, state.steps.add(script)))
    command = state.in_shell(" ".join(arguments)) if one.command.in_shell else arguments
    state.position += 1
    hidden = {mount.variable: "****" for mount in mounts if isinstance(mount, SecretMount) and mount.variable}
    step = Run(
        state.tree,
        command,
        tuple(state.variables.items()),
        directory,
        state.configuration.user,
        tuple(mounts),
        one.network,
        one.insecure,
        proxies=state.proxies,
        devices=tuple(_device(state.value(text, one.line)) for text in one.devices),
    )
    state.tree = state.steps.add(step, state.label(one.line, hidden, summary), state.uncached)
    declared = [f"{name}={state.variables.get(name, '')}" for name in state.arguments]
    words = (f"|{len(declared)}", *declared, *command) if declared else command
    state.commit(f"RUN {' '.join(words)}{text_of.MARK}", state.tree)


def _device(text: str) -> DeviceRequest:
    """``NAME``, ``NAME,required`` or ``name=NAME,required=true``."""
    name, *options = text.split(",")
    for option in options:
        key, _, value = option.partition("=")
        if key != "required" or value not in ("", "true", "false"):
            raise Wrong(f"--device={text}: unknown option {option}", "write --device=NAME,required")
    name = name.removeprefix("name=")
    if "/" not in name or "=" not in name:
        raise Wrong(f"--device={text} names no device", "write --device=VENDOR/CLASS=NAME")
    return DeviceRequest(name, any(option != "required=false" for option in options))


def _with_documents(command: typed.CommandLine) -> tuple[tuple[str, ...], str, InlineFiles | None]:
    """What the shell gets, a summary of it, and the script that it is, for the directory of such scripts."""
    text = command.arguments[0] if command.arguments else ""
    first = command.documents[0]
    if parse_opening(text):
        content = first.text
        lines = content.strip().split("\n")
        summary = f" ({lines[0].rstrip()}{'...' if len(lines) > 1 else ''})"
        if content.startswith("#!"):
            script = InlineFiles(((first.name, content.encode()),), mode=0o755)
            return (f"{_DOCUMENTS}/{first.name}",), summary, script
        return (content,), summary, None
    # The shell itself reads them, as they stand in the file.
    return (text + "".join(f"\n{document.content}{document.name}" for document in command.documents),), "", None

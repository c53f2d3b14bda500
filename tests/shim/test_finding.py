"""Running containers are found again by their control group."""

from __future__ import annotations

import os

from orchestra.container.directory import ContainerDirectory
from orchestra.shim import finding


def test_a_container_whose_directory_is_removed_meanwhile_is_not_found(stack, monkeypatch):
    container = stack.container("sleep", "600")
    container.run()
    files = ContainerDirectory(container.directory)
    group, away = finding.group_of(files), f"{container.directory}.away"
    os.unlink(files.file("state.json"))

    def remove(_files):
        os.rename(container.directory, away)
        return group

    with monkeypatch.context() as patch:
        patch.setattr(finding, "group_of", remove)
        assert not finding.find_again(files, gone=True)
    os.rename(away, container.directory)
    assert finding.find_again(files, gone=True)
    assert files.load_process("state.json")

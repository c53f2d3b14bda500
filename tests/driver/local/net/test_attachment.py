"""Records of attachments, which every projection reads."""

from __future__ import annotations

import json

import pytest

from orchestra.container.directory import DamagedFile
from orchestra.driver.local.net import attachment as attachments
from orchestra.driver.local.net.attachment import Attachment
from orchestra.linux import private_files
from orchestra.model.codec import decode, encode
from orchestra.record import replace

WEB = Attachment("s", "web", "s-web-1", "1" * 64, "web")


@pytest.fixture
def directory(tmp_path):
    return str(tmp_path / "s-web-1")


@pytest.fixture
def read(monkeypatch):
    """What has been read, and not remembered."""
    found = []

    def note(type_, value):
        found.append(value["hostname"])
        return decode(type_, value)

    monkeypatch.setattr(attachments, "decode", note)
    return found


def test_a_record_that_has_not_changed_is_read_once(directory, read):
    attachments.store(directory, WEB)
    assert [attachments.load(directory) for _ in range(5)] == [WEB] * 5
    assert read == ["web"]


def test_a_record_that_has_changed_is_read_again(directory, read):
    attachments.store(directory, WEB)
    attachments.load(directory)
    attachments.store(directory, replace(WEB, hostname="two"))
    assert attachments.load(directory) == replace(WEB, hostname="two")
    other = json.dumps(encode(replace(WEB, hostname="by another process"))).encode()
    private_files.store(f"{directory}/{attachments.FILE}", other)
    assert attachments.load(directory) == replace(WEB, hostname="by another process")
    assert read == ["web", "two", "by another process"]


def test_a_record_that_is_gone_or_damaged_is_not_remembered(directory):
    attachments.store(directory, WEB)
    attachments.load(directory)
    private_files.store(f"{directory}/{attachments.FILE}", b"{")
    with pytest.raises(DamagedFile):
        attachments.load(directory)
    attachments.remove(directory)
    assert attachments.load(directory) is None

"""Relative paths in attributes that hold more than a path."""

from __future__ import annotations

import pytest

from orchestra.compose.nodes import find
from orchestra.compose.paths import resolve_paths
from tests.compose.test_source import parse


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("seccomp=./profile.json", "seccomp=/stack/profile.json"),
        ("seccomp:profile.json", "seccomp:/stack/profile.json"),
        ("seccomp=/etc/profile.json", "seccomp=/etc/profile.json"),
        ("seccomp=unconfined", "seccomp=unconfined"),
        ("seccomp:builtin", "seccomp:builtin"),
        ("label=disable", "label=disable"),
    ],
)
def test_a_seccomp_profile_is_a_file_beside_the_stacks(option, expected):
    document = parse(f"services: {{a: {{security_opt: ['{option}']}}}}")
    resolved = resolve_paths(document, "/stack", lambda _name: None)
    assert find(resolved, ("services", "a", "security_opt")).items[0].value == expected

"""Real projects and the reference loader's cases as a whole: the golden answers of ``config``, and its round trip."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from orchestra.compose import LoadRequest, load, render_config
from orchestra.errors import OrchestraError

from . import corpora

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = corpora.needed
FOLDERS = ("corpus", "compose-go-cases/load")
# Where the answer differs on purpose; docs/reference/compose-attributes.md says why of each kind.
DIFFERENT = {
    "loader/TestLoadSSHWithKeyValueInBuildConfig": "build.ssh with a path is printed",
    "loader/TestLoadSSHWithKeysValuesInBuildConfig": "build.ssh with a path is printed",
    "loader/TestXService": "a service may be called x-foo",
    "loader/TestWithoutUnnecessaryResourcesOption_AllResourceKinds": "models are in the JSON, too",
    "extends/TestExtendsNil": "a service that says nothing may be extended",
    "include/TestLoadWithMultipleIncludeConflict": "the including file wins",
    "reset/TestResetCycle.5": "names with dots are no cycle",
    "reset/TestResetTagWithSharedAlias": "!reset reaches through merge keys",
    "reset/TestNestedAliasReset": "!reset reaches through merge keys",
    "tests.blkio_config/TestBlkioConfig": "devices have the keys of the file",
    "tests.build_extra/TestBuildNoCacheFilter": "newer than the golden answer",
    "tests.network_driver_opts/TestServiceNetworkDriverOpts": "settings of an interface are checked, and this is none",
    "tests.service_hooks/TestServiceHooks": "newer than the golden answer",
    "tests.service_hooks/TestPreStartInheritsServiceImage": "newer than the golden answer",
}
GOLDEN = re.compile(r"expected(-[\w.]+)?\.(json|err|warn)|case\.json")


def cases() -> list[Any]:
    return [
        pytest.param(folder, case, suffix, id=f"{case['name']}{suffix}")
        for folder in FOLDERS
        for case in corpora.read(f"{folder}/cases.json") or ()
        for suffix in (("", "-profiles") if case["profiles"] else ("",))
    ]


def answer(case: dict[str, Any], suffix: str, source: Path, where: Path) -> tuple[str, str] | None:
    """What ``config`` prints, as JSON and as YAML; None when the files are refused."""
    shutil.copytree(source, where, ignore=lambda _folder, names: [name for name in names if GOLDEN.fullmatch(name)])
    request = LoadRequest(
        environment={"PATH": "/usr/bin", "HOME": "/home/user", "PWD": str(where), **case.get("env", {})},
        working_directory=str(where),
        files=tuple(case["files"]),
        profiles=("*",) if suffix else (),
    )
    try:
        stack = load(request).stack
    except OrchestraError:
        return None
    return render_config(stack, "json"), render_config(stack, "yaml")


def goldens(source: Path, suffix: str) -> list[Any]:
    """The accepted answers of two versions of Docker Compose, None where it refuses."""
    found = []
    for version in ("", "-2.40"):
        if (source / f"expected{suffix}{version}.json").exists():
            found.append(json.loads((source / f"expected{suffix}{version}.json").read_text()))
        elif (source / f"expected{suffix}{version}.err").exists():
            found.append(None)
    return found


@pytest.mark.parametrize(("folder", "case", "suffix"), cases())
def test_the_answer_is_the_golden_one_and_loads_again(folder, case, suffix, tmp_path):
    source = corpora.ROOT / folder / case["name"]
    where = tmp_path / "stack" / case["name"]
    printed = answer(case, suffix, source, where)
    got = printed and json.loads(printed[0].replace(f"{tmp_path}/", "/").replace(f'"{tmp_path}"', '"/"'))
    wanted = goldens(source, suffix)
    same = any(
        got is want if got is None or want is None else not corpora.scorer().first_diff(want, got) for want in wanted
    )
    assert same is (case["name"] not in DIFFERENT), DIFFERENT.get(case["name"], "differs from every golden answer")
    if printed is not None:
        for name, text in zip(("again.json", "again.yaml"), printed, strict=True):
            assert reload(where, name, text) == printed[0], f"{name} is read as something else"


def reload(where: Path, name: str, text: str) -> str:
    (where / name).write_text(text)
    request = LoadRequest({"HOME": "/home/user"}, str(where), files=(name,), profiles=("*",))
    return render_config(load(request).stack, "json")

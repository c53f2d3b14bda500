"""Linters, types, import floors and docs are tests: one command checks everything."""

import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import networkx
import pytest

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent

pytestmark = [pytest.mark.timeout(300), pytest.mark.xdist_group("linters")]


def assert_passes(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_code_is_formatted():
    assert_passes(str(BIN / "ruff"), "format", "--check")


def test_the_code_has_no_lint():
    assert_passes(str(BIN / "ruff"), "check", "--output-format", "concise")


def test_the_types_hold():
    assert_passes(str(BIN / "mypy"))


def test_imports_go_down_only():
    assert_passes(str(BIN / "lint-imports"))


def test_no_file_needs_itself_by_way_of_others():
    """Nor where it imports when it is asked to; what only types are imported for does not count."""
    modules = grimp.build_graph("orchestra", exclude_type_checking_imports=True, cache_dir=None)
    imports = networkx.DiGraph(
        (module, other) for module in modules.modules for other in modules.find_modules_directly_imported_by(module)
    )
    assert [sorted(circle) for circle in networkx.strongly_connected_components(imports) if len(circle) > 1] == []
    assert len(imports) > 400


def test_the_docs_build_without_a_warning(tmp_path):
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    assert_passes(str(BIN / "zensical"), "build", "--strict", "--config-file", str(tmp_path / "zensical.toml"))
    assert (tmp_path / "site" / "index.html").exists()


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda file: file.stem)
def test_a_benchmark_finds_what_it_measures(file):
    assert_passes(sys.executable, "-c", f"import runpy; runpy.run_path({str(file)!r}, run_name='imported')")

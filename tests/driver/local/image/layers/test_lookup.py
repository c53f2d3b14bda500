"""Looking through layers gives what overlayfs would show."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestra.driver.local.image.layers.lookup import find, read_file
from orchestra.driver.local.image.layers.unpack import unpack_layer
from orchestra.errors import FatalError
from orchestra.linux.mounts import mount
from tests.driver.local.image.making import directory, entry, in_mount_namespace, layer, link, needs_root

pytestmark = needs_root


@pytest.fixture
def stack(tmp_path):
    def unpack(*archives):
        """Lowest first, as in an image; the layers topmost first."""
        layers = []
        for index, data in enumerate(archives):
            path = tmp_path / str(index)
            path.mkdir()
            unpack_layer(io.BufferedReader(io.BytesIO(data)), str(path), below=tuple(layers))
            layers.insert(0, str(path))
        return tuple(layers)

    return unpack


def test_the_topmost_file_wins_and_directories_merge(stack):
    layers = stack(
        layer(entry("etc/passwd", content=b"old"), entry("etc/group", content=b"group")),
        layer(entry("etc/passwd", content=b"new")),
    )
    assert read_file(layers, "/etc/passwd") == b"new"
    assert read_file(layers, "etc//./group") == b"group"


def test_whiteouts_and_opaque_directories_hide(stack):
    layers = stack(
        layer(entry("a/x", content=b"1"), entry("b/x", content=b"1"), entry("c/x", content=b"1")),
        layer(entry("a/.wh.x"), entry(".wh.b"), entry("c/.wh..wh..opq"), entry("c/y", content=b"2")),
    )
    assert [read_file(layers, path) for path in ("a/x", "b/x", "c/x", "c/y")] == [None, None, None, b"2"]


def test_a_file_in_place_of_a_directory_hides_it_and_the_other_way_round(stack):
    layers = stack(
        layer(entry("a/x", content=b"1"), entry("b", content=b"1"), entry("c/x", content=b"1")),
        layer(entry("a", content=b"2"), entry("b/x", content=b"2"), entry("c", content=b"2")),
        layer(entry("c/y", content=b"3")),
    )
    assert [read_file(layers, path) for path in ("a", "a/x", "b", "b/x", "c/x", "c/y")] == [
        b"2",
        None,
        None,
        b"2",
        None,
        b"3",
    ]


def test_links_are_followed_within_the_image(stack):
    layers = stack(
        layer(
            entry("etc/real", content=b"yes"),
            *(link("abs", "/etc/real"), link("rel", "etc/../etc/real"), link("climb", "../../../etc/real")),
            *(link("dir", "etc"), link("chain", "dir/real"), link("dangling", "nowhere"), link("loop", "loop")),
        ),
        layer(link("etc/later", "/dir/real")),
    )
    for name in ("abs", "rel", "climb", "dir/real", "chain", "etc/later", "dir/../etc/real"):
        assert read_file(layers, name) == b"yes", name
    assert read_file(layers, "dangling") is None
    with pytest.raises(FatalError, match="symbolic links"):
        read_file(layers, "loop")


def test_only_regular_files_of_a_bounded_size_are_read(stack):
    layers = stack(
        layer(
            entry("pipe", tarfile.FIFOTYPE),
            entry("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
            directory("d"),
            entry("big", content=b"12345"),
        )
    )
    assert read_file(layers, "pipe") is None
    assert read_file(layers, "null") is None
    assert read_file(layers, "d") is None
    assert read_file(layers, "/") is None
    assert read_file(layers, "big", limit=5) == b"12345"
    with pytest.raises(FatalError, match="longer than 4 bytes"):
        read_file(layers, "big", limit=4)


def test_links_never_lead_to_the_host(stack, tmp_path):
    (tmp_path / "secret").write_text("host")
    layers = stack(layer(link("a", str(tmp_path / "secret")), link("b", str(tmp_path))))
    assert read_file(layers, "a") is None
    assert read_file(layers, "b/secret") is None


NAMES = st.sampled_from("abc")
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CHANGES = st.one_of(
    st.tuples(st.just("file"), PATHS),
    st.tuples(st.just("directory"), PATHS),
    st.tuples(st.just("whiteout"), PATHS),
    st.tuples(st.just("opaque"), PATHS),
)


def apply_to_model(model: dict[str, str], change: tuple[str, str], number: int) -> tuple[str, str] | None:
    """Change a tree, a mapping of paths to contents ('/' for directories), as a container would; the change, if any."""
    kind, path = change
    parents = ["/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 1)]
    if any(model.get(parent) != "/" for parent in parents):
        return None
    below = [key for key in model if key.startswith(path + "/")]
    if kind == "whiteout" and path in model:
        for key in (path, *below):
            del model[key]
        return "whiteout", path
    if kind == "opaque" and model.get(path) == "/":
        for key in below:
            del model[key]
        return "opaque", path
    if kind == "directory" and path not in model:
        model[path] = "/"
        return "directory", path
    if kind == "file" and model.get(path) != "/":
        model[path] = f"{number}"
        return "file", path
    return None


def render(change: tuple[str, str], number: int):
    kind, path = change
    parent, _, name = path.rpartition("/")
    match kind:
        case "whiteout":
            return entry(f"{parent}/.wh.{name}")
        case "opaque":
            return entry(f"{path}/.wh..wh..opq")
        case "directory":
            return directory(path)
        case _:
            return entry(path, content=f"{number}".encode())


def walk(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): "/" if path.is_dir() else path.read_text() for path in root.rglob("*")}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(CHANGES, max_size=5), min_size=2, max_size=5))
def test_stacks_of_random_changes_look_alike_to_the_model_the_kernel_and_us(batches):
    model: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as place:
        layers: list[str] = []
        for number, batch in enumerate(batches):
            # A layer is the difference between two states, so a path is changed at most once, and nothing below what
            # was taken away or replaced in the same step.
            touched: list[str] = []
            done = []
            for change in batch:
                if any(change[1].startswith(path) or path.startswith(change[1]) for path in touched):
                    continue
                if made := apply_to_model(model, change, number):
                    done.append(render(made, number))
                    touched.append(change[1])
            path = f"{place}/{number}"
            os.mkdir(path)
            unpack_layer(io.BufferedReader(io.BytesIO(layer(*done))), path, below=tuple(layers))
            layers.insert(0, path)
        os.mkdir(f"{place}/merged")

        def mounted():
            mount.mount("overlay", f"{place}/merged", "overlay", 0, f"lowerdir={':'.join(layers)}")
            return walk(Path(place) / "merged")

        assert in_mount_namespace(mounted) == model
        for path in ["/".join(parts) for parts in _all_paths()]:
            found = find(layers, path)
            assert (("/" if found.is_directory else read_file(layers, path).decode()) if found else None) == model.get(
                path
            )


def _all_paths():
    for first in "abc":
        yield (first,)
        for second in "abc":
            yield first, second
            for third in "abc":
                yield first, second, third

"""Facts about real Dockerfiles: how each is read, and what the checks find in it. Their text is not kept.

    python -m tools.dockerfiles FOLDER              print the facts, one line for each different file
    python -m tools.dockerfiles FOLDER --compare    print what is no longer as in dockerfiles.tsv

FOLDER holds unpacked sources, each in a folder that is called PACKAGE_VERSION as in Debian's archive. Columns: path,
beginning of the file's SHA-256, stages, instructions, beginning of the SHA-256 of what was read, and codes of findings
with their numbers. A file that is refused has the first mistake instead of the last three, one that becomes no graph
without arguments the reason at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from orchestra.build.check import check
from orchestra.build.configuration import ImageConfiguration
from orchestra.build.dockerfile import parse_dockerfile
from orchestra.build.graph import make_graph, needed_images
from orchestra.build.options import Options
from orchestra.errors import FileError
from orchestra.record import Record, fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestra.build.dockerfile import Dockerfile
    from orchestra.build.step import BaseImage

FACTS = Path(__file__).with_suffix(".tsv")
NAME = re.compile(r"(?i)(.*[._-])?(docker|container)file([._-].*)?")
TEMPLATES = (".dockerignore", ".in", ".j2", ".template", ".tmpl")
OPTIONS = Options(platform="linux/amd64", build_platform="linux/amd64")


def facts(folder: Path) -> Iterator[str]:
    """Of each file that is called like a Dockerfile; of equal ones, only the first."""
    seen = set()
    for path in sorted(folder.rglob("*")):
        name = path.name.lower()
        if not NAME.fullmatch(name) or name.endswith(TEMPLATES) or not path.is_file():
            continue
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if b"\0" in data or digest in seen:
            continue
        seen.add(digest)
        text = data.decode("utf-8", "surrogateescape")
        yield "\t".join((str(path.relative_to(folder)), digest[:16], *_describe(text)))


def _describe(text: str) -> tuple[str, ...]:
    try:
        dockerfile = parse_dockerfile(text)
    except FileError as error:
        return ("refused", _first(error))
    read = hashlib.sha256(repr(_plain(dockerfile.arguments, dockerfile.stages)).encode(errors="replace"))
    report = check(dockerfile, OPTIONS)
    found = Counter(one.code for one in report.findings)
    codes = " ".join(f"{code}={number}" for code, number in sorted(found.items()))
    number = len(dockerfile.arguments) + sum(1 + len(stage.instructions) for stage in dockerfile.stages)
    return (str(len(dockerfile.stages)), str(number), read.hexdigest()[:16], codes or "-", _graph(dockerfile))


def _graph(dockerfile: Dockerfile) -> str:
    """How many steps the last stage needs; all bases are taken to be empty."""
    known: dict[BaseImage, ImageConfiguration] = {}
    try:
        for image in needed_images(dockerfile, OPTIONS):
            known[image] = ImageConfiguration()
        return str(len(make_graph(dockerfile, OPTIONS, known).steps))
    except FileError as error:
        return _first(error)


def _first(error: FileError) -> str:
    first = error.diagnostics[0]
    return f"{first.span.line if first.span else 0}: {first.message}".replace("\t", " ")


def _plain(*values: object) -> list[object]:
    """What was read, without where it stood."""
    found: list[object] = []
    for value in values:
        if isinstance(value, Record):
            rest = (one for name, one in fields(value).items() if name != "line")
            found.append((type(value).__name__, _plain(*rest)))
        elif isinstance(value, tuple):
            found.append(_plain(*value))
        else:
            found.append(value)
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compare", action="store_true")
    options = parser.parse_args()
    rows = list(facts(options.folder))
    if not options.compare:
        sys.stdout.writelines(f"{row}\n" for row in rows)
        return 0
    kept = {row.partition("\t")[0]: row for row in FACTS.read_text(encoding="utf-8").splitlines()}
    changed = [row for row in rows if kept.get(row.partition("\t")[0], row) != row]
    sys.stdout.writelines(f"{row}\n" for row in changed)
    print(f"{len(rows)} files, {len(changed)} are not as they were", file=sys.stderr)
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())

"""A load is lean and takes time in proportion to the file."""

from __future__ import annotations

import subprocess
import sys
import time


def stack(count: int) -> str:
    """A usual service, many times, each depending on another and linked to a third."""
    return (
        "services:\n"
        + "".join(
            f"  s{number}:\n"
            f"    image: app{number % 7}:1.{number}\n"
            f'    ports: ["{10000 + number}:80"]\n'
            f"    environment: {{NAME: s{number}, URL: 'http://${{HOST:-db}}:80'}}\n"
            f"    volumes: [./d{number}:/d]\n"
            f"    links: ['s{number // 3}:other']\n"
            f"    depends_on: [s{number // 2}]\n"
            for number in range(1, count)
        )
        + "  s0: {image: x}\n"
    )


def seconds(folder, count: int) -> float:
    text = stack(count)
    began = time.process_time()
    assert len(folder.load(text).desired.containers) == count
    return time.process_time() - began


def test_ten_times_the_services_take_ten_times_as_long(folder):
    seconds(folder, 20)  # imports, and the models' first use
    small, large = min(seconds(folder, 100) for _ in range(3)), seconds(folder, 1000)
    assert large < 25 * small


def test_a_load_needs_no_library_beside_pydantic_and_ruamel(folder):
    path = folder.write("compose.yaml", stack(3))
    script = (
        "import sys; import orchestra; orchestra.load(sys.argv[1], environment={}); "
        "print(*sorted({name.partition('.')[0] for name in sys.modules} "
        "& {'networkx', 'rich', 'typer', 'anyio', 'asyncio', 'difflib', 'numpy'}))"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

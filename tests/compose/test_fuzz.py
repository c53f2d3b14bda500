"""A few seconds of libFuzzer on the loader, from our own examples; a crash keeps its input in the report."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestra.driver.local.unsupported import LACKS
from tools.reference.attributes import attributes

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples" / "stacks"
SECONDS = 8
# What the examples have none of.
SEEDS = (
    "x: &a {k: v}\nservices: {a: {image: $TAG, <<: *a, ports: ['8000-8002:80-82/udp', '[::1]::5']}}",
    "services:\n  a: {build: {context: ., args: [A=1, B]}, volumes: ['v:/d:ro', ./x:/y, C:/z]}\n"
    "volumes: {v: !reset null}",
    "services: {a: {extends: b, deploy: {resources: {limits: {cpus: '0.5', memory: 1g}}}}, b: {image: x, scale: 2}}",
    "services: {a: {image: x, secrets: [s], configs: [{source: c, mode: 0440}]}}\n"
    "secrets: {s: {environment: HOME}}\nconfigs: {c: {content: '${TAG:?no} ${X:-${Y+z}}'}}",
    "services: {a: {image: x, command: a 'b c' d, healthcheck: {test: e, interval: 1m30s}, tmpfs: '/t:size=1m'}}",
    "include: [compose.yaml]\n---\nservices: !override {a: {image: x, extra_hosts: ['a=::1'], ulimits: {nofile: 1}}}",
)


@pytest.mark.fuzz
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no build for this Python")
def test_whatever_the_bytes_a_load_ends_in_a_stack_or_in_an_error_of_ours(tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    texts = (*SEEDS, *(path.read_text() for path in EXAMPLES.glob("*/compose.yaml")))
    for number, text in enumerate(texts):
        (corpus / str(number)).write_text(text)
    words = {part for item in attributes(LACKS) for part in item.path.split(".") if part.isidentifier()}
    (tmp_path / "words").write_text("".join(f'"{word}:"\n' for word in sorted(words)))
    limits = ("-max_len=2048", "-timeout=10", "-rss_limit_mb=1024", f"-max_total_time={SECONDS}", "-runs=20000")
    done = subprocess.run(
        [sys.executable, HERE / "fuzz_loader.py", *limits, f"-dict={tmp_path}/words", corpus],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    crashes = [path.read_bytes() for path in tmp_path.glob("*-*") if path.is_file()]
    assert done.returncode == 0, f"{crashes}\n{done.stdout}\n{done.stderr[-4000:]}"
    assert "Done " in done.stderr

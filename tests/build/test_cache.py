"""Entries of ``cache_from`` and ``cache_to``, and the document of a cache."""

from __future__ import annotations

import json

import pytest

from orchestra.build.cache import (
    CachedStep,
    CacheOptionError,
    CacheSource,
    CacheTarget,
    CacheType,
    parse_cache,
    parse_cache_source,
    parse_cache_target,
    render_cache,
)
from orchestra.model.document import DocumentError

ONE, TWO = (f"sha256:{letter * 64}" for letter in "ab")


@pytest.mark.parametrize(
    ("entry", "source"),
    [
        ("shop:cache", CacheSource(CacheType.REGISTRY, "shop:cache")),
        ("type=registry,ref=shop:cache", CacheSource(CacheType.REGISTRY, "shop:cache")),
        ("type=local,src=/c", CacheSource(CacheType.LOCAL, "/c")),
        ("type=local,src=/c,tag=main", CacheSource(CacheType.LOCAL, "/c", "main")),
        ("type=gha,scope=x", CacheSource(CacheType.ACTIONS)),
    ],
)
def test_sources(entry, source):
    assert parse_cache_source(entry) == source


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ("shop:cache", CacheTarget(CacheType.REGISTRY, "shop:cache")),
        ("type=inline", CacheTarget(CacheType.INLINE)),
        (
            "type=registry,ref=shop:cache,mode=max,ignore-error=true,oci-mediatypes=true",
            CacheTarget(CacheType.REGISTRY, "shop:cache", every_step=True, may_fail=True),
        ),
        ("type=local,dest=/c,mode=min", CacheTarget(CacheType.LOCAL, "/c")),
    ],
)
def test_targets(entry, target):
    assert parse_cache_target(entry) == target


@pytest.mark.parametrize(
    ("parse", "entry", "message"),
    [
        (parse_cache_source, "type=else", "not one of registry, local"),
        (parse_cache_source, "type=local", "needs src="),
        (parse_cache_target, "type=local,src=/c", "needs dest="),
        (parse_cache_target, "type=registry,ref=x,mode=most", "not min or max"),
        (parse_cache_target, "type=inline,colour=red", "unknown option colour"),
    ],
)
def test_mistakes(parse, entry, message):
    with pytest.raises(CacheOptionError, match=message):
        parse(entry)


def test_a_document_gives_back_its_steps():
    steps = (CachedStep("1" * 64, (ONE,), True, 5.0, "one"), CachedStep("2" * 64, (ONE, TWO), True, 6.5, "two"))
    document = json.loads(json.dumps(render_cache(steps)))
    assert document["diff_ids"] == [ONE, TWO]
    assert parse_cache(document) == steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version"),
        ({"diff_ids": ["x"]}, "digest"),
        ({"steps": [{"key": "1" * 64, "layers": [1], "created": 0}]}, "not there"),
        ({"steps": [{"key": "../x", "layers": [0], "created": 0}]}, "digest"),
        ({"steps": [{"key": "1" * 64, "layers": [0]}]}, "time"),
    ],
)
def test_a_document_of_others_is_not_trusted(change, message):
    document = {**render_cache([CachedStep("1" * 64, (ONE,), True)]), **change}
    with pytest.raises(DocumentError, match=message):
        parse_cache(document)

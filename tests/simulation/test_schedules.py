"""The real engine on a fake world in virtual time: hundreds of lives with crashes, faults and lost events."""

from __future__ import annotations

import os

import pytest

from tests.simulation.schedule import Schedule, normal_form, run

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(300)]

CHUNK = 25
ALONE = os.environ.get("ORCHESTRA_SEED")
"""One seed to run by itself, as a failure tells."""


def seeds(first: int) -> range:
    return range(int(ALONE), int(ALONE) + 1) if ALONE else range(first, first + CHUNK)


def survives(seed: int, **options) -> Schedule:
    try:
        return run(Schedule(seed, **options), seed)
    except BaseException as error:
        error.add_note(f"run it alone: ORCHESTRA_SEED={seed} pytest tests/simulation")
        raise


@pytest.mark.parametrize("first", range(0, 1 if ALONE else 600, CHUNK))
def test_every_life_keeps_the_promises(first):
    for seed in seeds(first):
        survives(seed)


@pytest.mark.parametrize("first", range(5000, 5001 if ALONE else 5150, CHUNK))
def test_interrupted_runs_end_where_one_undisturbed_run_ends(first):
    for seed in seeds(first):
        disturbed = survives(seed, well_behaved=True)
        calm = survives(seed, well_behaved=True, calm=True)
        assert normal_form(disturbed.rest) == normal_form(calm.rest), seed


def test_a_seed_reproduces_its_run():
    first = survives(7).world.journal
    second = survives(7).world.journal
    assert [(entry.at, entry.what, entry.name) for entry in first] == [(e.at, e.what, e.name) for e in second]

"""The schedules notice broken reconcilers. ``make mutants`` hunts all of them."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, changed, hunt

SAMPLE = ("no-order", "unchecked", "volumes-removed")


def test_every_mutant_changes_one_place_of_a_module_that_still_compiles():
    assert len(MUTANTS) >= 50
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        compile(changed(mutant), mutant.module, "exec")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mutant", [each for each in MUTANTS if each.name in SAMPLE], ids=lambda mutant: mutant.name)
def test_a_broken_reconciler_is_noticed(mutant):
    is_caught, how = hunt(mutant)
    assert is_caught, how

"""Stories that the machine of test_simulation.py told of planted bugs, as it had shrunk them.

`world.check()` is what the machine checks after every step. Chance need not find these again: they are told each time.
"""

from __future__ import annotations

import pytest

from schemas.facts.notify import MessageSent
from tests.services.test_intake_decide import submit
from tests.simulation.bus import Lie
from tests.simulation.life import Fate
from tests.simulation.services import READERS
from tests.simulation.world import CASE, NEIGHBOUR, World


def filed(world: World, *streams: str) -> None:
    for stream in streams:
        world.ask("intake", submit("site_visit"), stream=stream)


@pytest.mark.parametrize("lie", list(Lie))
def test_whatever_the_bus_does_to_a_message_the_rows_stay_the_fold_of_the_log(world: World, lie: Lie) -> None:
    filed(world, CASE, NEIGHBOUR)
    world.deliver("audit", 1, [lie])
    world.check()
    world.deliver("audit", 5)
    world.watch("audit")
    world.check()
    assert len(world.services["audit"].database.tables["cases"]) == 2


def test_a_message_that_comes_twice_is_not_taken_for_a_forged_one(world: World) -> None:
    filed(world, CASE)
    world.deliver("audit", 1, [Lie.REPEATS])
    world.check()


def test_who_was_set_back_beyond_what_the_bus_still_brings_reads_it_from_the_log(world: World) -> None:
    filed(world, CASE)
    world.deliver("review", 1)
    world.rebuild("review")
    filed(world, NEIGHBOUR)
    world.deliver("review", 1)
    world.check()
    assert len(world.services["review"].database.tables["cases"]) == 2


def test_a_worker_that_takes_over_sends_nothing_that_the_log_says_was_sent(world: World) -> None:
    filed(world, CASE)
    world.watch("notify")
    assert not world.work("notify", Fate.KILLED_APPENDED)
    world.lease_ends()
    assert world.work("notify")
    world.check()


def test_two_workers_that_both_sent_record_it_once(world: World) -> None:
    filed(world, CASE)
    world.watch("notify")
    assert not world.work("notify", Fate.FROZEN, steps=4)  # the message is handed over, the record of it is not written
    world.lease_ends()
    assert world.work("notify")
    world.thaw()
    world.check()
    told = [fact.channel for _, fact in world.log.facts if isinstance(fact, MessageSent)]
    assert sorted(told) == sorted(set(told))
    assert len(world.sent) == len(told) + 1


def test_an_agenda_that_is_built_again_owes_nothing_that_is_done(world: World) -> None:
    filed(world, CASE)
    world.settle()
    done = len(world.log.facts)
    for service in READERS:
        world.rebuild(service)
        world.watch(service)
    world.check()
    world.settle()
    assert len(world.log.facts) == done


def test_what_one_process_reads_while_another_is_frozen_is_not_read_twice(world: World) -> None:
    filed(world, CASE, NEIGHBOUR)
    world.deliver("intake", 2, [Lie.SWAPS], Fate.FROZEN, steps=4)
    world.deliver("intake", 2)
    world.check()
    world.thaw()
    world.check()

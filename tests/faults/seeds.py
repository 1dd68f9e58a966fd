"""One seed for a run, printed, and given again by `SEED=`."""

from __future__ import annotations

import os
import random


def seed_of(what: str) -> int:
    """The seed of this run; printed with `what`, so that the run can be replayed."""
    given = os.environ.get("SEED")
    seed = int(given) if given else random.SystemRandom().randrange(1 << 32)
    print(f"\n{what}: SEED={seed}")
    return seed

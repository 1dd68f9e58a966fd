"""The plan of a demonstration: types, districts, ways in, corrections, agencies and ends by a seed."""

from __future__ import annotations

import random
from typing import Final

from deploy.demo.plan import Applicant, Plan
from schemas.catalogue import catalogue

_FIRST: Final = ("سارا", "مهدی", "زهرا", "رضا", "نرگس", "امیر", "فاطمه", "حسین", "مریم", "علی")
_LAST: Final = ("کرمانی", "ایرانمنش", "افضلی", "نخعی", "رشیدی", "سالاری", "محمودی", "ابراهیمی")


def national_code(number: int) -> str:
    """A national code with a right check digit (domain.md, Identifiers), from its first nine digits."""
    nine = f"{number:09d}"
    rest = sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
    return nine + str(rest if rest < 2 else 11 - rest)


_KINDS: Final = {
    "no_violation": 24, "building_permit": 20, "completion_certificate": 14, "site_visit": 12, "bank_inquiry": 14,
    "notary_inquiry": 9, "department_inquiry": 7,
}  # fmt: skip
"""Of a hundred requests (assumed; the first of a week are one of each kind)."""
_DISTRICTS: Final = (24, 27, 20, 17, 12)


def plans(count: int, seed: int, *, key: str = "") -> list[Plan]:
    """`count` requests; the same seed gives the same week. `key`: the name under which a resumed week files nothing twice."""
    chance = random.Random(seed)
    return [_plan(number, chance, key) for number in range(count)]


def _plan(number: int, chance: random.Random, key: str) -> Plan:
    kinds = list(catalogue().types)
    kind = kinds[number] if number < len(kinds) else chance.choices(list(_KINDS), list(_KINDS.values()))[0]
    agencies = catalogue().types[kind].agencies
    papers, correction = chance.random() < 0.06, chance.random() < 0.25
    agency = chance.choice(agencies) if agencies and chance.random() < 0.7 else None
    waits = [name for name, waited in (("papers", papers), ("correction", correction), ("agency", agency)) if waited]
    return Plan(
        kind=kind,
        district=number + 1 if number < 5 else chance.choices(range(1, 6), _DISTRICTS)[0],
        office=chance.choice(("office1", "office2")) if chance.random() < 0.4 else None,
        applicant=Applicant(
            national_code=national_code(chance.randrange(10_000_000, 900_000_000)),
            name=f"{chance.choice(_FIRST)} {chance.choice(_LAST)}",
            mobile=f"0913{chance.randrange(10_000_000):07d}",
            email="" if chance.random() < 0.7 else f"citizen{number}@example.org",
        ),
        papers=papers,
        correction=correction,
        agency=agency,
        refusal=chance.random() < 0.04,
        suspension=chance.random() < 0.03,
        late=chance.choice(waits) if waits and chance.random() < 0.2 else "",
        end=chance.choices(("approve", "reject", "withdraw"), (80, 12, 8))[0],
        key=f"{key} {number}" if key else "",
    )

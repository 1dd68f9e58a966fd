"""The plan of a demonstration: types, districts, ways in, corrections, agencies and ends by a seed."""

from __future__ import annotations

import random
from typing import Final

from deploy.demo.walk import Applicant, Plan
from schemas.catalogue import catalogue

_FIRST: Final = ("سارا", "مهدی", "زهرا", "رضا", "نرگس", "امیر", "فاطمه", "حسین", "مریم", "علی")
_LAST: Final = ("کرمانی", "ایرانمنش", "افضلی", "نخعی", "رشیدی", "سالاری", "محمودی", "ابراهیمی")


def national_code(number: int) -> str:
    """A national code with a right check digit (domain.md, Identifiers), from its first nine digits."""
    nine = f"{number:09d}"
    rest = sum(int(digit) * (10 - place) for place, digit in enumerate(nine)) % 11
    return nine + str(rest if rest < 2 else 11 - rest)


def plans(count: int, seed: int) -> list[Plan]:
    """`count` requests; the same seed gives the same week."""
    chance = random.Random(seed)
    kinds = list(catalogue().types)
    made = []
    for number in range(count):
        kind = kinds[number % len(kinds)] if number < len(kinds) else chance.choice(kinds)
        applicant = Applicant(
            national_code=national_code(chance.randrange(10_000_000, 900_000_000)),
            name=f"{chance.choice(_FIRST)} {chance.choice(_LAST)}",
            mobile=f"0913{chance.randrange(10_000_000):07d}",
            email="" if chance.random() < 0.7 else f"citizen{number}@example.org",
        )
        made.append(
            Plan(
                kind=kind,
                district=number % 5 + 1,
                office=chance.choice(("office1", "office2")) if chance.random() < 0.4 else None,
                applicant=applicant,
                correction=chance.random() < 0.25,
                agency=chance.choice(catalogue().types[kind].agencies) if catalogue().types[kind].agencies else None,
                end=chance.choices(("approve", "reject", "withdraw"), (80, 12, 8))[0],
            )
        )
    return made

"""Tracking codes: short, unguessable, easy to read aloud, and derived from the case id, so that none is stored. Pure."""

from __future__ import annotations

import hmac
from typing import Final

from schemas.envelope.identifiers import normalised

ALPHABET: Final = "3456789ABCDEFGHJKMNPQRSTVWXY2"
"""29 signs, a prime, without 0 O 1 I L U Z, which are mistaken for one another."""
LENGTH: Final = 10
_PREFIX: Final = "PK"


def tracking_code(key: bytes, case_id: str) -> str:
    """`PK-` and groups of four, four and three signs: ten of them carry 48 bits, the last one checks them."""
    number = int.from_bytes(hmac.digest(key, b"tracking\0" + case_id.encode(), "sha256"), "big")
    signs = ""
    for _ in range(LENGTH):
        number, rest = divmod(number, len(ALPHABET))
        signs += ALPHABET[rest]
    return _grouped(signs + _check(signs))


def read_tracking_code(text: str) -> str | None:
    """The code as it is shown, from what a person typed (any case, digits, blanks, hyphens); None when it cannot be one."""
    signs = normalised(text).upper().replace("-", "").replace(" ", "")
    if len(signs) > LENGTH + 1:  # a code may itself begin with the letters of the prefix
        signs = signs.removeprefix(_PREFIX)
    if len(signs) != LENGTH + 1 or any(sign not in ALPHABET for sign in signs) or _check(signs[:-1]) != signs[-1]:
        return None
    return _grouped(signs)


def _check(signs: str) -> str:
    # Different weights below a prime modulus: one changed sign and two exchanged ones are always found.
    return ALPHABET[sum((place + 1) * ALPHABET.index(sign) for place, sign in enumerate(signs[::-1])) % len(ALPHABET)]


def _grouped(signs: str) -> str:
    return f"{_PREFIX}-{signs[:4]}-{signs[4:8]}-{signs[8:]}"

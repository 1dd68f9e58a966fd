"""Iranian identifiers and text: normalised before they are stored, and checked (domain.md, Identifiers and text). Pure."""

from __future__ import annotations

import re
from typing import Final

_DIGITS: Final = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")
_LETTERS: Final = str.maketrans({"ي": "ی", "ى": "ی", "ك": "ک"})
_SPACES: Final = re.compile(r"[ \t\u00a0]+")
_MOBILE: Final = re.compile(r"09[0-9]{9}")
_POSTAL_CODE: Final = re.compile(r"[13-9]{4}[1346-9][013-9][0-9]{4}")
_TEN_DIGITS: Final = re.compile(r"[0-9]{10}")


def normalised(text: str) -> str:
    """`text` with Arabic ي and ك as ی and ک, Persian and Arabic digits as ASCII, single blanks; ZWNJ is kept."""
    return _SPACES.sub(" ", text.translate(_DIGITS).translate(_LETTERS)).strip()


def is_national_code(text: str) -> bool:
    """Whether `text` (normalised) is a کد ملی: 10 digits, not all alike, with a right check digit.

    The check digit: the sum of the first nine digits weighted 10 to 2, modulo 11; below 2 it is the digit itself, else 11
    minus it.
    """
    if not _TEN_DIGITS.fullmatch(text) or len(set(text)) == 1:
        return False
    rest = sum(int(digit) * (10 - place) for place, digit in enumerate(text[:9])) % 11
    return int(text[9]) == (rest if rest < 2 else 11 - rest)


def is_mobile(text: str) -> bool:
    """Whether `text` (normalised) is an Iranian mobile number, 09xxxxxxxxx."""
    return _MOBILE.fullmatch(text) is not None


def is_postal_code(text: str) -> bool:
    """Whether `text` (normalised) has the form of a postal code: 10 digits; the first four without 0 and 2, the fifth
    without 0, 2 and 5, the sixth without 2."""
    return _POSTAL_CODE.fullmatch(text) is not None

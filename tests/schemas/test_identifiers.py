"""Identifiers are normalised, then checked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope.identifiers import is_mobile, is_national_code, is_postal_code, normalised


@pytest.mark.parametrize(
    ("text", "expected"),
    [("٠٠۱۲", "0012"), ("كريمي", "کریمی"), ("  خانه\u00a0 ۳ ", "خانه 3"), ("می\u200cروم", "می\u200cروم"), ("", "")],
)
def test_text_is_normalised_and_zwnj_kept(text: str, expected: str) -> None:
    assert normalised(text) == expected


@given(st.text(max_size=40))
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize("code", ["0012345679", "0499370899", "0790419904", "0084575948"])
def test_a_right_national_code(code: str) -> None:
    assert is_national_code(code)


@pytest.mark.parametrize("code", ["0012345678", "1111111111", "001234567", "00123456790", "00123a5679", "", "۰۰۱۲۳۴۵۶۷۹"])
def test_a_wrong_national_code(code: str) -> None:
    assert not is_national_code(code)


@given(st.from_regex(r"\A[0-9]{9}\Z"))
def test_of_ten_check_digits_at_most_one_fits(nine: str) -> None:
    fitting = [digit for digit in "0123456789" if is_national_code(nine + digit)]
    assert len(fitting) == (0 if len(set(nine + "".join(fitting))) == 1 or not fitting else 1)


@given(st.from_regex(r"\A[0-9]{10}\Z"), st.integers(0, 8))
def test_two_swapped_neighbours_are_found_unless_the_check_digit_is_1(code: str, place: int) -> None:
    """The scheme gives the digit 1 to two remainders, 1 and 10; between those a swap can go unseen (7724902771)."""
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    if is_national_code(code) and swapped != code and place < 8 and code[9] != "1":
        assert not is_national_code(swapped)


@pytest.mark.parametrize(
    ("text", "right"), [("09131234567", True), ("9131234567", False), ("0913123456", False), ("+989131234567", False)]
)
def test_mobile_numbers(text: str, right: bool) -> None:
    assert is_mobile(text) is right


@pytest.mark.parametrize(
    ("text", "right"), [("7618713391", True), ("0618713391", False), ("761871339", False), ("7618023391", False)]
)
def test_postal_codes(text: str, right: bool) -> None:
    assert is_postal_code(text) is right

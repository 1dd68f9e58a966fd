"""A position is a place that the log can have."""

from __future__ import annotations

import pytest

from schemas.envelope import Position


@pytest.mark.parametrize("text", ["63:1", "0:9223372036854775807"])
def test_a_position_is_read_as_it_is_written(text: str) -> None:
    assert str(Position.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["64:1", "0:9223372036854775808", "0:" + "9" * 5000, "0:\u00b2", "-1:1", "1", "", "a:b", "1:1\0"]
)
def test_what_no_log_can_have_is_no_position(text: str) -> None:
    with pytest.raises(ValueError, match="shard:seq"):
        Position.parse(text)

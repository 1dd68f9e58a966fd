"""The house rules hold, and each is shown to fail on a planted violation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.conftest import ROOT

LONG_FUNCTION = "def long() -> None:\n" + "    print()\n" * 61
PLANTED: list[tuple[Callable[[Path], list[str]], str, str]] = [
    (rules.layers_point_down, "caselog/x.py", "from chassis import bus"),
    (rules.layers_point_down, "schemas/x.py", "import caselog.read"),
    (rules.layers_point_down, "chassis/x.py", "def f():\n    from services.intake import decide"),
    (rules.services_never_import_each_other, "services/intake/decide.py", "from services.review import commands"),
    (rules.pure_modules_are_pure, "services/intake/decide.py", "import asyncpg"),
    (rules.pure_modules_are_pure, "schemas/facts/x.py", "import random"),
    (rules.pure_modules_are_pure, "schemas/clocks.py", "import datetime\ndatetime.datetime.now()"),
    (rules.only_the_bus_knows_kafka, "services/intake/pages.py", "import aiokafka"),
    (rules.only_the_bus_knows_kafka, "chassis/agenda.py", "from faststream.kafka import KafkaBroker"),
    (rules.only_app_opens_connections_in_a_service, "services/intake/read.py", "import asyncpg\nasyncpg.connect()"),
    (rules.rooms_keep_their_names, "services/intake/extras.py", ""),
    (rules.names_say_something, "chassis/utils.py", ""),
    (rules.names_say_something, "chassis/helpers/x.py", ""),
    (rules.ceilings_hold, "caselog/x.py", LONG_FUNCTION),
    (rules.ceilings_hold, "caselog/x.py", "x = 1\n" * 351),
    (rules.nothing_is_unfinished, "caselog/x.py", "# TO" + "DO: later"),
    (rules.planted_bugs_fit_the_code, "tests/oracle/planted/x.patch", "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"),
]


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Callable[[Path], list[str]]) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize(("rule", "path", "source"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_a_planted_violation_is_found(tmp_path: Path, rule: Callable[[Path], list[str]], path: str, source: str) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(source)
    assert len(rule(tmp_path)) >= 1
    assert rule(tmp_path)[0].startswith(path)


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(rules.RULES)

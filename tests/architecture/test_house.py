"""The house rules hold, and each is shown to fail on a planted violation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture.rules import RULES, Rule, finished, imports, layers, names, permit_words, size, words
from tests.architecture.tree import Tree
from tests.conftest import ROOT

PAGE = "services/intake/templates/x.html"
FIELD = '<input class="a" name="b" value="c">'
LONG_FUNCTION = "def long() -> None:\n" + "    print()\n" * 61
CASES = "def long(x: int) -> None:\n    match x:\n" + "        case 1:\n            {}\n" * 40
PLANTED: list[tuple[Rule, str, str]] = [
    (layers.layers_point_down, "caselog/x.py", "from chassis import bus"),
    (layers.layers_point_down, "schemas/x.py", "import caselog.read"),
    (layers.layers_point_down, "chassis/x.py", "def f():\n    from services.intake import decide"),
    (layers.chassis_points_down, "chassis/settings.py", "from chassis.eventing import relay"),
    (layers.chassis_points_down, "chassis/eventing/relay.py", "from chassis.privacy.vault import Vault"),
    (layers.chassis_points_down, "chassis/privacy/vault.py", "def f():\n    from chassis import web"),
    (layers.chassis_points_down, "chassis/web/app.py", "import chassis.accounts.routers"),
    (layers.chassis_points_down, "chassis/accounts/oidc/pages.py", "from chassis.runtime.container import Container"),
    (layers.chassis_imports_the_envelope_only, "chassis/x.py", "from schemas.facts import decode"),
    (layers.chassis_imports_the_envelope_only, "chassis/eventing/x.py", "def f():\n    import schemas.clocks"),
    (layers.chassis_imports_the_envelope_only, "chassis/x.py", "from schemas import catalogue"),
    (layers.the_envelope_names_no_fact, "schemas/envelope/x.py", "from schemas.facts.review import WitnessKey"),
    (layers.services_never_import_each_other, "services/intake/decide.py", "from services.review import commands"),
    (layers.pure_modules_are_pure, "services/intake/decide.py", "import asyncpg"),
    (layers.pure_modules_are_pure, "schemas/facts/x.py", "import random"),
    (layers.pure_modules_are_pure, "schemas/clocks.py", "import datetime\ndatetime.datetime.now()"),
    (layers.only_the_bus_knows_kafka, "services/intake/pages.py", "import aiokafka"),
    (layers.only_the_bus_knows_kafka, "chassis/agenda.py", "from faststream.kafka import KafkaBroker"),
    (layers.only_app_opens_connections_in_a_service, "services/intake/read.py", "import asyncpg\nasyncpg.connect()"),
    (names.rooms_keep_their_names, "services/intake/extras.py", ""),
    (names.names_say_something, "chassis/utils.py", ""),
    (names.names_say_something, "chassis/helpers/x.py", ""),
    (words.names_use_the_fields_words, "chassis/x.py", "class ShelfOfRows: ..."),
    (words.names_use_the_fields_words, "chassis/x.py", "def f(ground: str) -> None: ..."),
    (words.names_use_the_fields_words, "services/intake/read.py", "import json as owed_later"),
    (words.names_use_the_fields_words, "caselog/x.py", "for AT_ONE_BLOW in (): ..."),
    (words.names_use_the_fields_words, "chassis/standing.py", ""),
    (permit_words.chassis_knows_no_permit_word, "chassis/x.py", "class OfficeHours: pass"),
    (permit_words.chassis_knows_no_permit_word, "chassis/x.py", "ALL_WITNESSES = 1"),
    (permit_words.chassis_knows_no_permit_word, "chassis/web/x.py", "def f(x: str) -> str:\n    return x + 'a permit'"),
    (permit_words.chassis_knows_no_permit_word, "chassis/x.py", '"""Inquiries to an agency."""'),
    (permit_words.chassis_knows_no_permit_word, "chassis/settings.py", "applicant = 1"),
    (size.ceilings_hold, "caselog/x.py", LONG_FUNCTION),
    (size.ceilings_hold, "caselog/x.py", CASES.format(*["if x: print()"] * 40)),
    (size.ceilings_hold, "caselog/x.py", "x = 1\n" * 351),
    (size.templates_can_be_read, PAGE, f"<p>{'x' * 155}</p>"),
    (size.templates_can_be_read, PAGE, FIELD + FIELD),
    (size.templates_can_be_read, PAGE, "<p>x</p>\n" * 121),
    (imports.tests_start_nothing_at_import, "tests/x.py", "def claim():\n    pass\n\n\nclaim()"),
    (imports.tests_start_nothing_at_import, "tests/x.py", "DOORS = [process.port for process in PROCESSES]"),
    (imports.tests_start_nothing_at_import, "tests/x.py", "ISSUER = f'http://127.0.0.1:{first_port() + 99}'"),
    (finished.nothing_is_unfinished, "caselog/x.py", "# TO" + "DO: later"),
    (finished.planted_bugs_fit_the_code, "tests/oracle/planted/x.patch", "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"),
]


@pytest.fixture(scope="session")
def house() -> Tree:
    """This repository, parsed once for all rules."""
    return Tree(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(house: Tree, rule: Rule) -> None:
    assert rule(house) == []


@pytest.mark.parametrize(("rule", "path", "source"), PLANTED, ids=lambda value: getattr(value, "__name__", None))
def test_a_planted_violation_is_found(tmp_path: Path, rule: Rule, path: str, source: str) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(source)
    found = rule(Tree(tmp_path))
    assert len(found) >= 1
    assert found[0].startswith(path)


def test_a_flat_match_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "caselog").mkdir()
    (tmp_path / "caselog/x.py").write_text(CASES.format(*["print()"] * 40))
    assert size.ceilings_hold(Tree(tmp_path)) == []


def test_what_a_module_of_chassis_may_still_say_it_says(house: Tree) -> None:
    found = {(str(module.path), word) for module in house.modules for line in module.lines for word in permit_words.said(line)}
    assert sorted(permit_words.ALLOWED - found) == []


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)

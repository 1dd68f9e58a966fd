"""The house rules as functions over a source tree: each returns the lines that break it (design.md section 2).

A new rule is a function in a module here, a line in RULES, and a planted violation in test_house.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.architecture.rules.finished import nothing_is_unfinished, planted_bugs_fit_the_code
from tests.architecture.rules.imports import tests_start_nothing_at_import
from tests.architecture.rules.layers import (
    chassis_imports_the_envelope_only,
    chassis_points_down,
    layers_point_down,
    only_app_opens_connections_in_a_service,
    only_the_bus_knows_kafka,
    pure_modules_are_pure,
    services_never_import_each_other,
    the_envelope_names_no_fact,
)
from tests.architecture.rules.names import names_say_something, rooms_keep_their_names
from tests.architecture.rules.permit_words import chassis_knows_no_permit_word
from tests.architecture.rules.size import ceilings_hold, templates_can_be_read
from tests.architecture.rules.words import names_use_the_fields_words
from tests.architecture.tree import Tree

Rule = Callable[[Tree], list[str]]

RULES: Final[tuple[Rule, ...]] = (
    layers_point_down,
    chassis_points_down,
    chassis_imports_the_envelope_only,
    the_envelope_names_no_fact,
    chassis_knows_no_permit_word,
    services_never_import_each_other,
    pure_modules_are_pure,
    only_the_bus_knows_kafka,
    only_app_opens_connections_in_a_service,
    rooms_keep_their_names,
    names_say_something,
    names_use_the_fields_words,
    ceilings_hold,
    templates_can_be_read,
    tests_start_nothing_at_import,
    nothing_is_unfinished,
    planted_bugs_fit_the_code,
)

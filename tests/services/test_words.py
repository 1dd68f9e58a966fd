"""Every text of every page and every refusal is there in Persian, and in English where the message id is a code."""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from chassis import refusal
from chassis.accounts import sign_in
from chassis.accounts.oidc import refusals as oidc
from chassis.privacy.documents import store
from chassis.refusal import Refusal
from chassis.runtime import message_gateway
from chassis.web import parked_work, problems
from chassis.web.i18n import OWN_LOCALE, Translations
from chassis.web.parked_work import ParkedWorkPage
from deploy.witness import witness
from deploy.witness.__main__ import LOCALE as WITNESS
from schemas.envelope.fact import StreamKind
from services.audit import api as audit_api
from services.inquiry.app import SERVICE as INQUIRY
from services.intake.app import SERVICE as INTAKE
from services.intake.decide.filing import WORDINGS
from services.notify import decide as notify_decide
from services.notify.app import SERVICE as NOTIFY
from services.review import refusals as review_refusals
from services.review.app import SERVICE as REVIEW
from tests.conftest import ROOT

SERVICES = ("intake", "review", "inquiry", "notify", "audit")
_CALL = re.compile(r"""\b_\(\s*((?:"[^"]+"\s*)+|'[^']+')""")
"""A message may stand on several lines, as adjacent strings."""
_COMPOSED = re.compile(r"""\b_\(\s*["']([a-z]+\.)["']\s*~""")


def words(service: str) -> Translations:
    return Translations([OWN_LOCALE, ROOT / "services" / service / "locale"])


def messages(service: str) -> Iterator[tuple[str, str]]:
    for directory in (ROOT / "services" / service / "templates", ROOT / "chassis" / "web" / "templates"):
        for path in directory.glob("*.html"):
            text = path.read_text(encoding="utf-8")
            for message in _CALL.findall(text):
                yield path.name, "".join(message.split(message[0])[1::2])
    declared = importlib.import_module(f"services.{service}.app").SERVICE
    yield "app.py", declared.title
    yield from (("app.py", link.text) for link in declared.links)


@pytest.mark.parametrize("service", SERVICES)
def test_every_message_of_the_pages_has_a_persian_text(service: str) -> None:
    texts = words(service)
    found = list(messages(service))
    assert len(found) > 30
    composed = set()
    for name, message in found:
        if re.fullmatch(r"[a-z]+\.", message):
            composed.add(message)
            continue
        assert texts.has("fa", message), f"{name}: {message}"
    assert composed <= {"consent.", "door.", "clock.", "notice.", "told.", "channel.", "message.", "refusal."}


@pytest.mark.parametrize("service", SERVICES)
def test_composed_messages_exist_in_both_languages(service: str) -> None:
    texts = words(service)
    keys = {
        "consent.": WORDINGS,
        "door.": (*SERVICES, "relay"),
        "clock.": ("city", "citizen", "agency", "suspended"),
        "notice.": tuple(template for template, _ in notify_decide._TOLD.values()),
        "told.": tuple(template for template, _ in notify_decide._TOLD.values()),
        "message.": (*(template for template, _ in notify_decide._TOLD.values()), "subject"),
        "channel.": ("inapp", "sms", "email"),
        "refusal.": (notify_decide.NoAddress.code, message_gateway.ChannelRefused.code),
    }
    used = {
        match
        for path in (ROOT / "services" / service / "templates").glob("*.html")
        for match in _COMPOSED.findall(path.read_text())
    }
    assert used <= set(keys)
    for prefix in used:
        for key in keys[prefix]:
            for language in ("fa", "en"):
                assert texts.has(language, prefix + key), (language, prefix + key)


CONSENTED = {
    ("counter_1", "fa"): "d31365b5b4ea74c2dcbe7a8dc797f482789b86c04125fc2d3992a7cd02b4611a",
    ("counter_1", "en"): "a65a38754a31f33e3c9e158c360aace4e14132555ff97cb16970ec644f749fd5",
}
"""SHA-256 of the words to which people consented; a line is only ever added, since facts name the key."""


def test_the_words_that_somebody_consented_to_never_change() -> None:
    found = {
        (key, language): hashlib.sha256(words("intake").text(language, f"consent.{key}").encode()).hexdigest()
        for key in WORDINGS
        for language in ("fa", "en")
    }
    assert found == CONSENTED


def refusals() -> Iterator[tuple[str, type[Refusal]]]:
    for module in (refusal, problems, sign_in, oidc, store, message_gateway, notify_decide):
        yield from (("notify", each) for each in vars(module).values() if isinstance(each, type) and issubclass(each, Refusal))
    yield "audit", audit_api.CredentialsNeeded
    for service in ("intake", "review", "inquiry"):
        module = importlib.import_module(f"services.{service}.refusals")
        yield from ((service, each) for each in vars(module).values() if isinstance(each, type) and issubclass(each, Refusal))


@pytest.mark.parametrize(("service", "kind"), sorted(refusals(), key=str), ids=lambda value: getattr(value, "__name__", value))
def test_every_refusal_has_its_text_and_a_status(service: str, kind: type[Refusal]) -> None:
    assert re.fullmatch(r"[a-z_]+", kind.code)
    assert 400 <= kind.status <= 503
    assert len(kind.default_text()) > 10
    if kind not in (Refusal, refusal.NotDue):  # never shown to a person
        assert words(service).has("fa", f"refusal.{kind.code}"), kind.code


PROCESSES = {each.service: each for each in (INTAKE, REVIEW, INQUIRY, NOTIFY)}


@pytest.mark.parametrize("service", PROCESSES)
def test_every_reaction_of_the_agenda_has_words_in_both_languages(service: str) -> None:
    texts, found = words(service), set(PROCESSES[service].tasks)
    assert len(found) >= 2
    wanted = [f"reaction.{name}" for name in sorted(found)]
    assert [(each, language) for each in wanted for language in ("fa", "en") if not texts.has(language, each)] == []
    source = (ROOT / "services" / service / "reactions.py").read_text(encoding="utf-8")
    caused = set(re.findall(r'\bTask\(\s*"(\w+)"', source))
    assert caused or service == "notify", "notify alone takes the names of its tasks from a table"
    assert caused <= found, "each task that is caused has a handler, so it has words too"


@pytest.mark.parametrize("service", SERVICES)
def test_every_reader_is_named_in_both_languages(service: str) -> None:
    room = "processors" if service == "audit" else "reactions"
    readers = importlib.import_module(f"services.{service}.{room}").processors(Mock())
    wanted = [f"reader.{reader.name}" for reader in readers]
    assert len(wanted) == (1 if service == "audit" else 2)
    assert [(each, language) for each in wanted for language in ("fa", "en") if not words(service).has(language, each)] == []


def test_what_a_parked_stream_at_review_is_about_is_named_in_both_languages() -> None:
    texts, wanted = words("review"), [f"stream.{kind.value}" for kind in StreamKind]
    assert [(each, language) for each in wanted for language in ("fa", "en") if not texts.has(language, each)] == []


def test_every_sentence_about_parked_work_has_a_persian_text() -> None:
    assert [each for each in parked_work.SENTENCES if not Translations([OWN_LOCALE]).has("fa", each)] == []


@pytest.mark.parametrize("language", ["fa", "en"])
def test_why_work_is_parked_is_a_sentence_in_the_readers_language_with_its_code(language: str) -> None:
    request = Mock(state=Mock(language=language))
    request.app.state.words = texts = words("review")
    said = ParkedWorkPage(request, refusal.refusals_in(review_refusals))
    for kind in (*refusal.refusals_in(refusal), *refusal.refusals_in(review_refusals)):
        if kind in (Refusal, refusal.NotDue):  # never parked
            continue
        wanted = texts.text("fa", f"refusal.{kind.code}") if language == "fa" else kind.default_text()
        assert said.reason(kind.code) == parked_work.Label(wanted, kind.code)
    for code, sentence in (
        ("AppendRefused", parked_work.NOT_TAKEN),
        ("KeyError", parked_work.UNKNOWN_WORK),
        ("ConnectionRefusedError", parked_work.AWAY_NOW),
        ("DiskFullError", parked_work.AWAY_NOW),
        ("NotTaken", parked_work.AWAY_NOW),
        ("ChannelAway", parked_work.NOT_THERE),
        ("KeyGone", parked_work.ERASED),
        ("case.split/1", parked_work.UNKNOWN_FACT),
        ("case.submitted/2: ValidationError", parked_work.MALFORMED_FACT),
        ("ZeroDivisionError", parked_work.UNFORESEEN),
    ):
        assert said.reason(code) == parked_work.Label(texts.text(language, sentence), code)
    assert said.reaction("of_last_year").words == texts.text(language, parked_work.ANOTHER_VERSION)


def test_every_refusal_of_the_witness_has_its_text() -> None:
    kinds = refusal.refusals_in(witness)
    assert len(kinds) == 7
    assert all(Translations([WITNESS]).has("fa", f"refusal.{kind.code}") for kind in kinds)


def test_the_texts_of_both_languages_name_the_same_values() -> None:
    for path in ROOT.glob("services/*/locale/fa.po"):
        texts = Translations([path.parent])
        for message, text in texts._texts["fa"].items():
            wanted = set(re.findall(r"%\((\w+)\)s", message))
            assert wanted == set(re.findall(r"%\((\w+)\)s", text)), (path, message)


def test_the_words_are_files_of_the_rooms() -> None:
    assert all((Path(ROOT) / "services" / service / "locale" / "fa.po").is_file() for service in SERVICES)

"""Pages speak as Iranian offices do: no text has a word that docs/glossary.md avoids."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.glossary import broken, texts, words

PAGE = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
WORDS = words(PAGE)


def test_no_text_of_a_page_a_label_or_a_paper_has_an_avoided_word() -> None:
    assert broken(ROOT, WORDS) == []


def test_every_kind_of_text_is_looked_through() -> None:
    places = {where.partition(" ")[0].partition(":")[0] for where, _ in texts(ROOT)}
    assert {
        "chassis/web/locale/fa.po", "services/intake/locale/fa.po", "deploy/witness/locale/fa.po", "schemas/labels.toml",
        "schemas/catalogue/building_permit.toml", "services/intake/certificate.py", "chassis/web/templates/base.html",
    } <= places  # fmt: skip


@pytest.mark.parametrize(
    ("path", "source", "word"),
    [
        ("services/intake/locale/fa.po", 'msgid "Position"\nmsgstr "جایگاه در دفتر"\n', "دفتر…"),
        ("services/intake/locale/fa.po", 'msgid "Oldest"\nmsgstr "کهنه‌ترین نخست"\n', "کهنه…"),
        ("services/review/locale/fa.po", 'msgid "My queue"\nmsgstr "صف من"\n', "صف"),
        ("chassis/web/locale/fa.po", 'msgid "E-mail"\nmsgstr "رایانامه"\n', "رایانامه"),
        ("schemas/labels.toml", '["papers.opened"]\nfa = "مدارک گشوده شد"\n', "گشود…"),
        ("schemas/catalogue/x.toml", '[[fields]]\nfa = "شمار طبقه‌ها"\n', "شمار"),
        ("services/intake/certificate.py", 'ROW = "سررسید پرداخت"\n', "سررسید…"),
        ("services/intake/templates/x.html", "<b>یادداشت</b>\n", "یادداشت"),
    ],
)
def test_a_planted_word_is_found(tmp_path: Path, path: str, source: str, word: str) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(source, encoding="utf-8")
    assert any(line.startswith(path) and f"says {word}:" in line for line in broken(tmp_path, WORDS))


def test_what_is_said_is_no_fault_where_an_avoided_word_is_part_of_it() -> None:
    assert WORDS.wrong("دفتر پیشخوان و دفتر رویدادها و دفترخانه؛ شمارهٔ نامه؛ نسخهٔ گواه نمایشی") == []
    assert WORDS.wrong("دفتر پیشخوانی") == []
    assert WORDS.wrong("این دفتر و دفتر پیشخوان") == ["دفتر…"]

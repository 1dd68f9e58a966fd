"""What is sealed can be opened only in its place, only by who may, and by nobody once its key is destroyed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.privacy.key_files import KeyFileMissing, VaultKeys, make
from chassis.privacy.sealing import BoxDamaged, associated_data, seal, unseal
from chassis.privacy.tracking_codes import ALPHABET, read_tracking_code, tracking_code
from chassis.privacy.vault import DataKey, KeyGone, NotAllowed, Vault
from schemas.envelope import RecordedFact
from schemas.envelope.fact import Fact
from schemas.envelope.sealing import Clear, DataClass
from schemas.facts import decode, encode
from schemas.facts.intake import CaseSubmitted, Channel, CorrectionAnswered
from tests.databases import Databases
from tests.privacy.vaults import vault_of

LOG, STREAM, COMMAND = "0b0e0f00-0000-4000-8000-000000000000", "case:abc", bytes(range(32))
CANARY = "سهراب کنارسری"


def submitted() -> CaseSubmitted:
    return CaseSubmitted(
        request_type="building_permit",
        catalogue_version=1,
        channel=Channel.PORTAL,
        out_of_hours=False,
        district=1,
        applicant="alias",
        identity=Clear(DataClass.IDENTITY, "p", {"name": CANARY}),
        contact=Clear(DataClass.CONTACT, "p", {"mobile": "09131234567"}),
        property=Clear(DataClass.PROPERTY, "p", {"plate": "12/34"}),
    )


def recorded(fact: Fact, ordinal: int = 0) -> RecordedFact:
    return RecordedFact(
        LOG, 1, 0, 1, STREAM, 1, fact.TYPE, fact.VERSION, datetime(2026, 1, 1, tzinfo=UTC), "a:b", None, COMMAND, ordinal,
        bytes(32), b"{}", encode(fact), bytes(32), bytes(32),
    )  # fmt: skip


async def sealed(vault: Vault, *facts: Fact) -> list[Fact]:
    return await vault.seal(facts, log_id=LOG, stream=STREAM, command=COMMAND)


async def test_what_is_sealed_stands_in_no_byte_and_opens_again(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        (fact,) = await sealed(vault, submitted())
        body = encode(fact)
        assert CANARY.encode() not in body
        read = decode(fact.TYPE, fact.VERSION, body)
        assert isinstance(read, CaseSubmitted)
        assert await vault.open(recorded(fact), "identity", read.identity) == {"name": CANARY}
        assert await vault.open(recorded(fact), "contact", read.contact) == {"mobile": "09131234567"}


async def test_a_box_does_not_open_in_another_place(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        (fact,) = await sealed(vault, submitted())
        assert isinstance(fact, CaseSubmitted)
        here = recorded(fact)
        for other in (
            replace(here, stream="case:abd"),
            replace(here, ordinal=1),
            replace(here, command=bytes(32)),
            replace(here, log_id=LOG.replace("b", "c")),
        ):
            with pytest.raises(BoxDamaged):
                await vault.open(other, "identity", fact.identity)
        with pytest.raises(BoxDamaged):
            await vault.open(here, "contact", fact.identity)


async def test_two_that_make_a_key_at_once_get_the_same(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        keys = await asyncio.gather(*(vault.data_key("c", "p", DataClass.IDENTITY) for _ in range(12)))
        assert len({key.id for key in keys}) == len({key.secret for key in keys}) == 1
        other = [
            await vault.data_key("c2", "p", DataClass.IDENTITY),
            await vault.data_key("c", "p2", DataClass.IDENTITY),
            await vault.data_key("c", "p", DataClass.CONTACT),
        ]
        assert len({key.secret for key in [keys[0], *other]}) == 4


async def test_two_processes_that_make_the_same_keys_in_opposite_orders_get_the_same_and_never_block_each_other(
    databases: Databases, tmp_path: Path
) -> None:
    cases = [f"c{number}" for number in range(60)]
    async with vault_of(databases, tmp_path, "intake") as one, vault_of(databases, tmp_path, "intake") as two:
        made = asyncio.gather(*(one.data_key(case, "p", DataClass.IDENTITY) for case in cases))
        again = asyncio.gather(*(two.data_key(case, "p", DataClass.IDENTITY) for case in reversed(cases)))
        first, second = await made, (await again)[::-1]
    assert first == second
    assert len({key.secret for key in first}) == len(cases)


async def test_of_many_keys_that_are_asked_for_at_once_only_the_refused_one_fails(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "review") as vault:
        # The file alone does not help: the database decides by the role.
        make(tmp_path / "review", ["wrap-identity"])
        asked = [vault.data_key(f"c{number}", "p", DataClass.PROPERTY) for number in range(20)]
        asked.insert(7, vault.data_key("c7", "p", DataClass.IDENTITY))
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(found.pop(7), NotAllowed)
    assert all(isinstance(each, DataKey) for each in found)


@pytest.mark.parametrize("service", ["review", "inquiry"])
async def test_review_and_inquiry_cannot_open_identity_or_contact(databases: Databases, tmp_path: Path, service: str) -> None:
    async with vault_of(databases, tmp_path, "intake") as intake:
        (fact,) = await sealed(intake, submitted())
    assert isinstance(fact, CaseSubmitted)
    async with vault_of(databases, tmp_path, service) as vault:
        for name in ("identity", "contact"):
            with pytest.raises(NotAllowed):
                await vault.open(recorded(fact), name, getattr(fact, name))
        with pytest.raises(KeyFileMissing):
            await vault.data_key("abc", "p", DataClass.IDENTITY)
        assert await vault.open(recorded(fact), "property", fact.property) == {"plate": "12/34"}


@pytest.mark.parametrize("service", ["intake", "review", "inquiry", "notify"])
async def test_no_service_touches_the_tables_and_only_intake_erases(databases: Databases, service: str) -> None:
    connection = await databases.connect("vault", service)
    forbidden = [
        "SELECT * FROM vault.keys",
        "UPDATE vault.keys SET class = 'property'",
        "DELETE FROM vault.keys",
        "TRUNCATE vault.keys",
    ]
    forbidden += ["INSERT INTO vault.keys VALUES ('a','b','c','property',NULL)", "SELECT vault.may('identity')"]
    if service != "intake":
        forbidden += [
            "SELECT vault.forget('c', 'p')",
            "SELECT * FROM vault.keys_for('{c}', '{p}', '{identity}', '{k}', '{\"\"}')",
        ]
    for statement in forbidden:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await connection.close()


async def test_a_destroyed_key_opens_nothing_and_is_never_made_again(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        (fact,) = await sealed(vault, submitted())
        assert isinstance(fact, CaseSubmitted)
        kept = await vault.data_key("other", "p", DataClass.IDENTITY)
        assert await vault.forget("abc", "p") == 3
        with pytest.raises(KeyGone):
            await vault.open(recorded(fact), "identity", fact.identity)
        with pytest.raises(KeyGone):
            await sealed(vault, submitted())
        assert await vault.key(kept.id) == kept


async def test_no_database_row_holds_a_key_that_works_without_the_file(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        key = await vault.data_key("c", "p", DataClass.IDENTITY)
    connection = await databases.connect("vault", "owner")
    for row in await connection.fetch("SELECT * FROM vault.keys"):
        assert key.secret not in row["wrapped"]
    await connection.close()


async def test_facts_of_one_command_are_sealed_each_for_its_ordinal(databases: Databases, tmp_path: Path) -> None:
    async with vault_of(databases, tmp_path, "intake") as vault:
        answers = [CorrectionAnswered(round=n, answer=Clear(DataClass.PROPERTY, "p", {"text": str(n)})) for n in (1, 2)]
        for ordinal, fact in enumerate(await sealed(vault, *answers)):
            assert isinstance(fact, CorrectionAnswered)
            assert await vault.open(recorded(fact, ordinal), "answer", fact.answer) == {"text": str(ordinal + 1)}


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_box_tells_little_of_the_length(one: str, two: str) -> None:
    where = associated_data(LOG, STREAM, COMMAND, 0, "identity")
    boxes = [seal(bytes(32), {"name": text}, where) for text in (one, two)]
    assert [unseal(bytes(32), box, where)["name"] for box in boxes] == [one, two]
    assert all((len(box) * 3 // 4 - 28) % 64 == 0 for box in boxes)
    assert boxes[0] != seal(bytes(32), {"name": one}, where)


def test_an_alias_differs_in_each_stream_and_a_missing_file_is_named(tmp_path: Path) -> None:
    make(tmp_path, ["alias"])
    vault = Vault(None, VaultKeys(tmp_path))
    assert vault.alias("s", "case:a") == vault.alias("s", "case:a")
    assert len({vault.alias("s", "case:a"), vault.alias("s", "case:b"), vault.alias("t", "case:a")}) == 3
    with pytest.raises(KeyFileMissing, match=r"blind\.key"):
        vault.blind("mobile", "0913")
    before = (tmp_path / "alias.key").read_bytes()
    make(tmp_path, ["alias"])
    assert (tmp_path / "alias.key").read_bytes() == before
    assert (tmp_path / "alias.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "short.key").write_bytes(b"x")
    with pytest.raises(KeyFileMissing, match="short"):
        VaultKeys(tmp_path).get("short")


@given(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyz234567", min_size=26, max_size=26), st.integers(0, 10), st.sampled_from(ALPHABET)
)
def test_a_tracking_code_is_read_however_it_is_typed_and_a_wrong_sign_is_found(case: str, place_: int, sign: str) -> None:
    code = tracking_code(bytes(32), case)
    persian = code.translate(str.maketrans("23456789", "۲۳۴۵۶۷۸۹"))
    for typed in (code, code.lower(), code.replace("-", ""), code.replace("-", " "), code.removeprefix("PK-"), persian):
        assert read_tracking_code(typed) == code
    signs = list(code.replace("-", "").removeprefix("PK"))
    if signs[place_] != sign:
        signs[place_] = sign
        assert read_tracking_code("".join(signs)) is None
    assert read_tracking_code("") is None
    assert read_tracking_code("PK-OOOO-OOOO-OOO") is None

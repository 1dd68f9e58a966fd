"""Every role against every table, sequence, function and database that there is: taken from PostgreSQL's own catalogue.

So that a new table, function or database cannot be forgotten: what nobody allowed here is tried and must be refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import asyncpg
import pytest

from caselog.db.migrate import migrate
from caselog.outcomes import Refused
from chassis.eventing.relay import MIGRATIONS as RELAY
from chassis.runtime.container import migrate_service
from chassis.settings import Settings
from deploy.local.postgres import OWNER, Postgres
from deploy.local.roles import DATABASES, READERS, ROLES, SERVICES
from schemas.envelope.sealing import DataClass
from schemas.facts import FACTS
from tests.caselog.commands import a_command
from tests.conftest import ROOT, fresh_databases
from tests.databases import Databases

ROWS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
OWN: Final[dict[str, tuple[str, ...]]] = {each: (each,) for each in (*SERVICES, "audit", "relay")}
"""Database -> the role that may change rows in it: its own projections, sessions, checkpoints and agenda."""
MAY_READ: Final[dict[str, tuple[str, ...]]] = {"caselog": READERS}
MAY_CALL: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "caselog": {"append": SERVICES},
    "vault": {"keys_for": SERVICES, "key": SERVICES, "forget": ("intake",)},
}
CLASSES: Final = {
    DataClass.IDENTITY: ("intake",),
    DataClass.CONTACT: ("intake", "notify"),
    DataClass.PROPERTY: ("intake", "review", "inquiry"),
    DataClass.STAFF: (),
}
"""Class -> the services that open it (docs/design.md section 6); the audit desk's own way to staff data is not built yet."""
TABLES: Final = """
SELECT c.oid::regclass::text AS name, c.relkind::text AS kind,
    (SELECT quote_ident(attname) FROM pg_attribute a
     WHERE a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum LIMIT 1) AS col
FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
    AND c.relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
FUNCTIONS: Final = """
SELECT oid::regprocedure::text AS name, proname FROM pg_proc
WHERE pronamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema')
"""


@pytest.fixture(scope="module")
async def whole(postgres: Postgres, passwords: dict[str, str]) -> AsyncIterator[Databases]:
    """All databases with all that the product's migrations make in them."""
    async with fresh_databases(postgres, passwords) as fresh:
        settings = Settings(
            database_url=f"postgresql://127.0.0.1:{postgres.port}",
            database_prefix=fresh.prefix,
            owner_password=postgres.owner_password,
        )
        for service in (*SERVICES, "audit"):
            await migrate_service(settings, service, ROOT / "services" / service)
        relay = await fresh.connect("relay", OWNER)
        await migrate(relay, "relay", RELAY)
        await relay.close()
        yield fresh


async def listed(databases: Databases, database: str, query: str) -> list[asyncpg.Record]:
    connection = await databases.connect(database, OWNER)
    try:
        found: list[asyncpg.Record] = await connection.fetch(query)
        return found
    finally:
        await connection.close()


async def refused(connection: asyncpg.Connection, statement: str) -> bool:
    """Whether the role may not do this; what it may is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        return bool(error.sqlstate == "42501")
    finally:
        await transaction.rollback()
    return False


def statements(table: asyncpg.Record) -> dict[str, str]:
    name, column = table["name"], table["col"]
    if table["kind"] == "S":
        return {"SELECT": f"SELECT * FROM {name}", "UPDATE": f"SELECT nextval('{name}')", "DROP": f"DROP SEQUENCE {name}"}
    return {
        "SELECT": f"SELECT * FROM {name} LIMIT 0",
        "INSERT": f"INSERT INTO {name} DEFAULT VALUES",
        "UPDATE": f"UPDATE {name} SET {column} = NULL WHERE false",
        "DELETE": f"DELETE FROM {name}",
        "TRUNCATE": f"TRUNCATE {name}",
        "ALTER": f"ALTER TABLE {name} ADD COLUMN mine integer",
        "TRIGGER": f"ALTER TABLE {name} DISABLE TRIGGER ALL",
        "DROP": f"DROP TABLE {name} CASCADE",
    }


@pytest.mark.parametrize("database", list(DATABASES))
async def test_a_role_changes_rows_of_its_own_database_only_and_no_table_at_all(whole: Databases, database: str) -> None:
    tables = await listed(whole, database, TABLES)
    assert len(tables) >= (1 if database in ("vault", "relay") else 3)
    wrong = []
    for role in DATABASES[database]:
        connection = await whole.connect(database, role)
        for table in tables:
            for action, statement in statements(table).items():
                may = role in OWN.get(database, ()) and action in ROWS
                may = may or (role in MAY_READ.get(database, ()) and action == "SELECT")
                if not may and not await refused(connection, statement):
                    wrong.append(f"{role} may {action} {table['name']} in {database}")
        await connection.close()
    assert wrong == []
    passed_on = "SELECT c.relname FROM pg_class c, aclexplode(c.relacl) a WHERE a.is_grantable AND a.grantee <> c.relowner"
    assert await listed(whole, database, passed_on) == []


@pytest.mark.parametrize("service", [*SERVICES, "audit"])
async def test_a_service_may_change_its_own_projections(whole: Databases, service: str) -> None:
    tables = [row for row in await listed(whole, service, TABLES) if row["name"] not in ("applied_migrations",)]
    connection = await whole.connect(service, service)
    can = {row["name"] for row in tables if not await refused(connection, statements(row)["INSERT"])}
    await connection.close()
    assert can == {row["name"] for row in tables}


@pytest.mark.parametrize("database", list(DATABASES))
async def test_a_role_calls_only_the_functions_that_are_its_door(whole: Databases, database: str) -> None:
    connection = await whole.connect(database, OWNER)
    may_execute = "SELECT has_function_privilege($1, $2::regprocedure, 'EXECUTE') AND has_schema_privilege($1, n.oid, 'USAGE')"
    wrong = []
    for function in await listed(whole, database, FUNCTIONS):
        for role in DATABASES[database]:
            can = await connection.fetchval(
                f"{may_execute} FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = $2::regprocedure",
                role,
                function["name"],
            )
            if can != (role in MAY_CALL.get(database, {}).get(function["proname"], ())):
                wrong.append(f"{role} {'may' if can else 'may not'} call {function['name']} in {database}")
    await connection.close()
    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_makes_anything_anywhere(whole: Databases, role: str) -> None:
    for database, allowed in DATABASES.items():
        if role not in allowed:
            continue
        schemas = await listed(whole, database, "SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_'")
        connection = await whole.connect(database, role)
        for statement in (
            *(f"CREATE TABLE {row['name']}.mine (x integer)" for row in schemas),
            *(f"CREATE FUNCTION {row['name']}.mine() RETURNS integer LANGUAGE sql RETURN 1" for row in schemas),
            "CREATE SCHEMA mine", "CREATE ROLE mine", "SET ROLE owner", "SET SESSION AUTHORIZATION owner",
            *(f"ALTER ROLE {other} PASSWORD 'x'" for other in ROLES if other != role),
        ):  # fmt: skip
            assert await refused(connection, statement), f"{role} may {statement} in {database}"
        await connection.close()


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_enters_no_database_that_is_not_named_for_it(whole: Databases, role: str) -> None:
    every = await listed(whole, "postgres", "SELECT datname AS name FROM pg_database WHERE datallowconn")
    mine = {row["name"]: row["name"].removeprefix(whole.prefix) for row in every if row["name"].startswith(whole.prefix)}
    others = {row["name"] for row in every} & {"postgres", "template1"}
    assert set(mine.values()) == set(DATABASES)
    assert others
    for name in (*mine, *others):
        allowed = role in DATABASES.get(mine.get(name, ""), ())
        try:
            await (await asyncpg.connect(**whole.where("postgres", role) | {"database": name})).close()
        except asyncpg.InsufficientPrivilegeError:
            assert not allowed, f"{role} cannot enter {name}"
        else:
            assert allowed, f"{role} enters {name}"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_appends_its_own_fact_types_only(whole: Databases, service: str) -> None:
    async with whole.appender(service) as appender:
        for name, fact in FACTS.items():
            stream = f"{fact.KIND.value}:{service}-{name}"
            outcome = await appender.append(a_command(stream, f"{service} {name}", type_name=name))
            forbidden = isinstance(outcome, Refused) and outcome.reason == "not_the_writer"
            assert forbidden is (fact.WRITER.value != service), (service, name, outcome)


@pytest.mark.parametrize("data_class", list(DataClass))
async def test_the_vault_gives_a_key_of_a_class_to_who_may_open_it_and_to_nobody_else(
    whole: Databases, data_class: DataClass
) -> None:
    made = f"key of {data_class.value}"
    owner = await whole.connect("vault", OWNER)
    with suppress(asyncpg.UniqueViolationError):
        insert = "INSERT INTO vault.keys (key_id, case_id, person, class, wrapped) VALUES ($1, 'c', 'p', $2, $3)"
        await owner.execute(insert, made, data_class.value, bytes(40))
    await owner.close()
    for service in SERVICES:
        connection = await whole.connect("vault", service)
        asked = (
            ("SELECT * FROM vault.key($1)", (made,)),
            (
                "SELECT * FROM vault.keys_for('{new}', '{p}', $1, $2, $3)",
                ([data_class.value], [f"{made} {service}"], [bytes(40)]),
            ),
        )
        for query, arguments in asked:
            try:
                assert await connection.fetch(query, *arguments)
            except asyncpg.InsufficientPrivilegeError:
                assert service not in CLASSES[data_class], (service, query)
            else:
                assert service in CLASSES[data_class], (service, query)
        await connection.close()

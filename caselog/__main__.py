"""`python -m caselog`: set up the log, check all of it, read one case."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import Annotated
from urllib.parse import urlsplit

import asyncpg
import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from caselog.install import install
from caselog.read import LogReader
from caselog.timeline import as_text, timeline
from caselog.verify import Finding, ShardCheck
from schemas.command_line import command_line, run
from schemas.envelope import RecordedFact

app = command_line(
    """Set up the log, check all of it, read one case.

    Settings: PARVANDEH_DATABASE_URL (server, without role), PARVANDEH_DATABASE_PREFIX, PARVANDEH_OWNER_PASSWORD for migrate,
    PARVANDEH_READER (default audit_reader) and PARVANDEH_READER_PASSWORD for the others.
    """
)


async def _connect_pool(role: str, password_variable: str) -> asyncpg.Pool:
    server = urlsplit(os.environ.get("PARVANDEH_DATABASE_URL", "postgresql://127.0.0.1:5432"))
    return await asyncpg.create_pool(
        host=server.hostname,
        port=server.port or 5432,
        database=os.environ.get("PARVANDEH_DATABASE_PREFIX", "") + "caselog",
        user=role,
        password=os.environ.get(password_variable),
        min_size=1,
        max_size=2,
        timeout=10,
    )


async def _reader_pool() -> asyncpg.Pool:
    return await _connect_pool(os.environ.get("PARVANDEH_READER", "audit_reader"), "PARVANDEH_READER_PASSWORD")


@app.command()
async def migrate() -> int:
    """Create or migrate the log's database."""
    async with await _connect_pool("owner", "PARVANDEH_OWNER_PASSWORD") as pool, pool.acquire() as connection:
        applied = await install(connection)
    print(f"caselog: {len(applied)} migrations applied" if applied else "caselog: up to date")
    return 0


async def check_shard(reader: LogReader, shard: int, progress: Progress | None = None) -> ShardCheck | Finding:
    """Check one shard from its first fact to its head."""
    check = ShardCheck(shard)
    carried: list[RecordedFact] = []
    while page := await reader.shard(shard, carried[-1].seq if carried else check.clean().facts, 5000):
        # The last fact of a page waits for the next page: telling the kinds of damage apart needs the fact after it.
        facts = [*carried, *page]
        if (found := check.page(facts[:-1])) is not None:
            return found
        carried = facts[-1:]
        if progress is not None:
            progress.update(progress.task_ids[0], advance=len(page))
    return check.page(carried) or check


@app.command()
async def verify() -> int:
    """Re-hash every fact from its bytes.

    Exit code 1: the log is damaged, and a line names the first bad position of each damaged shard.
    """
    async with await _reader_pool() as pool:
        reader = LogReader(pool)
        heads = await reader.heads()
        findings: list[Finding] = []
        facts = 0
        with Progress(console=Console(stderr=True), transient=True) as progress:
            progress.add_task("verify", total=sum(head.seq for head in heads.values()) or None)
            for shard in heads:
                result = await check_shard(reader, shard, progress)
                if isinstance(result, Finding):
                    findings.append(result)
                else:
                    facts += result.clean().facts
        identity = await reader.identity()
    for finding in findings:
        print(f"{finding.position}: {finding.damage} ({finding.stream})")
    print(f"log {identity.log_id}: {'DAMAGED' if findings else 'clean'}, {facts} facts good, {len(findings)} shards damaged")
    return 1 if findings else 0


@app.command("timeline")
async def show_timeline(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The id of a case, or the name of a stream.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> int:
    """Print the timeline of a case.

    Exit code 1: there is no such case, or a fact does not match its link.
    """
    stream = case if ":" in case else f"case:{case}"
    async with await _reader_pool() as pool:
        entries = timeline(await LogReader(pool).stream(stream))
    if not entries:
        print(f"no facts of {stream}", file=sys.stderr)
        return 1
    print(orjson.dumps([dataclasses.asdict(entry) for entry in entries]).decode() if as_json else as_text(entries))
    return 0 if all(entry.whole for entry in entries) else 1


def main(arguments: list[str]) -> int:
    """The exit code of one command; 2 with one sentence when the database cannot be reached."""
    try:
        return run(app, "python -m caselog", arguments)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        print(
            f"the log cannot be reached ({type(error).__name__}): check PARVANDEH_DATABASE_URL and the passwords", file=sys.stderr
        )
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The parts of a rebuild: processes that each build some of the shards, in tables beside the live ones.

The checkpoints of those tables are at the same time the progress that the parent tells and the place where a rebuild that was
broken off goes on. A part needs nothing of the parent but what it inherits by fork: it opens connections of its own.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from typing import Any, Final

import asyncpg

from caselog.db.errors import is_transient
from caselog.read import LogReader
from chassis.eventing.processors.processor import EventProcessor
from chassis.eventing.processors.store import ProcessorStopped, ProcessorStore
from schemas.envelope import RecordedFact

PAGE: Final = 32_000
"""Facts a transaction, over all shards of a part: far more than cases are open at once, so that most rows are written once and
for all. A part takes 250 MB with them."""
LOOK_SECONDS: Final = 0.1
GARBAGE: Final = 500_000
"""Objects before Python looks for cycles: a page of facts has none, and by default it is gone through again and again."""

OpenProcessor = Callable[[], AbstractAsyncContextManager[tuple[EventProcessor, LogReader]]]
"""Opens the processor to build and the log, and closes them; called in every process for itself."""


class RebuildRefused(Exception):
    """The rebuild cannot go on; the text says why. Nothing was swapped."""


def schema_of(processor: EventProcessor) -> str:
    """The schema in which the new tables stand."""
    return f"rebuild_{processor.name}"


def tables_beside(owner: dict[str, Any], processor: EventProcessor) -> asyncpg.Pool:
    """One connection whose queries meet the new tables."""
    # A plan made while a table was empty (a sequential scan) would stay for the whole rebuild.
    settings = {"search_path": schema_of(processor), "enable_seqscan": "off"}
    return asyncpg.create_pool(**owner, server_settings=settings, min_size=1, max_size=1)


async def follow(store: ProcessorStore, log: LogReader, goal: Mapping[int, int]) -> None:
    """Apply the shards of `goal` up to the seq that stands there. Raises RebuildRefused."""
    at = {shard: checkpoint.seq for shard, checkpoint in (await store.checkpoints()).items()}
    async with aclosing(_pages(log, {shard: at[shard] for shard in goal if at[shard] < goal[shard]}, goal)) as pages:
        async for page in pages:
            try:
                results = await store.apply_together(page)
            except ProcessorStopped:
                raise RebuildRefused("too many streams cannot be applied: that is a fault of this version") from None
            for shard, run in page.items():
                if results[shard].seq != run[-1].seq:
                    raise RebuildRefused(f"the log does not go on after {shard}:{results[shard].seq}")


async def _pages(log: LogReader, marks: dict[int, int], goal: Mapping[int, int]) -> AsyncGenerator[dict[int, list[RecordedFact]]]:
    """What follows the marks up to `goal`, a page of all shards at a time: PostgreSQL reads the next while one is folded."""
    reading = asyncio.create_task(_page(log, marks, goal))
    try:
        while marks:
            page = await reading
            marks = {shard: run[-1].seq for shard, run in page.items() if run[-1].seq < goal[shard]}
            reading = asyncio.create_task(_page(log, marks, goal))
            yield page
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _page(log: LogReader, marks: Mapping[int, int], goal: Mapping[int, int]) -> dict[int, list[RecordedFact]]:
    page: dict[int, list[RecordedFact]] = {}
    if marks:
        for fact in await log.following(marks, max(1, PAGE // len(marks))):
            if fact.seq <= goal[fact.shard]:
                page.setdefault(fact.shard, []).append(fact)
    for shard in marks:
        if shard not in page:
            raise RebuildRefused(f"the log does not go on after {shard}:{marks[shard]}")
    return page


async def build_in_parallel(
    open_processor: OpenProcessor,
    owner: dict[str, Any],
    store: ProcessorStore,
    goal: Mapping[int, int],
    say: Callable[[int, int], None],
) -> None:
    """Build every shard up to `goal`, a process a core. Raises RebuildRefused; no process is left, whatever is raised."""
    shards = sorted(goal)
    count = os.cpu_count() or 1
    shares = [{shard: goal[shard] for shard in shards[number::count]} for number in range(count)]
    parts = [RebuildWorker(open_processor, owner, share) for share in shares if share]
    try:
        while any(part.running for part in parts):
            refused = next((part.refusal for part in parts if part.refusal is not None), None)
            if refused is not None:
                raise RebuildRefused(refused)
            await _tell(store, goal, say)
            await asyncio.sleep(LOOK_SECONDS)  # the condition lies in other processes
        refusals = [part.refusal for part in parts if part.refusal is not None]
        if refusals:
            raise RebuildRefused(refusals[0])
        await _tell(store, goal, say)
    finally:
        for part in parts:
            part.end()


async def _tell(store: ProcessorStore, goal: Mapping[int, int], say: Callable[[int, int], None]) -> None:
    say(sum(checkpoint.seq for checkpoint in (await store.checkpoints()).values()), sum(goal.values()))


class RebuildWorker:
    """One process, forked: it has the processor's code and settings as they are here, and imports nothing again."""

    def __init__(self, open_processor: OpenProcessor, owner: dict[str, Any], goal: Mapping[int, int]) -> None:
        context = multiprocessing.get_context("fork")
        self._told, telling = context.Pipe(duplex=False)
        self._process: ForkProcess = context.Process(
            target=_work, args=(open_processor, owner, goal, os.getpid(), telling), daemon=True
        )
        self._process.start()
        telling.close()
        self._refusal: str | None = None

    @property
    def running(self) -> bool:
        return self._process.is_alive()

    @property
    def refusal(self) -> str | None:
        """Why the part ended before its goal; None while it works and when it is done."""
        if self._refusal is None and not self.running and self._process.exitcode != 0:
            try:
                self._refusal = self._told.recv()
            except EOFError:
                self._refusal = f"one of its processes ended with {self._process.exitcode}; run again, it goes on where it was"
        return self._refusal

    def end(self) -> None:
        """Kill it when it still works (its transaction is rolled back), and wait for it."""
        self._process.kill()
        self._process.join()
        self._told.close()


def _work(
    open_processor: OpenProcessor, owner: dict[str, Any], goal: Mapping[int, int], parent: int, telling: Connection
) -> None:
    # What the parent had open is the parent's: it stays untouched here, also by the garbage collector.
    gc.freeze()
    gc.set_threshold(GARBAGE)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, and that ends this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        asyncio.run(_build(open_processor, owner, goal, parent))
    except BaseException as error:  # noqa: BLE001 - whatever it is, the parent must learn of it
        telling.send(_reason(error))
        raise SystemExit(1) from None


async def _build(open_processor: OpenProcessor, owner: dict[str, Any], goal: Mapping[int, int], parent: int) -> None:
    async with open_processor() as (processor, log), tables_beside(owner, processor) as pool:
        working = asyncio.create_task(follow(ProcessorStore(processor, pool, traced=False), log, goal))
        while not working.done():
            await asyncio.wait([working], timeout=1)
            if os.getppid() != parent:
                working.cancel()  # killed without a word: nobody waits for this part any more
        await working


def _reason(error: BaseException) -> str:
    errors: Sequence[BaseException] = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
    for each in errors:
        if isinstance(each, RebuildRefused):
            return str(each)
        if is_transient(each):
            return f"a database went away ({type(each).__name__}); run again, it goes on where it was"
    return f"{type(errors[0]).__name__} in one of its processes"

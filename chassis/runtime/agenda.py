"""The agenda's worker on a service's container: beside its pages, or in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from chassis.eventing.agenda.worker import TaskHandler, Worker
from chassis.runtime.container import ReadOnlyContainer


@asynccontextmanager
async def running_agenda(container: ReadOnlyContainer, handlers: Mapping[str, TaskHandler]) -> AsyncIterator[Worker]:
    """Carry out the tasks of the service of `container`, by `handlers`, until the block ends."""
    worker = Worker(
        db=container.db, log=container.log, checkpoints=container.inbox.stores["agenda"].checkpoints, handlers=handlers
    )
    tasks = [asyncio.create_task(worker.run(), name="agenda"), asyncio.create_task(worker.watch(), name="agenda-watch")]
    try:
        yield worker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

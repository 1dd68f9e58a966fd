"""The other end of the bus as a bare aiokafka consumer: `python -m tests.bench.consumed`, the order as JSON on stdin.

Answers how long each fact was on its way, in milliseconds: from the clock of the writer to the clock here, which is the same
machine's. It imports nothing of ours: a service that is only imported costs a second of processor time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.bench.samples import NothingMeasured, answer

DEADLINE_SECONDS: Final = 120.0
"""What has not come by then is lost, or the run was broken off."""
SENT_AT: Final = "sent_at"
"""The header in which a bare producer says when it sent."""
PEER_TOPIC: Final = "bench.bare"
READY: Final = b"ready\n"


@dataclass(frozen=True)
class Order:
    """How many facts are awaited, and from where."""

    count: int
    bootstrap: str
    partitions: int
    """Of the bare topic."""
    streams: str = ""
    """So the streams begin whose facts count: those of this round, and not what the group reads again of the one before."""


def say_ready() -> None:
    """To the parent: what is sent from now on is counted."""
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()


def carry_out(consume: Callable[[Order], Awaitable[list[float]]]) -> None:
    """Read the order, consume, and answer; in words when not everything came in time."""
    order = Order(**orjson.loads(sys.stdin.buffer.readline()))

    async def within_the_deadline() -> list[float]:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await consume(order)
        except TimeoutError:
            raise NothingMeasured(f"not all of {order.count} facts had come after {DEADLINE_SECONDS:.0f} s") from None

    answer(lambda: asyncio.run(within_the_deadline()))


async def _bare(order: Order) -> list[float]:
    consumer = AIOKafkaConsumer(bootstrap_servers=order.bootstrap)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(PEER_TOPIC, number) for number in range(order.partitions)])
        await consumer.seek_to_end()
        say_ready()
        took: list[float] = []
        while len(took) < order.count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                now = time.time()
                took += [(now - float(dict(record.headers)[SENT_AT])) * 1000 for record in records]
        return took
    finally:
        await consumer.stop()


if __name__ == "__main__":
    carry_out(_bare)

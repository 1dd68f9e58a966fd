"""Java's own cache of Kafka's classes (JEP 483): with it a start takes half of the processor time.

`python -m deploy.kafka.class_cache JARS` makes it from a broker that starts and stops once, with the lowest priority. It stands
beside the jars; Java ignores it when the jars, the JRE or the flags are not those that it was made with.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.kafka.broker import Broker
from deploy.kafka.node import class_cache_of
from deploy.local.subprocesses import StackError, die_with_parent

_STOP_SECONDS: Final = 60.0
"""At its end Java writes down what it loaded."""


def provide(jars: Path) -> Path:
    """The cache of `jars`, made when it is not there, which takes 10 s of processor time; of several processes one makes it.

    Raises StackError.
    """
    cache = class_cache_of(jars)
    if not cache.exists():
        with cache.with_name(f"{cache.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not cache.exists():
                _make(jars, cache)
    return cache


def _make(jars: Path, cache: Path) -> None:
    part = cache.with_name(f"{cache.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of one that was killed
    part.mkdir()
    seen, made = part / "seen", part / "made"
    broker = Broker(part / "kafka", jars, (f"-XX:AOTConfiguration={seen}", "-XX:AOTMode=record"))
    try:
        broker.start()
        broker.stop(_STOP_SECONDS)
        # Our own Java process, not the one that the broker would start at its end: that one would outlive whoever kills us.
        command = broker.java(f"-XX:AOTConfiguration={seen}", "-XX:AOTMode=create", f"-XX:AOTCache={made}")
        done = subprocess.run(command, capture_output=True, check=False, preexec_fn=die_with_parent())
        if done.returncode != 0 or not made.exists():
            raise StackError(f"Java made no cache of Kafka's classes: {done.stdout.decode(errors='replace').strip()[-300:]}")
        made.rename(cache)  # only a whole one ever has the final name
    finally:
        broker.stop()
        shutil.rmtree(part, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Make the cache of the jars in that directory."""
    os.nice(19)
    try:
        provide(Path(arguments[0]))
    except (StackError, OSError) as error:
        sys.stderr.write(f"parvandeh  {error}; Kafka starts without\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

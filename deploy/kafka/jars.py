"""Kafka's jars: brought by coordinates once, and each checked by size and SHA-256 before anything runs."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.subprocesses import StackError

LOCK: Final = Path(__file__).with_name("jars.lock")


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def locked(lock: Path = LOCK) -> tuple[Jar, ...]:
    """The jars of the lock file: `group:artifact:version sha256 size` a line."""
    jars = []
    for line in lock.read_text().splitlines():
        coordinates, sha256, size = line.split()
        group, artifact, version = coordinates.split(":")
        jars.append(Jar(group, artifact, version, sha256, int(size)))
    return tuple(jars)


def check(directory: Path, jars: tuple[Jar, ...]) -> None:
    """Raises StackError naming the first jar that is missing or differs from the lock."""
    for jar in jars:
        path = directory / jar.name
        if not path.is_file():
            raise StackError(f"{jar.name} is missing in {directory}")
        content = path.read_bytes()
        if len(content) != jar.size or hashlib.sha256(content).hexdigest() != jar.sha256:
            raise StackError(
                f"{jar.name} in {directory} has other bytes than deploy/kafka/jars.lock says and is refused: "
                "remove that directory and start again"
            )


def provide(directory: Path) -> Path:
    """The directory with all locked jars, fetched if missing; a second call needs no network.

    Of several processes that find none, one fetches them and the others wait.
    """
    jars = locked()
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
        with directory.with_name(directory.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would empty each other's half-full directory
            if not directory.is_dir():
                _bring_whole(jars, directory)
    check(directory, jars)
    return directory


def _bring_whole(jars: tuple[Jar, ...], directory: Path) -> None:
    part = directory.with_name(directory.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    _bring(jars, part)
    check(part, jars)
    part.rename(directory)  # only a whole and checked directory ever has the final name


def _bring(jars: tuple[Jar, ...], target: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # about a directory for run-time files, which we do not need
        from jgo.maven import MavenContext  # imported here: only the first start needs it

    cache = target.with_name("repository.part")
    jar = jars[0]
    try:
        context = MavenContext(repo_cache=cache)
        for jar in jars:
            path = context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
            shutil.copyfile(path, target / jar.name)
    except Exception as error:
        if shutil.disk_usage(target).free < jar.size:  # the fetcher reports a full disk like an unreachable registry
            raise StackError(f"the disk under {target.parent} is full: make room, then start again") from error
        raise StackError(
            f"Kafka's jars could not be fetched ({type(error).__name__}): is the package registry reachable? Then run it again"
        ) from error
    finally:
        shutil.rmtree(cache, ignore_errors=True)

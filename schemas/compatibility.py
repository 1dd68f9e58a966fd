"""The compatibility gate: a released version of a fact never changes, is never renamed and never goes away.

`released.json` is the ledger of what was released: for each fact and version the SHA-256 of its schema and of its golden
sample, and the project's version at which it was declared released. `python -m schemas release` only ever adds lines to it. So
a schema that was deleted and generated anew from changed code is refused too: whoever wants that must change a line of the
ledger by hand, for a reviewer to see. A fact that is not in the ledger yet has no facts in any log, and may still be renamed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from schemas.envelope.fact import Fact
from schemas.labels import Unreadable

LEDGER: Final = "released.json"
FOLDERS: Final = {"schema": "json", "sample": "samples"}
"""What the ledger keeps a digest of, and the folder where it lies."""
_GONE: Final = "a released name and version stay for ever, since the log holds facts under them"


def ledger(here: Path) -> dict[str, dict[str, str]]:
    """`name.vN` -> digests and the version of the project, of everything that was released; empty where nothing was.

    Raises Unreadable.
    """
    path = here / LEDGER
    try:
        found: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise Unreadable(f"schemas/{LEDGER}: {error}") from None
    return found


def digests(here: Path, entry: str) -> dict[str, str] | None:
    """The digests of an entry's files as they lie there; None where one is missing."""
    paths = {kind: here / folder / f"{entry}.json" for kind, folder in FOLDERS.items()}
    if not all(path.is_file() for path in paths.values()):
        return None
    return {kind: hashlib.sha256(path.read_bytes()).hexdigest() for kind, path in paths.items()}


def unreleased(here: Path, facts: Mapping[str, type[Fact]]) -> list[str]:
    """The entries that are not in the ledger: their fields and their name may still change."""
    return sorted({f"{name}.v{fact.VERSION}" for name, fact in facts.items()} - set(ledger(here)))


def enter(here: Path, entries: Iterable[str], version: str) -> None:
    """Add entries, with the files as they are, as released at `version` of the project; existing entries stay."""
    added = {entry: {**found, "released": version} for entry in entries if (found := digests(here, entry)) is not None}
    (here / LEDGER).write_text(json.dumps(added | ledger(here), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def broken_releases(here: Path, facts: Mapping[str, type[Fact]]) -> list[str]:
    """What was released and is not as it was; a line for each, beginning with the fact's name."""
    found = []
    known = ledger(here)
    for entry, released in sorted(known.items()):
        name, _, version = entry.rpartition(".v")
        now = digests(here, entry)
        if name not in facts:
            found.append(f"{name}: version {version} is released and no fact has this wire name any more: {_GONE}")
        elif int(version) > facts[name].VERSION:
            found.append(f"{name}: version {version} is released and the code knows only {facts[name].VERSION}: {_GONE}")
        if now is None:
            found.append(f"{name}: the schema or the golden sample of released version {version} is gone: {_GONE}")
        elif any(now[kind] != released[kind] for kind in FOLDERS):
            other = " and ".join(kind for kind in FOLDERS if now[kind] != released[kind])
            found.append(f"{name}: the {other} of released version {version} is not the one that was released: take it back")
    return found + [
        f"{name}: version {version} is not released, and there is a version {fact.VERSION}: change version {version} instead"
        for name, fact in sorted(facts.items())
        for version in range(1, fact.VERSION)
        if f"{name}.v{version}" not in known
    ]


def differences(released: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What makes the second schema another language than the first, in words: each line names the field."""
    return sorted(set(_differences(released, now, released, now, "")))


def _differences(
    released: Mapping[str, Any], now: Mapping[str, Any], root: Mapping[str, Any], new_root: Mapping[str, Any], at: str
) -> Iterator[str]:
    released, now = _resolved(released, root), _resolved(now, new_root)
    where = at or "the fact"
    for key in ("type", "format", "pattern", "const", "additionalProperties", "x-writer", "x-stream-kind", "x-record"):
        if released.get(key) != now.get(key):
            yield f"{where}: {key} was {released.get(key)} and is {now.get(key)}"
    if set(released.get("enum", ())) != set(now.get("enum", ())):
        yield f"{where}: values were {released.get('enum')} and are {now.get('enum')}"
    yield from _fields(released, now, root, new_root, at)
    for several in ("anyOf", "oneOf", "prefixItems"):
        before, after = released.get(several, []), now.get(several, [])
        if len(before) != len(after):
            yield f"{where}: {len(before)} possible forms are {len(after)}"
        for one, other in zip(before, after, strict=False):
            yield from _differences(one, other, root, new_root, at)
    if isinstance(released.get("items"), dict) and isinstance(now.get("items"), dict):
        yield from _differences(released["items"], now["items"], root, new_root, f"{at}[]")


def _fields(
    released: Mapping[str, Any], now: Mapping[str, Any], root: Mapping[str, Any], new_root: Mapping[str, Any], at: str
) -> Iterator[str]:
    before, after = released.get("properties", {}), now.get("properties", {})
    was, needed = set(released.get("required", ())), set(now.get("required", ()))
    for name in sorted(set(before) | set(after)):
        path = f"{at}.{name}" if at else name
        if name not in after:
            yield f"{path}: the field is gone"
        elif name not in before:
            yield f"{path}: a new {'required ' if name in needed else ''}field"
        else:
            if (name in was) is not (name in needed):
                yield f"{path}: was {'required' if name in was else 'optional'} and is no longer"
            yield from _differences(before[name], after[name], root, new_root, path)


def _resolved(part: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    name = part.get("$ref", "").removeprefix("#/$defs/")
    return root["$defs"][name] if name else part

"""The published language as files: JSON Schemas, golden samples and the index, generated, committed and checked.

A contract change is a reviewable diff; a fact that lacks a label, a sample or a schema, or a released version whose schema
changed, is refused by `python -m schemas check` (schemas/compatibility.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.asyncapi import asyncapi_text
from schemas.compatibility import broken_releases, differences, enter, ledger, unreleased
from schemas.drafts import to_fill_in
from schemas.envelope.codec import MalformedFact, UnknownFact
from schemas.envelope.fact import Fact
from schemas.facts import FACTS, decode, encode
from schemas.index import index_text, missing_rooms
from schemas.labels import labels

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent


def schema_text(fact: type[Fact], *, released: bool = True) -> str:
    """The JSON Schema (2020-12) of a fact's body; one that is not released says so, and loses the line when it is."""
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:parvandeh:fact:{fact.TYPE}:{fact.VERSION}",
        "x-writer": fact.WRITER.value,
        "x-stream-kind": fact.KIND.value,
        "x-record": fact.RECORD,
        **({} if released else {"x-released": False}),
        **fact.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def file_name(fact: type[Fact]) -> str:
    """The name of a fact's schema and sample."""
    return f"{fact.TYPE}.v{fact.VERSION}.json"


def faults(here: Path = HERE, facts: Mapping[str, type[Fact]] | None = None) -> list[str]:
    """What is wrong with the published files; empty when nothing is. Each line names the fact and says what to write where.

    `facts`: look at these alone, not at the files that are about all facts together.
    """
    found, known = missing(here, facts), ledger(here)
    for name, fact in sorted((facts or FACTS).items()):
        schema = here / "json" / file_name(fact)
        if not schema.is_file():
            found.append(f"{name}: no schema of version {fact.VERSION}: run `python -m schemas write`")
        elif f"{name}.v{fact.VERSION}" not in known:
            if schema.read_text(encoding="utf-8") != schema_text(fact, released=False):
                found.append(f"{name}: the schema of version {fact.VERSION} is not up to date: run `python -m schemas write`")
        elif schema.read_text(encoding="utf-8") != schema_text(fact):
            what = _changed(schema.read_text(encoding="utf-8"), schema_text(fact))
            found.append(
                f"{name}: version {fact.VERSION} is released and its schema changed ({what}): make a new version with a lift"
            )
    if facts is None:
        found += broken_releases(here, FACTS)
        found += [f"{path.name} is not up to date: run `python -m schemas write`" for path, _ in _stale(here)]
        found += [f"schemas/{path.relative_to(here)}: no fact has this name and version: delete it" for path in _of_no_fact(here)]
    return found


def _changed(released: str, now: str) -> str:
    try:
        return "; ".join(differences(json.loads(released), json.loads(now))) or "only in its words"
    except ValueError:
        return "its file is no JSON any more"


def missing(here: Path = HERE, facts: Mapping[str, type[Fact]] | None = None) -> list[str]:
    """What a person has to write before the documents can be generated: labels, golden samples, whatever is marked FILL-IN."""
    found = []
    for name, fact in sorted((facts or FACTS).items()):
        found += [
            f'{name}: no {language} label: write {language} = "..." under ["{name}"] in schemas/labels.toml'
            for language in ("fa", "en")
            if not labels().get(name, {}).get(language)
        ]
        found += _sample_faults(here, name, fact)
    return found + missing_rooms(ROOT) + ([] if facts else [*_in_no_union(Fact), *to_fill_in(ROOT)])


def _in_no_union(base: type[Fact]) -> list[str]:
    """A fact that can be written and never read: its wire name is unknown to `decode`."""
    found = []
    for kind in base.__subclasses__():
        if kind.__module__.startswith("schemas.facts.") and "TYPE" in vars(kind) and kind not in FACTS.values():
            found.append(f"{kind.TYPE}: {kind.__name__} is not in the union AnyFact: add it in schemas/facts/__init__.py")
        found += _in_no_union(kind)
    return found


def _sample_faults(here: Path, name: str, fact: type[Fact]) -> list[str]:
    found = []
    for version in range(1, fact.VERSION + 1):
        sample = here / "samples" / f"{name}.v{version}.json"
        if not sample.is_file():
            fields = ", ".join(fact.model_fields) or "no field"
            found.append(
                f"{name}: no golden sample of version {version}: "
                f"write schemas/samples/{sample.name}, one line of JSON without spaces ({fields})"
            )
            continue
        body = sample.read_bytes().removesuffix(b"\n")
        try:
            read = decode(name, version, body)
        except (UnknownFact, MalformedFact) as error:
            found.append(f"{name}: the golden sample of version {version} cannot be read: {error}")
            continue
        if version == fact.VERSION and encode(read) != body:
            found.append(f"{name}: the golden sample of version {version} is not written again byte for byte")
    return found


def write(here: Path = HERE) -> list[str]:
    """Write the schemas of facts and the generated documents; return what was written.

    The schema of a released version is never overwritten: it does not change. The documents are left as they are while something
    is `missing`.
    """
    written, known = [], ledger(here)
    (here / "json").mkdir(exist_ok=True)
    for name, fact in FACTS.items():
        path, released = here / "json" / file_name(fact), f"{name}.v{fact.VERSION}" in known
        text = schema_text(fact, released=released)
        if not path.exists() or (not released and path.read_text(encoding="utf-8") != text):
            path.write_text(text, encoding="utf-8")
            written.append(path.name)
    for path, text in _stale(here):
        path.write_text(text, encoding="utf-8")
        written.append(path.name)
    return written


def _stale(here: Path) -> list[tuple[Path, str]]:
    """The documents about all facts that are not as they would be generated now; none while something is missing for them."""
    if missing(here):
        return []
    made = {"INDEX.md": index_text(ROOT, FACTS, ledger(here)), "asyncapi.json": asyncapi_text(here, FACTS)}
    found = [(here / name, text) for name, text in made.items()]
    return [(path, text) for path, text in found if not path.is_file() or path.read_text(encoding="utf-8") != text]


def _of_no_fact(here: Path) -> list[Path]:
    """What a fact left behind that was renamed before it was released."""
    known = {f"{name}.v{version}" for name, fact in FACTS.items() for version in range(1, fact.VERSION + 1)} | set(ledger(here))
    return [path for folder in ("json", "samples") for path in sorted((here / folder).glob("*.json")) if path.stem not in known]


def release(version: str, here: Path = HERE) -> tuple[list[str], list[str]]:
    """Declare every fact that is not yet released as released at `version` of the project: from then on it never changes.

    Returns what was released, and the faults for which nothing was.
    """
    if found := faults(here):
        return [], found
    entries = unreleased(here, FACTS)
    for fact in FACTS.values():
        if f"{fact.TYPE}.v{fact.VERSION}" in entries:
            (here / "json" / file_name(fact)).write_text(schema_text(fact), encoding="utf-8")
    if entries:
        enter(here, entries, version)
        write(here)
    return entries, []

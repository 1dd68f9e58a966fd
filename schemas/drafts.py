"""Drafts for a new fact, and the marks of what a person must still fill in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.facts import FACTS, encode

FILL_IN: Final = "FILL-IN"


def draft(name: str) -> None:
    """Write a golden sample of the types of a fact: a true example of its form, with FILL-IN where it is words."""
    fact = FACTS[name]
    schema = fact.model_json_schema()
    body = json.dumps(_example(schema, schema.get("$defs", {})))
    try:
        text = encode(fact.model_validate_json(body)).decode()
    except ValueError:
        text = json.dumps({FILL_IN: list(fact.model_fields)})  # no example can be made of the types alone
    path = Path(__file__).parent / "samples" / f"{name}.v{fact.VERSION}.json"
    path.write_text(text + "\n", encoding="utf-8")


def _example(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    """A value of a JSON Schema as pydantic makes them."""
    if "$ref" in schema:
        return _example(named[schema["$ref"].removeprefix("#/$defs/")], named)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _example(schema[several][0], named)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            return {key: _example(value, named) for key, value in schema.get("properties", {}).items()}
        case "array":
            items = schema.get("prefixItems", [schema["items"]] if "items" in schema else [])
            return [_example(each, named) for each in items]
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case "boolean":
            return False
        case "string":
            return {"date-time": "2026-11-28T13:30:00Z", "date": "2026-11-28"}.get(schema.get("format", ""), FILL_IN)
    return None


def to_fill_in(root: Path) -> list[str]:
    """Marks that `new` left and that are not filled in yet, with file and line."""
    places = [
        *(root / "schemas/facts").glob("*.py"),
        root / "schemas/labels.toml",
        *(root / "schemas/samples").glob("*.json"),
        *(root / "tests/services").glob("test_*.py"),
    ]
    return [
        f"{path.relative_to(root)}:{number}: fill in: {line.strip()}"
        for path in sorted(places)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if FILL_IN in line
    ]

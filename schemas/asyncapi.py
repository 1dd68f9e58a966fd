"""The bus as an AsyncAPI 3 document, generated from the facts: what another system reads to understand `case.facts`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from schemas.compatibility import ledger
from schemas.envelope.fact import Fact
from schemas.facts import FACTS
from schemas.labels import labels

BINDING: Final = "0.5.0"
"""The version of AsyncAPI's Kafka binding."""
HERE: Final = Path(__file__).parent
_HEX: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_NUMBER: Final = {"type": "string", "pattern": "^[0-9]{1,18}$"}
_TEXT: Final = {"type": "string"}
HEADERS: Final[dict[str, dict[str, str]]] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {
        "type": "string",
        "pattern": "^[0-9]{1,18}:[0-9]{1,2}:[0-9]{1,18}$",
        "description": "epoch:shard:seq; the same fact has the same id for ever",
    },
    "ce_source": {"type": "string", "pattern": "^urn:parvandeh:log:[0-9a-f-]{36}$", "description": "the log"},
    "ce_type": {"type": "string", "description": "the fact's wire name"},
    "ce_subject": {"type": "string", "pattern": "^[a-z]+:.+$", "description": "the stream, kind:id"},
    "ce_time": {"type": "string", "format": "date-time", "description": "recorded_at, to the microsecond, in UTC"},
    "content-type": {
        "type": "string",
        "const": "application/json",
        "description": "the attribute datacontenttype: the message is in binary content mode, its value is the fact alone",
    },
    "ce_logid": _TEXT,
    "ce_epoch": _NUMBER,
    "ce_shard": _NUMBER,
    "ce_seq": {**_NUMBER, "description": "gapless in its shard: a reader applies exactly the next one"},
    "ce_version": {**_NUMBER, "description": "gapless in its stream"},
    "ce_typeversion": _NUMBER,
    "ce_microseconds": {**_NUMBER, "description": "recorded_at since 1970, exactly as the link binds it"},
    "ce_actor": {"type": "string", "description": "role and an alias of this stream; never a person"},
    "ce_command": _HEX,
    "ce_ordinal": _NUMBER,
    "ce_request": _HEX,
    "ce_prev": {**_HEX, "description": "the link of the fact before it in its shard"},
    "ce_link": {**_HEX, "description": "recomputed by every reader over the received bytes (docs/log-format.md)"},
    "ce_cause": {"type": "string", "description": "the agenda item that it carries out, where there is one"},
    "traceparent": {"type": "string", "description": "W3C trace context, where there is one"},
    "ce_meta": {"type": "string", "description": "bytes that the link binds as SHA-256"},
}
"""Every header of a message (CloudEvents 1.0, Kafka binding in binary mode), as eventing/kafka/cloudevents.py encodes them."""
OPTIONAL: Final = frozenset({"ce_cause", "traceparent"})


def asyncapi_text(here: Path = HERE, facts: Mapping[str, type[Fact]] = FACTS) -> str:
    """The document; `container`: where the golden samples and the ledger of what was released lie."""
    names = sorted(facts)
    released = {entry: of["released"] for entry, of in ledger(here).items()}
    channel = {"$ref": "#/channels/caseFacts"}
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parvandeh: facts of cases",
            "version": "1.0.0",
            "description": "At least once, in the order of each shard. A gap is filled from the log, or by GET /feed.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "production": {
                "host": "{broker}",
                "protocol": "kafka-secure",
                "description": "Kafka of the city: over TLS, each process as a user of its own.",
                "variables": {"broker": {"description": "host:port of one of its brokers."}},
                "security": [{"$ref": "#/components/securitySchemes/scram"}],
            }
        },
        "channels": {
            "caseFacts": {
                "address": "case.facts",
                "description": "All facts; partition = shard mod partitions, sent explicitly; deleted after 7 days.",
                "bindings": {
                    "kafka": {
                        "topic": "case.facts",
                        "partitions": 8,
                        "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": 604_800_000},
                        "bindingVersion": BINDING,
                    }
                },
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            }
        },
        "operations": {
            "publishFacts": {"action": "send", "channel": channel, "summary": "The relay, and nobody else."},
            "readFacts": {"action": "receive", "channel": channel, "summary": "Each service in a consumer group of its own."},
        },
        "components": {
            "securitySchemes": {"scram": {"type": "scramSha512", "description": "The user's rights: deploy/kafka/rights.py."}},
            "messages": {name: _message(here, facts[name], released) for name in names},
            "schemas": {
                "headers": {
                    "type": "object",
                    "properties": HEADERS,
                    "required": [name for name in HEADERS if name not in OPTIONAL],
                }
            },
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _message(here: Path, fact: type[Fact], released: Mapping[str, str]) -> dict[str, Any]:
    words = labels().get(fact.TYPE, {})
    entry = f"{fact.TYPE}.v{fact.VERSION}"
    sample = json.loads((here / "samples" / f"{entry}.json").read_text(encoding="utf-8"))
    return {
        "name": fact.TYPE,
        "title": words.get("en", fact.TYPE),
        "summary": f"{words.get('fa', '')}; written by {fact.WRITER.value}, version {fact.VERSION}",
        # The version of the project at which this fact was released; false: its name and its fields may still change.
        "x-released": released.get(entry, False),
        "contentType": "application/json",
        # The key is empty: the partition is sent explicitly, since hashing keys is not stable across clients.
        "bindings": {"kafka": {"key": {"type": "null"}, "bindingVersion": BINDING}},
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"json/{entry}.json"},
        },
        "examples": [{"name": "golden", "payload": sample}],
    }

"""Commands for the log's tests."""

from __future__ import annotations

import hashlib

from caselog.outcomes import AppendRequest, NewFact

REASON = '{"reason":"%s"}'


def a_command(
    stream: str,
    name: str,
    *,
    expected: int | None = None,
    facts: int = 1,
    body: bytes | None = None,
    type_name: str = "case.withdrawn",
) -> AppendRequest:
    """A command whose id comes from its name, so that the same name is the same command."""
    content = body if body is not None else (REASON % name).encode()
    return AppendRequest(
        stream=stream,
        expected=expected,
        command_id=hashlib.sha256(f"{stream} {name}".encode()).digest(),
        request_hmac=hashlib.sha256(content).digest(),
        actor="citizen:alias",
        cause=None,
        meta=b'{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
        facts=[NewFact(type_name, 1, content)] * facts,
    )

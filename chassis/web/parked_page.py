"""Parked work on a page: in words of the language of who reads it."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request

from chassis.refusal import Refusal
from chassis.web.pages import translations
from chassis.web.parked_work import ParkedWork


class ParkedWorkPage(ParkedWork):
    """What a page of parked work says."""

    def __init__(self, request: Request, kinds: Iterable[type[Refusal]]) -> None:
        """`kinds`: what the service's own decisions refuse."""
        super().__init__(translations(request), request.state.language, kinds)

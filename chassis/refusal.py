"""What a service says when it does not do what was asked: a class per refusal, its docstring the default message."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType, ModuleType
from typing import ClassVar


class Refusal(Exception):
    """The request was refused."""

    code: ClassVar[str] = "refused"
    """Stable; the problem type, and the message id `refusal.<code>` of the text in each language."""
    status: ClassVar[int] = 409
    """The HTTP status that fits (RFC 9110)."""
    headers: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What RFC 9110 wants beside that status."""

    def __init__(self, field: str | None = None, **values: object) -> None:
        """`field` names the input that is at fault; `values` fill the text and never hold personal data."""
        super().__init__(self.code)
        self.field = field
        self.values = values

    @classmethod
    def default_text(cls) -> str:
        """The English text: the docstring's first paragraph."""
        return inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")


def refusals_in(module: ModuleType) -> tuple[type[Refusal], ...]:
    """The refusals that a module defines, by code."""
    found = {
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Refusal) and each.__module__ == module.__name__
    }
    return tuple(sorted(found, key=lambda each: each.code))


class Stale(Refusal):
    """This is no longer needed: what it was for has already happened or ended."""

    code = "stale"


class RequestDiffers(Refusal):
    """This key was already used for another request. Open the page again and resend it."""

    code = "request_differs"
    status = 422


class PageIsStale(Refusal):
    """The case changed while you were reading it. Read what is new, then decide again."""

    code = "page_is_stale"


class Temporary(Refusal):
    """This cannot be done now. Try again in a moment."""

    code = "for_now"
    status = 503
    headers = MappingProxyType({"Retry-After": "2"})
    """The agenda retries what is refused in this way; a person is told when (Retry-After)."""


class Busy(Temporary):
    """Too many changes arrive for this case at the same time. Try again in a moment."""

    code = "busy"


class NoRoom(Temporary):
    """There is no room to keep this, or the document store does not answer. Nothing was filed; try again in a moment."""

    code = "no_room"


class NotDue(Refusal):
    """This is not due yet."""

    code = "not_yet"

    def __init__(self, until: datetime) -> None:
        """`until` (UTC): when it may be due; the agenda asks again then."""
        super().__init__()
        self.until = until


class StillFaulty(Refusal):
    """This case still cannot be applied, so it stays parked. The list says why; nothing was changed."""

    code = "still_faulty"


class NotBegun(Refusal):
    """This list has not been read from the log yet, so nothing can be released in it. Start the service once, then release."""

    code = "not_begun"

"""The reader's language, and the words in it: gettext's messages, read from .po files when a process starts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from babel.core import negotiate_locale
from babel.messages.pofile import read_po
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LANGUAGES: Final = ("fa", "en")
DEFAULT: Final = "fa"
COOKIE: Final = "parvandeh_language"
OWN_LOCALE: Final = Path(__file__).with_name("locale")


class Translations:
    """Texts by message id and language.

    A message id is the English sentence, or a code such as `refusal.not_found` that both languages translate. Later
    directories (a service's own) win over earlier ones.
    """

    def __init__(self, directories: Iterable[Path]) -> None:
        self._texts: dict[str, dict[str, str]] = {language: {} for language in LANGUAGES}
        for directory in directories:
            for language in LANGUAGES:
                path = directory / f"{language}.po"
                if path.exists():
                    self._texts[language].update(_read(path))

    def has(self, language: str, message: str) -> bool:
        """Whether this language has a text of its own for the message."""
        return message in self._texts[language]

    def text(self, language: str, message: str, **values: object) -> str:
        """The text, with `%(name)s` filled in; the message id itself where there is no translation."""
        found = self._texts[language].get(message) or self._texts["en"].get(message, message)
        return found % values if values else found


def _read(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        catalog = read_po(file)
    return {str(each.id): str(each.string) for each in catalog if each.id and each.string}


def language_of(connection: HTTPConnection) -> str:
    """The reader's language: chosen (cookie), else what the browser asks for, else Persian."""
    chosen = connection.cookies.get(COOKIE)
    if chosen in LANGUAGES:
        return chosen
    wanted: list[tuple[float, str]] = []
    for part in connection.headers.get("accept-language", "")[:200].split(","):
        tag, _, quality = part.strip().partition(";q=")
        try:
            wanted.append((-float(quality or 1), tag.strip()))
        except ValueError:
            continue
    tags = [tag for _, tag in sorted(wanted, key=lambda each: each[0])]
    return negotiate_locale(tags, LANGUAGES, sep="-") or DEFAULT


class LanguageMiddleware:
    """Puts the reader's language into the request's state and says in the answer that it depends on it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        language = language_of(HTTPConnection(scope))
        scope.setdefault("state", {})["language"] = language

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Language", language)
                headers.add_vary_header("Accept-Language, Cookie")
            await send(message)

        await self.app(scope, receive, answer)

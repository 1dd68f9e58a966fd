"""Pages from Jinja2 templates: the reader's language, the principal, CSRF and idempotency fields in every one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from chassis.oidc_settings import Oidc
from chassis.settings import Settings
from chassis.web import formats
from chassis.web.assets import asset
from chassis.web.csrf import by_tls, form_cookie, form_token, session_cookie
from chassis.web.i18n import OWN_LOCALE, Translations

OWN_TEMPLATES: Final = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Link:
    """A line of the navigation; `roles` empty: for everyone."""

    path: str
    text: str
    """English; a message id."""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Desk:
    """What the pages of one service share."""

    service: str
    title: str
    environment: Environment
    translations: Translations
    links: tuple[Link, ...]
    service_urls: dict[str, str]
    citizens: bool
    oidc: Oidc


def desk(service: str, title: str, package: Path, links: Sequence[Link], settings: Settings, *, citizens: bool) -> Desk:
    """The pages of `service`: its templates and texts before the shared ones."""
    loader = ChoiceLoader([FileSystemLoader(package / "templates"), FileSystemLoader(OWN_TEMPLATES)])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals["asset"] = asset
    return Desk(
        service,
        title,
        environment,
        Translations([OWN_LOCALE, package / "locale"]),
        tuple(links),
        settings.doors,
        citizens,
        settings.oidc,
    )


def translations(request: Request) -> Translations:
    """The texts of this service."""
    found: Translations = request.app.state.words
    return found


def render(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The page `template` in the reader's language. `context` reaches the template beside the shared names."""
    shared: Desk = request.app.state.desk
    language: str = request.state.language
    principal = getattr(request.state, "principal", None)
    token, fresh = _csrf(request, shared.service)
    values = {
        "lang": language,
        "dir": "rtl" if language == "fa" else "ltr",
        "_": _translator(shared.translations, language),
        "desk": shared,
        "principal": principal,
        "links": [link for link in shared.links if not link.roles or (principal and principal.role in link.roles)],
        "here": request.url.path,
        "csrf": lambda: Markup('<input type="hidden" name="_csrf" value="{}">').format(token),
        "once": lambda: Markup('<input type="hidden" name="_once" value="{}">').format(secrets.token_urlsafe(18)),
        "digits": lambda value: formats.digits(value, language),
        "day": lambda value: formats.day(value, language),
        "short_day": lambda value: formats.short_day(value, language),
        "weekday": lambda value: formats.weekday(value, language),
        "time_of_day": lambda value: formats.time_of_day(value, language),
        "moment": lambda value: formats.moment(value, language),
        "until": lambda due, now: formats.until(due, now, language),
        "percent": lambda share: formats.percent(share, language),
        "size": lambda octets: formats.size(octets, language),
        "figures": formats.figures,
        **context,
    }
    page = HTMLResponse(shared.environment.get_template(template).render(values), status)
    page.headers["Cache-Control"] = "no-store"  # a shared computer must not show the last citizen's page
    if fresh:
        page.set_cookie(form_cookie(shared.service), fresh, httponly=True, samesite="lax", secure=by_tls(request))
    return page


def _translator(texts: Translations, language: str) -> Callable[..., str]:
    def text(message: str, **values: object) -> str:
        shown = {
            name: formats.digits(value, language)
            if isinstance(value, int | str) and not isinstance(value, date | datetime)
            else value
            for name, value in values.items()
        }
        return texts.text(language, message, **shown)

    return text


def _csrf(request: Request, service: str) -> tuple[str, str | None]:
    bound = request.cookies.get(session_cookie(service)) or request.cookies.get(form_cookie(service))
    fresh = None if bound else secrets.token_urlsafe(24)
    return form_token(bound or fresh or ""), fresh

"""Sign-in by OpenID Connect as a browser meets it, and the issuer's own order to end a session."""

from __future__ import annotations

from typing import Annotated, Final

import structlog
from fastapi import Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.accounts.oidc import refusals
from chassis.accounts.oidc.refusals import IssuerAway, LogoutRefused, SignInForged
from chassis.accounts.oidc.relying_party import RETURN, RelyingParty
from chassis.accounts.oidc.transactions import LIFETIME
from chassis.accounts.sign_in import begin as begin_session
from chassis.accounts.sign_in import local
from chassis.refusal import refusals_in
from chassis.web.auth import BACK_CHANNEL, signed_in
from chassis.web.csrf import by_tls, oidc_cookie
from chassis.web.pages import render
from chassis.web.problems import SignInFailed
from chassis.web.routes import EmptyResponse, may_refuse, routes

router = routes()
citizens = routes()
_log = structlog.get_logger("web")
_NOT_KEPT: Final = {"Cache-Control": "no-store"}


def _party(request: Request) -> RelyingParty:
    found: RelyingParty = request.app.state.oidc
    return found


@router.get("/sign-in/oidc")
@may_refuse(IssuerAway)
async def staff(request: Request, next: str = "/") -> RedirectResponse:
    return await _begin(request, next, citizen=False)


@citizens.get("/citizen/sign-in/oidc")
@may_refuse(IssuerAway)
async def citizen(request: Request, next: str = "/") -> RedirectResponse:
    return await _begin(request, next, citizen=True)


async def _begin(request: Request, to: str, *, citizen: bool) -> RedirectResponse:
    """A GET and no form: a form may lead to our own pages only, and what it does is bound to this browser by the cookie."""
    if signed_in(request):
        return RedirectResponse(local(to), 303)
    try:
        url, begun = await _party(request).begin(citizen=citizen, to=local(to), language=request.state.language)
    except SignInFailed as refusal:
        _say(refusal)
        raise
    answer = RedirectResponse(url, 303, headers=_NOT_KEPT)
    answer.set_cookie(
        oidc_cookie(request.app.state.desk.service),
        begun.browser,
        max_age=int(LIFETIME.total_seconds()),
        path="/sign-in/oidc",
        httponly=True,
        samesite="lax",  # strict would not come back from the issuer's site
        secure=by_tls(request),
    )
    return answer


@router.get(RETURN)
@may_refuse(*refusals_in(refusals))
async def back(request: Request) -> RedirectResponse:
    name = oidc_cookie(request.app.state.desk.service)
    try:
        arrival = await _party(request).finish(request.query_params.multi_items(), request.cookies.get(name))
    except SignInFailed as refusal:
        _say(refusal)
        raise
    answer = await begin_session(request, arrival.principal, arrival.next, arrival.issued)
    answer.delete_cookie(name, path="/sign-in/oidc")
    answer.headers.update(_NOT_KEPT)
    return answer


@router.post(BACK_CHANNEL)
@may_refuse(LogoutRefused, IssuerAway)
async def logged_out(request: Request, logout_token: Annotated[str, Form(max_length=100_000)] = "") -> EmptyResponse:
    """OpenID Connect Back-Channel Logout 1.0: 200 when nothing is left of the session, 400 when the token is not believed."""
    try:
        ended = await _party(request).logged_out(logout_token)
    except SignInForged as refusal:
        _say(refusal)
        raise LogoutRefused from None
    _log.info("sessions_ended_by_issuer", count=ended)
    return EmptyResponse(status_code=200, headers=_NOT_KEPT)


@router.get("/signed-out")
async def signed_out(request: Request) -> HTMLResponse:
    return render(request, "signed_out.html", farewell=await _party(request).farewell())


def _say(refusal: SignInFailed) -> None:
    """One word for those who run the system: which check failed, and nothing of the answer that failed it."""
    _log.warning("sign_in_failed", code=refusal.code, reason=getattr(refusal, "reason", None))

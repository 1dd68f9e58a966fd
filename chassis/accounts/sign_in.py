"""Sign-in pages: staff by name and password, citizens by national code, mobile and a one-time code; sign-out; language."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse

from chassis.accounts.sessions import Issued
from chassis.principal import Principal
from chassis.refusal import Refusal
from chassis.web.auth import signed_in
from chassis.web.csrf import by_tls, form_cookie, session_cookie
from chassis.web.i18n import COOKIE, LANGUAGES
from chassis.web.pages import render
from chassis.web.problems import refused, text_of
from chassis.web.routes import RefusedPage, may_refuse, routes
from schemas.envelope.identifiers import is_mobile, is_national_code, normalised

router = routes()
citizens = routes()
LONGEST_PATH: Final = 2000
Text = Annotated[str, Form(max_length=200)]


class WrongSignIn(Refusal):
    """The user name or the password is wrong."""

    code = "wrong_sign_in"
    status = 422


class WrongNationalCode(Refusal):
    """A national code has ten digits, and the last one must match the others."""

    code = "wrong_national_code"
    status = 422


class WrongMobile(Refusal):
    """A mobile number has eleven digits and starts with 09."""

    code = "wrong_mobile"
    status = 422


class WrongCode(Refusal):
    """The code is wrong, expired or already used."""

    code = "wrong_code"
    status = 422


def local(path: str) -> str:
    """`path` when it leads to a page of this door, else `/`: an open redirect would lend our name to a forged page."""
    parts = urlsplit(path)
    if len(path) > LONGEST_PATH or not path.isprintable():
        return "/"  # what no page of ours is called could neither be stored nor stand in a header
    harmless = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return path if harmless and "\\" not in path else "/"


async def begin(request: Request, principal: Principal, to: str, issued: Issued | None = None) -> RedirectResponse:
    """A new session instead of whatever there was, and on to `to`."""
    service = request.app.state.desk.service
    name = session_cookie(service)
    token = await request.app.state.sessions.begin(principal, instead_of=request.cookies.get(name), issued=issued)
    answer = RedirectResponse(local(to), 303)
    answer.set_cookie(name, token, httponly=True, samesite="lax", secure=by_tls(request), path="/")
    answer.delete_cookie(form_cookie(service))
    return answer


@router.get("/sign-in")
async def staff_form(request: Request, next: str = "/") -> HTMLResponse | RedirectResponse:
    if signed_in(request):
        return RedirectResponse(local(next), 303)
    return render(request, "sign_in.html", next=local(next), username="", wrong=False)


@router.post("/sign-in")
@may_refuse(WrongSignIn)
async def staff(request: Request, username: Text = "", password: Text = "", next: Text = "/") -> RefusedPage | RedirectResponse:
    principal = await request.app.state.accounts.check(normalised(username), password)
    if principal is None:
        page = {"next": local(next), "username": username, "wrong": True}
        return refused(request, WrongSignIn(), lambda: render(request, "sign_in.html", 422, **page))
    return await begin(request, principal, next)


@router.post("/sign-out")
async def sign_out(request: Request) -> RedirectResponse:
    name = session_cookie(request.app.state.desk.service)
    token = request.cookies.get(name)
    at_issuer = bool(token) and await request.app.state.sessions.end(token)
    # Not to the issuer at once: our form may lead to our own pages only (form-action in the Content-Security-Policy).
    answer = RedirectResponse("/signed-out" if at_issuer and request.app.state.desk.oidc.on else "/", 303)
    answer.delete_cookie(name)
    return answer


@router.post("/language")
async def language(to: Text = "fa", next: Text = "/") -> RedirectResponse:
    answer = RedirectResponse(local(next), 303)
    if to in LANGUAGES:
        answer.set_cookie(COOKIE, to, max_age=31_536_000, samesite="lax")
    return answer


@citizens.get("/citizen/sign-in")
async def citizen_form(request: Request, next: str = "/") -> HTMLResponse:
    return render(request, "citizen_sign_in.html", next=local(next), national_code="", mobile="", errors={})


@citizens.post("/citizen/sign-in")
@may_refuse(WrongNationalCode, WrongMobile)
async def challenge(request: Request, national_code: Text = "", mobile: Text = "", next: Text = "/") -> HTMLResponse:
    code, number = normalised(national_code).replace(" ", ""), normalised(mobile).replace(" ", "")
    found: dict[str, Refusal] = {}
    if not is_national_code(code):
        found["national_code"] = WrongNationalCode("national_code")
    if not is_mobile(number):
        found["mobile"] = WrongMobile("mobile")
    if found:
        errors = {name: text_of(request, refusal) for name, refusal in found.items()}
        page = {"next": local(next), "national_code": national_code, "mobile": mobile, "errors": errors}
        first, *_ = found.values()
        return refused(request, first, lambda: render(request, "citizen_sign_in.html", 422, **page))
    token = await request.app.state.codes.challenge(code, number, request.state.language)
    return render(request, "citizen_code.html", next=local(next), challenge=token, wrong=False)


@citizens.post("/citizen/code")
@may_refuse(WrongCode)
async def answer_code(
    request: Request, challenge: Text = "", code: Text = "", next: Text = "/"
) -> RefusedPage | RedirectResponse:
    principal = await request.app.state.codes.answer(challenge, normalised(code).replace(" ", ""))
    if principal is None:
        page = {"next": local(next), "challenge": challenge, "wrong": True}
        return refused(request, WrongCode(), lambda: render(request, "citizen_code.html", 422, **page))
    return await begin(request, principal, next)

"""The routes of every way of signing in that a door offers."""

from __future__ import annotations

from fastapi import APIRouter

from chassis.accounts import sign_in
from chassis.accounts.oidc import pages as oidc
from chassis.settings import Settings


def sign_in_routers(settings: Settings, *, citizens: bool = False) -> tuple[APIRouter, ...]:
    """The local accounts', and OpenID Connect's where it is configured; `citizens`: whether they sign in here too."""
    local = (sign_in.router, sign_in.citizens) if citizens else (sign_in.router,)
    if not settings.oidc.on:
        return local
    if citizens and settings.oidc.national_code_claim:
        return (*local, oidc.router, oidc.citizens)
    return (*local, oidc.router)

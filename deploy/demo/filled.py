"""The form of a request as a person fills it in, and the papers they bring."""

from __future__ import annotations

import io
from functools import cache

import pikepdf

from deploy.demo.plan import Plan
from schemas.catalogue import RequestType
from services.intake.decide.filing import WORDINGS


@cache
def paper() -> bytes:
    """A small genuine PDF."""
    out = io.BytesIO()
    with pikepdf.new() as document:
        document.add_blank_page()
        document.save(out, deterministic_id=True)  # the same bytes in every run: a repeated filing is the same request
    return out.getvalue()


def answers(kind: RequestType, plan: Plan) -> dict[str, str]:
    """The form as a person fills it in."""
    free = {
        "registry_plate": "۱۲۳۴/۵۶", "renewal_code": "۷-۸۹-۱۲", "address": "خیابان شریعتی، کوچهٔ ۵",
        "asking_body": "بانک ملی", "letter_number": "۱۴۰۵/۷۷",
    }  # fmt: skip
    found = {f.key: "3" if f.kind == "number" else free.get(f.key, "نوشتهٔ نمونه") for f in kind.fields}
    person = plan.applicant
    return {
        **found,
        "district": str(plan.district),
        "national_code": person.national_code,
        "name": person.name,
        "mobile": person.mobile,
        "email": person.email,
        **({"consent": WORDINGS[-1]} if plan.office else {}),
    }


def documents(kind: RequestType) -> list[tuple[str, tuple[str, bytes, str]]]:
    """The required papers of a type."""
    return [(f"document_{each.key}", (f"{each.key}.pdf", paper(), "application/pdf")) for each in kind.documents if each.required]

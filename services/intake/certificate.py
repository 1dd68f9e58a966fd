"""The certificate as a PDF: Persian, with a QR code that leads to the public check page, bound to the approving fact."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import orjson
import segno
import typst

from chassis.web.formats import digits, short_day
from schemas.catalogue import catalogue

_TEMPLATE: Final = Path(__file__).with_name("certificate.typ")
_FONTS: Final = Path(__file__).parents[2] / "node_modules/vazirmatn/fonts/ttf"


class CertificateFault(Exception):
    """The PDF could not be made correctly (a font is missing, a letter cannot be set)."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The text of a certificate."""

    certificate_id: str
    request_type: str
    name: str
    property: dict[str, str]
    district: int
    conditions: tuple[str, ...]
    issued_on: datetime
    valid_until: datetime | None
    position: str
    link: str
    url: str


def pdf(certificate: Certificate) -> bytes:
    """The PDF (PDF/A-3a, PDF/UA-1). The same values give the same bytes. Raises CertificateFault."""
    inputs = {"values": orjson.dumps(_values(certificate)).decode()}
    made, warnings = typst.compile_with_warnings(
        str(_TEMPLATE),
        font_paths=[str(_FONTS)],
        ignore_system_fonts=True,
        sys_inputs=inputs,
        pdf_standards=["a-3a", "ua-1"],
        timestamp=int(certificate.issued_on.timestamp()),
    )
    if warnings:
        raise CertificateFault(str(warnings[0].message))  # an unknown font is only a warning to typst
    return bytes(made)


def _values(certificate: Certificate) -> dict[str, object]:
    kind = catalogue().types[certificate.request_type]
    names = {field.key: field.fa for field in kind.fields}
    conditions = [catalogue().codes["conditions"][each].fa for each in certificate.conditions]
    until = short_day(certificate.valid_until, "fa") if certificate.valid_until else "بدون پایان"
    rows = [
        ("شمارهٔ گواهی", certificate.certificate_id),
        ("نام", certificate.name),
        *((names[key], digits(value, "fa")) for key, value in certificate.property.items() if key in names and value),
        ("منطقه", digits(certificate.district, "fa")),
        ("تاریخ صدور", short_day(certificate.issued_on, "fa")),
        ("اعتبار تا", until),
    ]
    if conditions:
        rows.append(("شرط‌ها", "، ".join(conditions)))
    return {
        "title": kind.fa,
        "issuer": "شهرداری کرمان",
        "rows": rows,
        "how_to_check": "درستی این گواهی را هر کس می‌تواند در این نشانی ببیند:",
        "url": certificate.url,
        "bound": f"جایگاه تأیید در دفتر رویدادها: {digits(certificate.position, 'fa')}",
        "link": certificate.link,
        "qr": _qr(certificate.url),
        "qr_alt": "رمزینهٔ نشانی بررسی گواهی",
    }


def _qr(url: str) -> str:
    out = io.BytesIO()
    segno.make(url, error="m").save(out, kind="svg", border=1, xmldecl=False)
    return out.getvalue().decode()

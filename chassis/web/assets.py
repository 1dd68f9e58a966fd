"""Static files: our own and those of the npm lock, served by name under a digest so that they can be kept for a year."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

_OWN: Final = Path(__file__).with_name("static")
_MODULES: Final = Path(__file__).parents[2] / "node_modules"
FILES: Final = MappingProxyType(
    {
        "parvandeh.css": _OWN / "parvandeh.css",
        "icon.svg": _OWN / "icon.svg",
        "bootstrap.css": _MODULES / "bootstrap/dist/css/bootstrap.min.css",
        "bootstrap.rtl.css": _MODULES / "bootstrap/dist/css/bootstrap.rtl.min.css",
        "vazirmatn.woff2": _MODULES / "vazirmatn/fonts/webfonts/Vazirmatn[wght].woff2",
    }
)

MEDIA_TYPES: Final = MappingProxyType({".css": "text/css", ".svg": "image/svg+xml", ".woff2": "font/woff2"})
"""By ending; written out, since what a machine's own table says of them differs."""


@cache
def asset(name: str) -> str:
    """The URL of a static file. The digest changes with the file, so that no browser shows an old one."""
    return f"/static/{hashlib.sha256(FILES[name].read_bytes()).hexdigest()[:12]}/{name}"

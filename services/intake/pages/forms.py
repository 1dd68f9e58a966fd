"""The forms with documents as they are sent, from the catalogue: for each kind of request its questions and its papers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from chassis.web.routes import Form
from schemas.catalogue import Paper, RequestType, catalogue
from services.intake.decide.filing import LONGEST_TEXT, WORDINGS

_FILE: Final = {"type": "string", "contentMediaType": "application/octet-stream", "format": "binary"}
_PERSON: Final[Mapping[str, Mapping[str, Any]]] = {
    "national_code": {"type": "string", "maxLength": 20, "description": "کد ملی: ten digits, the last one a check digit."},
    "name": {"type": "string", "minLength": 1, "maxLength": 120},
    "mobile": {"type": "string", "maxLength": 20, "description": "09 and nine digits."},
    "email": {"type": "string", "maxLength": 200},
    "district": {"type": "string", "enum": ["1", "2", "3", "4", "5"]},
    "consent": {
        "type": "string",
        "enum": list(WORDINGS),
        "description": "Needed from a counter office: the words to which the applicant, who is present, consents.",
    },
}


def filing_forms() -> Mapping[str, Form]:
    """The form of each kind, and one that any of them fits."""
    kinds = catalogue().types
    return {"": Form({"type": "object"}), **{key: Form(_filing(kind)) for key, kind in kinds.items()}}


def answer_form() -> Mapping[str, Form]:
    """The applicant's answer to a question: a text, and papers of the kind of the case."""
    papers = {paper.key: paper for kind in catalogue().types.values() for paper in kind.documents}
    fields = {"text": {"type": "string", "maxLength": 2000}, **{_name(paper): _file(paper) for paper in papers.values()}}
    return {"": Form({"type": "object", "properties": fields})}


def _filing(kind: RequestType) -> dict[str, Any]:
    questions = {
        each.key: {"type": "string", "maxLength": LONGEST_TEXT, "description": f"{each.fa}; {each.en}"}
        | ({"pattern": "^[0-9۰-۹]{1,3}$"} if each.kind == "number" else {})
        for each in kind.fields
    }
    required = [name for name in _PERSON if name not in ("email", "consent")]
    required += [each.key for each in kind.fields if each.required]
    required += [_name(paper) for paper in kind.documents if paper.required]
    return {
        "type": "object",
        "title": f"{kind.fa}; {kind.en}",
        "properties": {**_PERSON, **questions, **{_name(paper): _file(paper) for paper in kind.documents}},
        "required": required,
    }


def _name(paper: Paper) -> str:
    return f"document_{paper.key}"


def _file(paper: Paper) -> dict[str, Any]:
    return {**_FILE, "description": f"{paper.fa}; {paper.en}. PDF, JPEG or PNG, at most 25 MB."}

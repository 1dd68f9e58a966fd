"""`python -m schemas new`: the stubs of a new fact, of which nothing is a lie: what a person must decide is marked FILL-IN.

`check` refuses while a mark is there. The model, its place in the union, the words and the list of who ignores it are written
into the files that are there; a golden sample is drafted from the types; the test of the rule fails until somebody writes it.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from schemas.drafts import FILL_IN
from schemas.envelope.fact import Fact, StreamKind, Writer
from schemas.labels import Unreadable

_NAME: Final = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")
_MODULES: Final = {
    "datetime": ("datetime", "date", "timedelta"),
    "decimal": ("Decimal",),
    "pydantic": ("AwareDatetime", "Field", "NaiveDatetime", "NonNegativeInt", "PositiveInt"),
    "schemas.envelope.deadline": ("Deadline",),
    "schemas.envelope.documents": ("Audience", "DocumentRef"),
    "schemas.envelope.fact": ("StreamKind",),
    "schemas.envelope.sealing": ("Sealable",),
    "typing": ("Annotated", "Literal"),
}
_KNOWN: Final = {name: module for module, names in _MODULES.items() for name in names}
"""Types that a field may use beside the builtins and those already in the writer's module."""


@dataclass(frozen=True, slots=True)
class NewFact:
    """The requested fact; what is left empty becomes a FILL-IN."""

    name: str
    """The wire name, `noun.happened`."""
    writer: str
    fields: tuple[str, ...] = ()
    """As in the model: `until: AwareDatetime`, `note: Sealable | None = None`."""
    meaning: str = ""
    """The model's docstring: one sentence in the past tense."""
    fa: str = ""
    en: str = ""
    kind: str = StreamKind.CASE.value
    record: bool = False
    ignored_by: tuple[str, ...] = ()
    """As in `ignored.toml`: folds, or services with all their folds."""

    @property
    def class_name(self) -> str:
        return "".join(word.capitalize() for word in re.split(r"[._]", self.name))

    @property
    def test(self) -> str:
        """The path of the test of its rule."""
        return f"tests/services/test_{self.name.replace('.', '_')}.py"


def ignoring(root: Path) -> frozenset[str]:
    """The folds and services that `ignored.toml` may name. Raises Unreadable."""
    try:
        lines = tomllib.loads((root / "schemas/ignored.toml").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(f"schemas/ignored.toml: {error}") from None
    return frozenset(each for line in lines.values() for each in line)


def refused(new: NewFact, root: Path, facts: Mapping[str, type[Fact]], ignoring: frozenset[str]) -> list[str]:
    """All the reasons for which nothing is written; `ignoring`: what `ignored.toml` may name."""
    found = []
    if not _NAME.fullmatch(new.name):
        found.append(f"{new.name!r} is no wire name: two parts of small letters with a dot between, as correction.extended")
    elif new.name in facts:
        known = facts[new.name]
        found.append(
            f"{new.name} already exists (version {known.VERSION}, written by {known.WRITER.value}): a released fact changes by "
            "a new VERSION with a lift in schemas/upcasting.py"
        )
    elif (at := root / new.test).exists():
        found.append(f"{at.relative_to(root)} already exists: move it away")
    if new.writer not in set(Writer):
        found.append(f"{new.writer!r} is no writer: one of {', '.join(Writer)}")
    else:
        found += _wrong_fields(new, (root / f"schemas/facts/{new.writer}.py").read_text(encoding="utf-8"))
    if new.kind not in set(StreamKind):
        found.append(f"{new.kind!r} is no kind of stream: one of {', '.join(StreamKind)}")
    found += [
        f"{each!r} ignores no fact: one of {', '.join(sorted(ignoring))}" for each in new.ignored_by if each not in ignoring
    ]
    found += [f"{what} must be one line of text" for what in ("meaning", "fa", "en") if not _plain(getattr(new, what))]
    return found


def _plain(text: str) -> bool:
    # Not isprintable(): Persian needs the zero-width non-joiner.
    return not (any(unicodedata.category(each) == "Cc" for each in text) or '"""' in text or "\\" in text or text.endswith('"'))


def _wrong_fields(new: NewFact, module: str) -> list[str]:
    known = {*_KNOWN, *vars(builtins), *_bound(module)}
    found, names = [], set[str]()
    for field in new.fields:
        try:
            (statement,) = ast.parse(field).body
        except (SyntaxError, ValueError):
            statement = ast.Pass()
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name) or "\n" in field:
            found.append(f"{field!r} is no field: a name and a type, as 'until: AwareDatetime'")
            continue
        if statement.target.id in names or not re.fullmatch("[a-z][a-z0-9_]*", statement.target.id):
            found.append(f"{field!r}: a field has a name of its own, in small letters")
        names.add(statement.target.id)
        used = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - {statement.target.id}
        found += [
            f"{field!r}: {name} is no type that schemas/facts/{new.writer}.py knows: write its model there first"
            for name in sorted(used - known)
        ]
    if new.class_name in _bound(module):
        found.append(f"schemas/facts/{new.writer}.py has a class {new.class_name} already")
    return found


def _bound(module: str) -> set[str]:
    """The names of classes and imports at the top of a module."""
    found = set()
    for node in ast.parse(module).body:
        if isinstance(node, ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


def stubs(new: NewFact, root: Path) -> dict[str, str]:
    """Path -> text, of every file that a new fact touches; nothing is written yet."""
    files = {
        path: (root / path).read_text(encoding="utf-8")
        for path in (f"schemas/facts/{new.writer}.py", "schemas/facts/__init__.py", "schemas/labels.toml", "schemas/ignored.toml")
    }
    module, union, words, ignored = files.values()
    return dict(
        zip(
            files,
            (
                _with_imports(new, module) + _model(new),
                _in_union(new, union),
                words.rstrip("\n") + f'\n["{new.name}"]\nfa = {_quoted(new.fa)}\nen = {_quoted(new.en)}\n',
                _ignoring(new, ignored),
            ),
            strict=True,
        )
    ) | {new.test: _test(new)}


def _quoted(text: str) -> str:
    return json.dumps(text or FILL_IN, ensure_ascii=False)


def _model(new: NewFact) -> str:
    lines = [
        f"\n\nclass {new.class_name}({new.writer.capitalize()}Fact):",
        f'    """{new.meaning or f"{FILL_IN}: what happened, in the past tense."}"""',
        "",
        f'    TYPE: ClassVar[str] = "{new.name}"',
        "    VERSION: ClassVar[int] = 1",
    ]
    if new.kind != StreamKind.CASE.value:
        lines.append(f"    KIND: ClassVar[StreamKind] = StreamKind.{new.kind.upper()}")
    if new.record:
        lines.append("    RECORD: ClassVar[bool] = True")
    fields = new.fields or (f"# {FILL_IN}: its fields; take this line away when it needs none",)
    return "\n".join([*lines, "", *(f"    {field}" for field in fields)]) + "\n"


def _with_imports(new: NewFact, module: str) -> str:
    """The module with what the fields need; the linter puts the lines in order."""
    source = "\n".join((*new.fields, "StreamKind" if new.kind != StreamKind.CASE.value else ""))
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    lines = [f"from {_KNOWN[name]} import {name}\n" for name in sorted(used & set(_KNOWN) - _bound(module))]
    first = "from __future__ import annotations\n\n"
    return module.replace(first, first + "".join(lines), 1)


def _in_union(new: NewFact, union: str) -> str:
    lines = union.splitlines(keepends=True)
    last = max(number for number, line in enumerate(lines) if re.match(rf"    \|? ?{new.writer}\.", line))
    return "".join([*lines[: last + 1], f"    | {new.writer}.{new.class_name}\n", *lines[last + 1 :]])


def _ignoring(new: NewFact, ignored: str) -> str:
    if not new.ignored_by:
        return ignored  # tests/services/test_folds.py checks who ignores it
    lines = [*ignored.splitlines(keepends=True), f'"{new.name}" = {json.dumps(sorted(new.ignored_by))}\n']
    comments = [line for line in lines if line.startswith("#")]
    return "".join([*comments, *sorted(set(lines) - set(comments))])


def _test(new: NewFact) -> str:
    return f'''"""When `{new.name}` is written, and when it is refused."""

from __future__ import annotations

import pytest

from schemas.facts.{new.writer} import {new.class_name}


def test_{new.name.replace(".", "_")}() -> None:
    pytest.fail(f"{FILL_IN}: given, when, then({{{new.class_name}.__name__}}); name the test after its rule")
'''


def write_stubs(new: NewFact, root: Path) -> list[str]:
    """Write the stubs and what is generated from them; return what makes the fact impossible, and then nothing is left of it."""
    files = stubs(new, root)
    before = {path: (root / path).read_bytes() if (root / path).exists() else None for path in files}
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    # In a separate process, since this one has loaded the old modules.
    run = _python(root, "-c", "import sys; from schemas.drafts import draft; draft(sys.argv[1])", new.name)
    if run.returncode != 0:
        for path, old in before.items():
            (root / path).unlink() if old is None else (root / path).write_bytes(old)
        last = (run.stderr.strip().splitlines() or ["no reason"])[-1]
        return [f"{new.name}: these fields make no model: {last}"]
    python_files = [path for path in files if path.endswith(".py")]
    _python(root, "-m", "ruff", "check", "--select", "I,F401", "--fix", "--quiet", *python_files)
    _python(root, "-m", "ruff", "format", "--quiet", *python_files)
    _python(root, "-m", "schemas", "write")
    return []


def _python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, check=False)

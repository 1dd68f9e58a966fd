"""The diagrams and tables of docs/architecture.md, from the code's own: processes, roles, databases, Kafka's rights, facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from deploy.kafka.acls import RIGHTS, USERS, Operation
from deploy.local.processes import KEYS, PROCESSES, Process, running
from deploy.local.roles import DATABASES, SERVICES
from schemas.facts import FACTS
from schemas.index import uses

ROOT: Final = Path(__file__).parents[2]
_FENCE: Final = "```"
FIRST_PORT: Final = 8000
"""Ports are drawn as they are unless `PARVANDEH_PORTS` moves them."""
_BOX, _STORE, _BUS = '{}["{}"]', '{}[("{}")]', '{}(["{}"])'
"""Mermaid's shapes of a process, a database and the bus; without colours, so that light and dark both read well."""


def processes() -> str:
    """Which process connects to which database and to Kafka, and with which role."""
    lines = [
        f"{_FENCE}mermaid",
        "flowchart LR",
        "  accTitle: Processes, databases and the bus",
        "  accDescr: Which process writes or reads which database, and Kafka. The tables below say the same in words.",
    ]
    groups = _groups()
    lines += ["  " + _BOX.format(name, "<br/>".join(map(_addressed, group))) for name, group in groups.items()]
    lines += ["  " + _STORE.format(f"db_{name}", name) for name in DATABASES]
    lines.append("  " + _BUS.format("kafka", f"Kafka<br/>{RIGHTS[0].name}"))
    for name, group in groups.items():
        lines += [f"  {name} -->|writes| db_{database}" for database in _connects(group[0].role)]
        lines += [f"  db_{database} -.->|reads| {name}" for database in _connects(group[0].reader)]
    lines += [f"  {user} ==>|publishes| kafka" for user in _may(Operation.WRITE)]
    lines += [f"  kafka ==>|applies| {user}" for user in _may(Operation.READ)]
    return "\n".join((*lines, _FENCE))


def process_table() -> str:
    """The same processes in words, with what each receives."""
    rows = [
        "| process | runs | started as | port | writes as | reads the log as | Kafka user | key files |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in PROCESSES:
        given = ", ".join(f"`{key}`" for key in KEYS.get(each.name.removesuffix("-agenda"), ())) or "-"
        user = f"`{each.name}`" if each.name in USERS else "-"
        role = f"`{each.role}`" if each.role else "-"
        command = " ".join(("python -m", each.module, *each.arguments))
        runs = "always" if each in running({}) else f"in {each.name.removesuffix('-agenda')}, or apart"
        rows.append(
            f"| {each.name} | {runs} | `{command}` | first + {each.place} | {role} | `{each.reader}` | {user} | {given} |"
        )
    return "\n".join(rows)


def databases() -> str:
    """Each database with the roles that may connect to it."""
    rows = ["| database | roles that may connect, beside `owner` |", "|---|---|"]
    rows += [f"| `{name}` | {', '.join(f'`{role}`' for role in allowed)} |" for name, allowed in DATABASES.items()]
    return "\n".join(rows)


def flow() -> str:
    """The flow of facts between services, with the number of fact types."""
    lines = [
        f"{_FENCE}mermaid",
        "flowchart LR",
        "  accTitle: Facts between the services",
        "  accDescr: An arrow from the service that writes facts to each service that decides, reacts or builds rows on them,"
        " with the number of kinds. The table below names each.",
    ]
    lines += ["  " + _BOX.format(name, name) for name in (*SERVICES, "audit")]
    counted: dict[tuple[str, str], int] = {}
    for fact, used in _used().items():
        writer = FACTS[fact].WRITER.value
        for service in sorted(set().union(*used.values()) - {writer}):
            counted[writer, service] = counted.get((writer, service), 0) + 1
    lines += [f"  {writer} -->|{count}| {service}" for (writer, service), count in sorted(counted.items())]
    return "\n".join((*lines, _FENCE))


def facts() -> str:
    """Each fact: its writer, and the services that decide on it, react to it and build rows from it."""
    used = _used()
    columns = list(next(iter(used.values())))
    rows = [f"| fact | writer | {' | '.join(columns)} |", "|---|---|" + "---|" * len(columns)]
    for name, by in used.items():
        cells = (", ".join(sorted(by[column])) or "-" for column in columns)
        rows.append(f"| `{name}` | {FACTS[name].WRITER.value} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _groups() -> Mapping[str, list[Process]]:
    """The processes by what they are called without `-agenda`: those of one service have the same roles."""
    found: dict[str, list[Process]] = {}
    for each in PROCESSES:
        found.setdefault(each.name.removesuffix("-agenda"), []).append(each)
    return found


def _addressed(process: Process) -> str:
    port = FIRST_PORT + process.place
    return f"{process.name} :{port}" if process in running({}) else f"and its agenda, or that apart :{port}"


def _connects(role: str | None) -> Iterator[str]:
    yield from (database for database, allowed in DATABASES.items() if role in allowed)


def _may(operation: Operation) -> list[str]:
    return sorted({right.user for right in RIGHTS if right.operation is operation})


def _used() -> Mapping[str, Mapping[str, set[str]]]:
    """Wire name -> the index's columns -> the services of which a module names the fact."""
    found = {column: by for column, by in uses(ROOT, FACTS).items() if column != "tested"}
    return {
        name: {column: {place.split("/")[1] for place in by.get(name, ())} for column, by in found.items()}
        for name in sorted(FACTS)
    }

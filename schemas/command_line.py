"""What all our command lines share: `--help`, `--version`, one sentence for a mistake, and its exit code.

It stands in the lowest layer because each layer has commands. A command is a function that typer reads; it answers its exit
code, or is a coroutine that does.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Final, TypeVar

import typer
from typer.core import TyperCommand

from schemas.build import Build

F = TypeVar("F", bound=Callable[..., Any])
WRONG_USAGE: Final = 2
INTERRUPTED: Final = 130
_TYPED: Final = re.compile(r"""^(?:Value (?:error, )?)?(['"]).*\1 """, re.DOTALL)
"""The value with which typer's message begins."""
_INSTEAD: Final = {
    "No such command": "there is no such command",
    "Missing command": "a command is missing",
    "Got unexpected extra argument": "there is a word too many",
}
"""The beginning of typer's message -> our message."""


def _say_version(asked: bool) -> None:
    if asked:
        build = Build.of()
        sys.stdout.write(f"parvandeh {build.version} (commit {build.commit[:12]}, Python {platform.python_version()})\n")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and exit.", show_default=False)
]


class Command(TyperCommand):
    """A command whose options never take another option for their value, so that `--name --role clerk` names nobody `--role`."""

    several: ClassVar[frozenset[str]] = frozenset()
    """Options that take several values in a row: `--only bus http`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say an option again before each further value, and refuse one without a value."""
        valued = {name for each in self.params if not getattr(each, "is_flag", True) for name in each.opts}
        spread: list[str] = []
        repeated, rest = "", iter(args)
        for word in rest:
            if word == "--":
                spread += [word, *rest]
                break
            if word in valued:
                value = next(rest, "--")
                if value.startswith("--"):
                    ctx.fail(f"{word} needs a value")
                spread += [word, value]
                repeated = word if word in self.several else ""
            elif word.startswith("-"):
                spread, repeated = [*spread, word], ""
            else:
                spread += [repeated, word] if repeated else [word]
        return super().parse_args(ctx, spread)


class CommandLine(typer.Typer):
    """An application of our commands; `about` is its help."""

    def __init__(self, about: str | None = None) -> None:
        # No shell completion: installing it writes into the files of whoever runs it. Colours and frames for people only.
        super().__init__(
            help=about,
            add_completion=False,
            pretty_exceptions_enable=False,
            rich_markup_mode="rich" if sys.stdout.isatty() else None,
        )

    def command(self, name: str | None = None, *, several: Sequence[str] = (), **settings: Any) -> Callable[[F], F]:
        """As typer's, of our kind; `several`: the options that take several values in a row."""
        kind = type("Command", (Command,), {"several": frozenset(several)})
        return super().command(name, cls=kind, **settings)


def command_line(about: str) -> CommandLine:
    """An application that knows `--version` and no command yet."""
    app = CommandLine(about)

    @app.callback()
    def common(_: Version = False) -> None: ...

    return app


def run(app: CommandLine, program: str, arguments: Sequence[str], at: object = None) -> int:
    """Carry out what was typed after `program`; the exit code. `at`: what the commands find in `context.obj`.

    A mistake is one sentence on stderr and exit code 2.

    The sentence repeats no value that was typed: somebody may have typed a password.
    """
    try:
        done = app(args=list(arguments), prog_name=program, standalone_mode=False, obj=at)
        return int((asyncio.run(done) if inspect.iscoroutine(done) else done) or 0)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else program
        sys.stderr.write(f"{where}: {_sentence(error)} (`{where} --help` says what there is)\n")
        return WRONG_USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Our reader has ended (`| head`). What is still buffered must not fail again when Python closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _sentence(error: typer.TyperException) -> str:
    if isinstance(error, typer.BadParameter):
        name = error.param.get_error_hint().replace("'", "") if error.param is not None else "a word"
        return f"{name}: {_TYPED.sub('', error.message).rstrip('.')}" if error.message else f"{name} is missing"
    if option := getattr(error, "option_name", ""):
        return f"there is no option {option}"
    for begins, instead in _INSTEAD.items():
        if error.message.startswith(begins):
            return instead
    return error.message

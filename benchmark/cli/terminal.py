"""The typer application, its two consoles, and the handling of bad input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

import typer
from rich.console import Console

from benchmark.errors import BadInput

app = typer.Typer(
    help="Palimpsest: benchmark suite and leaderboard for unlearning in large language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
errors = Console(stderr=True, highlight=False)


def plainly(command: Callable) -> Callable:
    """Turns BadInput and OSError into a one-line message and exit code 2."""

    @wraps(command)
    def wrapped(*args, **kwargs):
        try:
            return command(*args, **kwargs)
        except BadInput as error:
            errors.print(f"palimpsest: {error}", markup=False, soft_wrap=True)
        except OSError as error:  # a folder that cannot be created, a full disk
            message = (
                f"{error.filename}: {error.strerror}"
                if error.filename
                else " ".join(str(error).split())
            )
            errors.print(f"palimpsest: {message}", markup=False, soft_wrap=True)
        raise typer.Exit(2)

    return wrapped

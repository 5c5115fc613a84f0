"""The command-line interface, with one file per group of commands."""

import os
import sys

from benchmark.cli import (
    author_commands,
    exchange_commands,
    machine_commands,
    model_commands,
    replay_commands,
    result_commands,
    run_commands,
    submit_commands,
    tuning_commands,
)
from benchmark.cli.terminal import app
from benchmark.runtime.threads import SPINNING

__all__ = [
    "app",
    "author_commands",
    "exchange_commands",
    "machine_commands",
    "main",
    "model_commands",
    "replay_commands",
    "result_commands",
    "run_commands",
    "submit_commands",
    "tuning_commands",
]


def main() -> None:
    """Entry point of the console script."""
    for name, value in SPINNING.items():  # read when a command imports torch
        os.environ.setdefault(name, value)
    sys.exit(app())

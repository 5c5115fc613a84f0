"""Locates errors in a method author's own file: line numbers in the engine would not help its
author.
"""

from __future__ import annotations

import traceback
from pathlib import Path


def author_line(error: BaseException, file: Path | None) -> str:
    """The error as `ValueError: message (method.py:12, in loss)`, or without the location if no
    line of the file was running.
    """
    message = traceback.format_exception_only(error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f for f in frames if file and Path(f.filename).resolve() == file.resolve()]
    return f"{message} ({_place(lines[-1])})" if lines else message


def _place(frame: traceback.FrameSummary) -> str:
    return f"{Path(frame.filename).name}:{frame.lineno}, in {frame.name}"

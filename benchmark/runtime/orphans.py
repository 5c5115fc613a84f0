"""Processes that end with the one that started them."""

from __future__ import annotations

import os
import threading
import time

POLL = 0.5  # seconds


def end_with(parent: int) -> None:
    """Exits this process soon after `parent`, the process id of the one that started it, has ended:
    however that happened, and whatever this process is doing.

    The id is the parent's own: asked for only now, it would be another process's if the parent
    ended while this one was starting.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(POLL)
    os._exit(1)

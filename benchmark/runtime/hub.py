"""Checks once whether a hub of models and data sets can be reached, so that no later call waits for
it.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from urllib.parse import urlsplit
from urllib.request import getproxies

OFFLINE_VARIABLE = "HF_HUB_OFFLINE"  # respected by the hub's own library
SECONDS = 5.0


@lru_cache(maxsize=1)
def hub_answers() -> bool:
    """Whether the hub can be reached; if not, processes started from this run do not try again."""
    if os.environ.get(OFFLINE_VARIABLE):
        return False
    from huggingface_hub.constants import ENDPOINT

    address = urlsplit(ENDPOINT)
    if getproxies():  # then only the proxy can tell
        return True
    try:
        socket.create_connection((address.hostname, address.port or 443), timeout=SECONDS).close()
    except OSError:
        os.environ[OFFLINE_VARIABLE] = "1"
        return False
    return True

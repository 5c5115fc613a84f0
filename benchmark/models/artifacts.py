"""The artifact store: folders named by what made them, built once, never half-written."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def fsync_folder(folder: Path) -> None:
    """Makes every file of a folder, and the folder itself, durable."""
    for path in [*(p for p in folder.rglob("*") if p.is_file()), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class ArtifactStore:
    """Content-addressed folders below a home; a key is the hash of everything that makes the
    content.
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    def path(self, kind: str, key: str) -> Path:
        return self.home / kind / key

    def has(self, kind: str, key: str) -> bool:
        return _is_whole(self.path(kind, key))

    def get(self, kind: str, key: str, build: Callable[[Path], dict]) -> Path:
        """The artifact's folder, built on the first call.

        `build` fills an empty folder and returns facts about how it did so, kept as `made.json`.
        Processes that ask for the same artifact wait for the one that builds it.
        """
        final = self.path(kind, key)
        if _is_whole(final):
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{final}.lock"):
            if not _is_whole(final):
                shutil.rmtree(final, ignore_errors=True)
                self._build(final, build)
        return final

    def remove(self, kind: str, prefix: str) -> None:
        """Removes the artifacts whose keys are the prefix and a dash and more, with their locks."""
        folder = self.home / kind
        for path in [*folder.glob(f"{prefix}-*"), *folder.glob(f".{prefix}-*")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    @staticmethod
    def _build(final: Path, build: Callable[[Path], dict]) -> None:
        folder = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.parent))
        try:
            made = build(folder)
            (folder / "made.json").write_text(json.dumps(made, indent=1, sort_keys=True))
            fsync_folder(folder)
            os.replace(folder, final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    """Whether it is there with all its files: links may lead to a folder that was moved since."""
    return folder.is_dir() and all(path.exists() for path in folder.iterdir())


def made_of(folder: Path) -> dict:
    """The facts that the artifact's builder returned."""
    return json.loads((folder / "made.json").read_text())

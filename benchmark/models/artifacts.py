"""The artifact store: folders named by a hash of what made them, built once and never half-written.
A second store elsewhere can back it, for machines that share no folder.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import fsspec
from filelock import FileLock

from benchmark.errors import BadInput

MADE = "made.json"  # the facts that an artifact's builder returned
UNIQUE = "?" * 8  # the end of a temporary folder's name


def fsync_folder(folder: Path) -> None:
    """Makes every file of a folder, and the folder itself, durable."""
    for path in [*(p for p in folder.rglob("*") if p.is_file()), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class ArtifactStore:
    """Content-addressed folders below a home folder; a key is the hash of everything that
    determines the content.

    `remote` is the address of a store shared with other machines (s3://bucket/folder, or any other
    that fsspec opens): artifacts missing here are fetched from it, and those built here are copied
    to it.
    """

    def __init__(self, home: Path, remote: str = "") -> None:
        self.home, self.remote = home, RemoteStore(remote) if remote else None

    def path(self, kind: str, key: str) -> Path:
        return self.home / kind / key

    def has(self, kind: str, key: str) -> bool:
        return _is_whole(self.path(kind, key)) or bool(self.remote and self.remote.has(kind, key))

    def keys(self, kind: str, prefix: str) -> list[str]:
        """The keys that begin with the prefix and a dash, sorted."""
        here = (path.name for path in (self.home / kind).glob(f"{prefix}-*") if path.is_dir())
        there = self.remote.keys(kind, prefix) if self.remote else []
        return sorted({*here, *there})

    def get(self, kind: str, key: str, build: Callable[[Path], dict]) -> Path:
        """The artifact's folder, built on the first call.

        `build` fills an empty folder and returns facts about the build, which are stored as MADE.
        Processes that ask for an artifact under construction wait until it is built.
        """
        final = self.path(kind, key)
        if _is_whole(final):
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{final}.lock"):
            if not _is_whole(final):
                for left in [final, *final.parent.glob(f".{final.name}-{UNIQUE}")]:  # by a kill
                    shutil.rmtree(left, ignore_errors=True)
                self._make(kind, final, build)
        return final

    def remove(self, kind: str, prefix: str) -> None:
        """Removes the artifacts whose keys begin with the prefix and a dash, with their locks;
        another process may do so at the same time.
        """
        folder = self.home / kind
        for path in folder.glob(f"{prefix}-*"):
            _remove_at_once(path) if path.is_dir() else path.unlink(missing_ok=True)
        for path in folder.glob(f".{prefix}-*"):
            shutil.rmtree(path, ignore_errors=True)
        for key in self.remote.keys(kind, prefix) if self.remote else []:
            assert self.remote
            self.remote.remove(kind, key)

    def discard(self, kind: str, key: str) -> None:
        """Removes one artifact."""
        _remove_at_once(self.path(kind, key))
        if self.remote:
            self.remote.remove(kind, key)

    def _make(self, kind: str, final: Path, build: Callable[[Path], dict]) -> None:
        """Fetches an artifact from the remote store, or builds it."""
        folder = _empty_beside(final)
        try:
            if not (self.remote and self.remote.fetched(kind, final.name, folder)):
                made = build(folder)
                (folder / MADE).write_text(json.dumps(made, indent=1, sort_keys=True))
                if self.remote:
                    self.remote.put(kind, final.name, folder)
            fsync_folder(folder)
            os.replace(folder, final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class RemoteStore:
    """Artifacts at an address that fsspec opens. A folder is complete once it contains MADE, which
    is written last because object stores cannot rename.
    """

    def __init__(self, address: str) -> None:
        """BadInput if no installed package can open the address."""
        try:
            self._files, self._root = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError) as error:
            raise BadInput(f"PALIMPSEST_STORE={address}: {error}") from None

    def _path(self, *parts: str) -> str:
        return "/".join([self._root.rstrip("/"), *parts])

    def has(self, kind: str, key: str) -> bool:
        self._files.invalidate_cache()
        return self._files.exists(self._path(kind, key, MADE))

    def keys(self, kind: str, prefix: str) -> list[str]:
        self._files.invalidate_cache()
        found = self._files.glob(self._path(kind, f"{prefix}-*", MADE))
        return sorted(path.rsplit("/", 2)[1] for path in found)

    def fetched(self, kind: str, key: str, folder: Path) -> bool:
        """Downloads an artifact into an empty folder, if there is a complete one. False, and the
        folder is empty again, if another machine removes it meanwhile.
        """
        if not self.has(kind, key):
            return False
        root = self._path(kind, key)
        with suppress(FileNotFoundError):
            for path in self._files.find(root):
                place = folder / path.removeprefix(root).lstrip("/")
                place.parent.mkdir(parents=True, exist_ok=True)
                self._files.get_file(path, str(place))
            if _is_whole(folder):
                return True
        shutil.rmtree(folder)
        folder.mkdir()
        return False

    def put(self, kind: str, key: str, folder: Path) -> None:
        names = [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if p.is_file()]
        for name in sorted(names, key=lambda name: name == MADE):
            place = self._path(kind, key, name)
            self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(folder / name), place)

    def remove(self, kind: str, key: str) -> None:
        """Removes MADE first, so that a partly removed artifact never counts as complete."""
        for name in (MADE, ""):
            place = self._path(kind, key, name).rstrip("/")
            with suppress(FileNotFoundError):  # another machine may remove it too
                self._files.rm(place, recursive=True)


def _empty_beside(path: Path) -> Path:
    """A new folder beside a path, under a name that `get` removes if a kill leaves it there."""
    return Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))


def _remove_at_once(folder: Path) -> None:
    """Removes a folder, if it exists, so that nobody finds it half removed."""
    if folder.is_dir():
        gone = _empty_beside(folder)
        with suppress(FileNotFoundError):  # another process removed it
            os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    """Whether the folder exists with all its files: links may point to a folder since moved."""
    return (folder / MADE).is_file() and all(path.exists() for path in folder.iterdir())


def made_of(folder: Path) -> dict:
    """The facts that the artifact's builder returned."""
    return json.loads((folder / MADE).read_text())

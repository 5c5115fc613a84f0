"""A small local hub of models and data sets. It implements the part of the real hub's protocol that
its client library needs: contents, revisions, and whole or partial files.
"""

import base64
import hashlib
import json
import threading
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

MAIN = "main"


def commit_of(files):
    """Commit id of these files, {path: bytes}."""
    digests = [(path, hashlib.sha1(content).hexdigest()) for path, content in sorted(files.items())]
    return hashlib.sha1(repr(digests).encode()).hexdigest()


class Hub(ThreadingHTTPServer):
    """A hub with the contents `repos`: {("dataset" or "model", name): {revision: {path: bytes}}}.

    `broken` are paths whose first download breaks off in the middle, `served` counts requests for
    files as (path, status), and `refused` are gated repositories that require a login.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repos, self.broken, self.refused, self.served = {}, set(), set(), Counter()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, kind, name, files, revision=None):
        """Adds a commit, under its computed id or a given one, and makes it the newest."""
        commit = revision or commit_of(files)
        self.repos.setdefault((kind, name), {}).update({commit: files, MAIN: files})
        self.repos[kind, name][f"{MAIN} is"] = commit
        return commit


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "whoami-v2"]:
            return self._json({"name": "tester", "type": "user", "orgs": []})
        if parts[0] == "api":
            return self._about(*self._repo(parts[1:]))
        kind = "dataset" if parts[0] == "datasets" else "model"
        parts = parts[1:] if kind == "dataset" else parts
        if parts[2:3] == ["resolve"]:
            return self._file(kind, "/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        return self._missing("EntryNotFound")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[1:] == ["repos", "create"]:
            return self._create(json.loads(body))
        if parts[1:] == ["validate-yaml"]:
            return self._json({"errors": [], "warnings": []})
        kind, name, rest = self._repo(parts[1:])
        if rest[0] == "paths-info":
            return self._paths(kind, name, rest[1], body)
        if rest[0] == "preupload":
            files = json.loads(body)["files"]
            regular = {"uploadMode": "regular", "shouldIgnore": False}
            return self._json({"files": [{"path": file["path"], **regular} for file in files]})
        if rest[0] == "commit":
            return self._commit(kind, name, body)
        return self._missing("EntryNotFound")

    def _repo(self, parts):
        """(kind, name, remaining parts) of `datasets/OWNER/NAME/...`."""
        return parts[0].removesuffix("s"), "/".join(parts[1:3]), parts[3:]

    def _found(self, kind, name, revision):
        """(commit, files), or None if an error response has been sent instead."""
        revisions = self.server.repos.get((kind, name))
        if revisions is None:
            return self._missing("RepoNotFound")
        if name in self.server.refused:
            return self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        if revision not in revisions:
            return self._missing("RevisionNotFound")
        return revisions[f"{MAIN} is"] if revision == MAIN else revision, revisions[revision]

    def _about(self, kind, name, rest):
        what, revision = [*rest, "revision", MAIN][:2] if rest else ("revision", MAIN)
        if not (found := self._found(kind, name, revision)):
            return None
        commit, files = found
        if what == "tree":
            below = "/".join(rest[2:])
            everything = (
                "true" in parse_qs(urlsplit(self.path).query).get("recursive", [""])[0].lower()
            )
            return self._json(_entries(files, below, everything))
        siblings = [{"rfilename": path} for path in sorted(files)]
        return self._json(
            {
                **{"id": name, "sha": commit, "siblings": siblings, "tags": [], "private": False},
                "disabled": False,
                "gated": False,
                "downloads": 0,
                "likes": 0,
            }
        )

    def _paths(self, kind, name, revision, body):
        if not (found := self._found(kind, name, revision)):
            return None
        text = body.decode()
        is_json = "json" in self.headers.get("Content-Type", "")
        wanted = json.loads(text)["paths"] if is_json else parse_qs(text).get("paths", [])
        entries = _entries(found[1], "", True)
        return self._json([entry for entry in entries if entry["path"] in wanted])

    def _file(self, kind, name, revision, path):
        if not (found := self._found(kind, name, revision)):
            return None
        commit, files = found
        if path not in files:
            return self._missing("EntryNotFound")
        content = files[path]
        headers = {
            "ETag": f'"{hashlib.sha1(content).hexdigest()}"',
            "X-Repo-Commit": commit,
            "Accept-Ranges": "bytes",
        }
        start, status = 0, 200
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, status = int(first), 206
            stop = int(last) + 1 if last else len(content)
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(content)}"
            content = content[start:stop]
        if self.command == "GET":
            self.server.served[path, status] += 1
            if path in self.server.broken:
                self.server.broken.remove(path)
                return self._answer(status, content, headers, said=len(content) // 2)
        return self._answer(status, content, headers)

    def _create(self, asked):
        name = "/".join(filter(None, [asked.get("organization"), asked["name"]]))
        key = asked.get("type") or "model", name
        known = key in self.server.repos
        self.server.repos.setdefault(key, {MAIN: {}, f"{MAIN} is": commit_of({})})
        return self._json({"url": f"{self.server.url}/{name}", "name": name}, 409 if known else 200)

    def _commit(self, kind, name, body):
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        files = dict(self.server.repos[kind, name][MAIN])
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        commit = self.server.put(kind, name, files)
        url = f"{self.server.url}/{kind}s/{name}/commit/{commit}"
        return self._json({"success": True, "commitUrl": url, "commitOid": commit})

    def _missing(self, code):
        return self._answer(404, b"{}", {"X-Error-Code": code})

    def _json(self, value, status=200):
        content = json.dumps(value).encode()
        return self._answer(status, content, {"Content-Type": "application/json"})

    def _answer(self, status, content, headers, said=None):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:said])
        self.close_connection = said is not None
        return None


def _entries(files, below, everything):
    """Files and folders under a path, as the hub lists them."""
    prefix = f"{below}/" if below else ""
    inside = [path for path in sorted(files) if path.startswith(prefix)]
    folders = {
        "/".join(path.split("/")[: n + 1]) for path in inside for n in range(path.count("/"))
    }
    entries = [{"type": "directory", "path": f, "oid": "0" * 40, "size": 0} for f in folders]
    for path in inside:
        oid = hashlib.sha1(files[path]).hexdigest()
        entries.append({"type": "file", "path": path, "oid": oid, "size": len(files[path])})
    deep = len(prefix.split("/"))
    return [
        entry
        for entry in entries
        if entry["path"].startswith(prefix) and (everything or entry["path"].count("/") < deep)
    ]


@contextmanager
def serving():
    """Serves a hub while the block runs."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()

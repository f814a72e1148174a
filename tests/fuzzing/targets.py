"""What reads bytes from outside, and bytes that each of these can read."""

from __future__ import annotations

import json
import os
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests_mock

import reinfer_nb as rnb
from reinfer_nb.api import restore_files
from reinfer_nb.journal import Journal

Read = Callable[[bytes], object]
_NAME = "claims/motor-inbox"
ENDPOINT = "http://127.0.0.1:9"
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_REFERENCE = Path(__file__).parent.parent / "reference"


class Targets:
    """The targets by name; each reads bytes, and raises errors of the package only.

    Args:
        folder: For the files that they read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answer: tuple[int, bytes] = (200, b"")
        self._client = rnb.connect(endpoint=ENDPOINT, token="t" * 20)
        self.by_name: dict[str, Read] = {
            "listing": self._of_tenant(lambda: self._client.sources(refresh=True)),
            "source": self._of_tenant(lambda: self._client.source(_NAME)),
            "error": self._of_tenant(lambda: self._client.source(_NAME), 404),
            "statistics": self._of_tenant(
                lambda: self._client.count_comments("claims/motor-inbox")
            ),
            "comments": self._of_tenant(lambda: self._client.comments(_NAME)),
            "projects": self._of_tenant(lambda: self._client.projects(refresh=True)),
            "csv": self._of_file("listing.csv", rnb.read_csv),
            "plan": self._of_file("plan.json", lambda path: rnb.load_plan(path, self._client)),
            "journal": self._of_file("journal.jsonl", _read_journal),
            "archive": self._of_file("archive.jsonl", rnb.read_archive),
            "packed archive": self._of_file("archive.jsonl.gz", rnb.read_archive),
            "restore file": self._of_file("gone.json", restore_files.read),
            "contexts": self._of_file("reinfer/contexts.json", lambda _: rnb.contexts()),
        }

    def _of_tenant(self, call: Callable[[], object], status: int = 200) -> Read:
        def read(content: bytes) -> object:
            self._answer = status, content
            return call()

        return read

    def _of_file(self, name: str, call: Callable[[Path], object]) -> Read:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)

        def read(content: bytes) -> object:
            path.write_bytes(content)
            return call(path)

        return read

    def answer(self, _: Any, context: Any) -> bytes:
        """Answer a request, as `requests_mock` asks for it."""
        context.status_code, content = self._answer
        context.headers["Content-Type"] = "application/json"
        return content


def _read_journal(path: Path) -> object:
    with closing(Journal.opened(path)) as journal:
        return journal.lines()


@contextmanager
def targets() -> Iterator[dict[str, Read]]:
    """Yield the targets by name."""
    with (
        tempfile.TemporaryDirectory() as folder,
        requests_mock.Mocker() as mocked,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        os.environ["XDG_CONFIG_HOME"] = folder
        found = Targets(Path(folder))
        mocked.register_uri(requests_mock.ANY, requests_mock.ANY, content=found.answer)
        yield found.by_name


def only_errors_of_the_package(read: Read, content: bytes) -> None:
    """Read bytes; an error of the package is an answer, too."""
    message = ""
    try:
        read(content)
    except rnb.ReinferError as error:
        message = str(error)
    commands = [letter for letter in message if _commands(letter)]
    assert not commands, message.encode("unicode_escape")


def _commands(letter: str) -> bool:
    """Return whether a letter may command a terminal or turn the direction of a text."""
    kind = unicodedata.category(letter)
    return (kind in ("Cc", "Cs", "Zl", "Zp") and letter != "\n") or letter in _BIDI


def seeds(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield bytes that can be read, with the name of their target.

    Args:
        folder: For files.
    """
    yield "listing", (_REFERENCE / "get-all.json").read_bytes()
    yield "error", _body(message="404 Not Found").replace(b'"ok"', b'"error"')
    with rnb.sandbox() as client:
        df = client.sources("claims").head(4)
        sources = [client.source(source_id).to_wire() for source_id in df["id"]]
        yield "listing", _body(sources=sources)
        yield "source", _body(source=sources[0])
        yield "statistics", _body(statistics={"num_comments": 12, "label_counts": {}})
        comments = list(client.raw_comments(_NAME, limit=3))
        yield "comments", _body(comments=comments)
        yield "comments", _body(comments=comments[:1], continuation="next")
        projects = client.projects().drop(columns=["created_at", "updated_at"])
        yield "projects", _body(projects=projects.head(3).to_dict("records"))
        rnb.to_csv(df, folder / "seed.csv")
        yield "csv", (folder / "seed.csv").read_bytes()
        plan = client.plan(df.assign(title="Motor"))
        content = json.loads(plan.save(folder / "plan.json").read_text())
        yield "plan", json.dumps({**content, "endpoint": ENDPOINT}).encode()
        result = plan.apply(journal=folder / "journal.jsonl", progress=False)
        yield "journal", Path(result.journal or "").read_bytes()
        for name in ("archive.jsonl", "archive.jsonl.gz"):
            client.archive("claims/recovery-chat", folder / name, progress=False)
        lines = (folder / "archive.jsonl").read_bytes().splitlines(keepends=True)
        yield "archive", b"".join(lines[:3])
        yield "packed archive", (folder / "archive.jsonl.gz").read_bytes()
        client.delete_source("claims/motor-inbox-2", restore_file=folder / "gone.json")
        yield "restore file", (folder / "gone.json").read_bytes()
    context = {"name": "dev", "endpoint": "https://dev.example", "token": "t" * 20}
    yield "contexts", json.dumps({"current_context": "dev", "contexts": [context]}).encode()


def _body(**content: Any) -> bytes:
    return json.dumps({**content, "status": "ok"}).encode()

"""Uploads the comments of an archive in batches, with a journal to go on after a kill."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reinfer_nb import markup, user_folders
from reinfer_nb.api.contents.comment_calls import CommentCalls, Json
from reinfer_nb.comments import archive_file
from reinfer_nb.concurrency import Progress, side_by_side, told
from reinfer_nb.errors import FileProblem, InvalidInput, NotTakenWarning, ValidationFailed, warn
from reinfer_nb.journal import Journal
from reinfer_nb.schema.endpoints import MOST_OF_REQUEST
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, listed, shown, visible
from reinfer_nb.wording import spelled

_FORMAT = "reinfer_nb upload, version 1"
# What a tenant sets itself.
_OWN = ("uid", "created_at", "has_annotations")
# A request is smaller than most tenants allow.
_BYTES = 2 << 20
# So many batches are held at once for each worker.
_AHEAD = 4


class _Batch(NamedTuple):
    """Comments of one request, and their place in the archive."""

    number: int
    comments: list[Json]


@dataclass(kw_only=True)
class UploadResult:
    """What an upload did.

    Attributes:
        source: The full name of the source.
        new: How many comments the tenant made.
        updated: How many it changed.
        unchanged: How many were there already, also by an earlier call of this upload whose
            response was lost.
        refused: Why the tenant refused some comments, by their id.
    """

    source: str
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True if the tenant has taken every comment."""
        return not self.refused

    @property
    def frame(self) -> pd.DataFrame:
        """The refused comments: `id` and `reason` (`str`)."""
        rows = {"id": list(self.refused), "reason": list(self.refused.values())}
        return pd.DataFrame(rows, dtype="str")

    def facts(self) -> dict[str, str]:
        """Return the numbers, for people."""
        numbers = {"new": self.new, "updated": self.updated, "unchanged": self.unchanged}
        refused = {"refused": len(self.refused)} if self.refused else {}
        return {"source": self.source} | {
            name: f"{number:,}" for name, number in (numbers | refused).items()
        }

    def _repr_html_(self) -> str:
        rows = [
            (visible(comment_id, 80), visible(reason, 200))
            for comment_id, reason in self.refused.items()
        ]
        parts = [markup.facts(self.facts())]
        if rows:
            parts.append(markup.table(("Refused comment", "Why"), rows[:100]))
        return str(markup.join(parts))


@dataclass(frozen=True)
class Uploader:
    """Uploads archives to one source.

    Attributes:
        comments: The requests about its comments.
        source: The source.
        endpoint: The base URL of its tenant.
        workers: The number of requests at the same time.
        progress: As for `Client.upload`.
    """

    comments: CommentCalls
    source: Source
    endpoint: str
    workers: int
    progress: Progress

    def upload(self, path: Path, number: int, journal: Path | None) -> UploadResult:
        """Upload an archive; go on with an upload that was begun.

        Args:
            path: The archive.
            number: How many comments it holds.
            journal: The journal; by default one in the state folder of this user.

        Raises:
            FileProblem: The archive or the journal cannot be read or written.
            ReinferError: The tenant could not be reached, or failed.
        """
        with closing(self._journal(path, number, journal)) as opened:
            lines = opened.lines()[1:]
            opened.go_on()
            done = {line["batch"]: line for line in lines if "batch" in line}
            known = set(done)
            batches = (batch for batch in _batches(path) if batch.number not in known)
            begun = sum(line["size"] for line in done.values())
            with told(
                self.progress, total=number, done=begun, label="upload", unit="comment"
            ) as tell:
                while some := list(islice(batches, _AHEAD * self.workers)):
                    for line in self._sent(some, opened):
                        done[line["batch"]] = line
                        tell(line["size"])
            opened.write({"done": True})
        result = UploadResult(source=self.source.full_name)
        for batch_number in sorted(done):
            _add(result, done[batch_number])
        _warn(result, number)
        return result

    def _sent(self, batches: list[_Batch], journal: Journal) -> Iterator[Json]:
        """Send batches, and yield the line of the journal about each."""

        def send(at: int, stop: threading.Event) -> Json:
            number, comments = batches[at]
            line = {"batch": number, "size": len(comments), **self._answer(comments, stop)}
            # At once: what is not in the journal is sent again after a kill.
            journal.write(line)
            return line

        lines = side_by_side(
            send,
            range(len(batches)),
            workers=self.workers,
            label="upload",
            unit="batch",
            progress=False,
        )
        for _, line in lines:
            yield line

    def _answer(self, comments: list[Json], stop: threading.Event) -> dict[str, Any]:
        """Send comments; if the tenant refuses them, send each half of them."""
        try:
            answer: dict[str, Any] = self.comments.sync(self.source.full_name, stop, comments)
        except ValidationFailed as error:
            if len(comments) == 1:
                reason = error.server_message or str(error.status)
                return {"refused": {comments[0]["id"]: reason}}
        else:
            return {**answer, "refused": {}}
        middle = len(comments) // 2
        first, second = (
            self._answer(half, stop) for half in (comments[:middle], comments[middle:])
        )
        counts = {
            key: first.get(key, 0) + second.get(key, 0) for key in ("new", "updated", "unchanged")
        }
        return {**counts, "refused": first["refused"] | second["refused"]}

    def _journal(self, path: Path, number: int, place: Path | None) -> Journal:
        """Return the journal of this upload: of one that was begun, or a new one."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        head = {
            "format": _FORMAT,
            "endpoint": self.endpoint,
            "source": self.source.id,
            "archive": str(path),
            "digest": digest,
            "num_comments": number,
        }
        if place is None:
            option = spelled('journal="upload.jsonl"', "--journal upload.jsonl")
            folder = user_folders.state("the journal", option) / "uploads"
            key = hashlib.sha256(f"{self.endpoint} {self.source.id} {digest}".encode()).hexdigest()
            place = folder / f"{key[:32]}.jsonl"
        if not place.exists():
            return Journal.begun(place, head)
        journal = Journal.opened(place)
        lines = journal.lines()
        keys = ("format", "endpoint", "source", "digest")
        if not lines or any(lines[0].get(key) != head[key] for key in keys):
            journal.close()
            raise FileProblem(
                f"{visible(str(place), 200)} is not the journal of this upload. Choose another "
                "name."
            )
        if not any(line.get("done") for line in lines):
            return journal
        # The same archive once more, perhaps after its comments were deleted.
        journal.close()
        place.unlink()
        return Journal.begun(place, head)


def count_of(path: Path) -> int:
    """Return the number of comments in an archive, after checking all of it.

    Raises:
        FileProblem: It cannot be read, is cut, or has an id twice.
    """
    seen: set[int] = set()
    for comment in archive_file.comments_in(path):
        # The texts of a million ids would take more memory.
        key = hash(comment["id"])
        if key in seen:
            raise FileProblem(
                f"{visible(str(path), 200)} holds the comment {shown(comment['id'])} twice. Remove "
                "one of the two lines."
            )
        seen.add(key)
    return len(seen)


def check_confirmed(confirm: object, number: int, full_name: str) -> None:
    """Raise `InvalidInput` if the price of an upload is not confirmed.

    Args:
        confirm: What the user gave.
        number: How many comments would be uploaded.
        full_name: The source.
    """
    is_whole = isinstance(confirm, int | np.integer) and not isinstance(confirm, bool)
    if not is_whole or confirm != number:
        raise InvalidInput(
            f"{price(number, full_name)} To upload them, give "
            f"{spelled(f'confirm={number}', f'--confirm {number}')}."
        )


def price(number: int, full_name: str) -> str:
    """Return what an upload costs, as a sentence."""
    return (
        f"Uploading {counted(number, 'comment')} to {full_name} costs up to "
        f"{counted(number, 'AI unit')}: one for each comment that is new or whose text differs."
    )


def _batches(path: Path) -> Iterator[_Batch]:
    """Yield the comments of an archive in batches, always the same ones."""
    comments: list[Json] = []
    size = number = 0
    for comment in archive_file.comments_in(path):
        new = {name: value for name, value in comment.items() if name not in _OWN}
        length = len(json.dumps(new))
        if comments and (len(comments) == MOST_OF_REQUEST or size + length > _BYTES):
            yield _Batch(number, comments)
            comments, size, number = [], 0, number + 1
        comments.append(new)
        size += length
    if comments:
        yield _Batch(number, comments)


def _add(result: UploadResult, line: dict[str, Any]) -> None:
    result.new += line.get("new", 0)
    result.updated += line.get("updated", 0)
    result.unchanged += line.get("unchanged", 0)
    result.refused |= line.get("refused", {})


def _warn(result: UploadResult, number: int) -> None:
    if result.refused:
        reasons = listed(f"{shown(key)} ({reason})" for key, reason in result.refused.items())
        warn(
            f"The tenant refused {len(result.refused):,} of {counted(number, 'comment')}: "
            f"{reasons}",
            NotTakenWarning,
        )

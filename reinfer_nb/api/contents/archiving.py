"""Archives the comments of a source: several ranges of time at once, resumable, verified."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from reinfer_nb.api.contents import newest
from reinfer_nb.api.contents.comment_calls import CommentCalls, Span
from reinfer_nb.api.contents.last_copy import NotArchived
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.comments import archive_file
from reinfer_nb.comments.archive_file import Archive
from reinfer_nb.comments.archive_parts import Parts
from reinfer_nb.concurrency import Progress, in_order, side_by_side, told
from reinfer_nb.errors import FileProblem, reason_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment
from reinfer_nb.text import visible
from reinfer_nb.wording import spelled

_FORMAT = "reinfer_nb archive in parts, version 1"
# So many comments are read one page after the other; more are split into ranges.
_FEW, _MOST_RANGES = 1_024, 64
# Comments are written once so many bytes are read.
_BYTES = 1 << 20
_ROUNDS = 3
_MICROSECOND, _SECOND = timedelta(microseconds=1), timedelta(seconds=1)


class _Counted(NamedTuple):
    """A range of time, and how many comments it has."""

    first: datetime
    last: datetime
    num_comments: int


@dataclass(frozen=True)
class Archiver:
    """Archives the comments of one source.

    Attributes:
        calls: The requests about one source.
        comments: The requests about its comments.
        source: The source.
        endpoint: The base URL of its tenant.
        workers: The number of requests at the same time.
        progress: As for `Client.archive`.
    """

    calls: SourceCalls
    comments: CommentCalls
    source: Source
    endpoint: str
    workers: int
    progress: Progress

    def archive(self, path: Path, span: Span, *, overwrite: bool, resume: bool = True) -> Archive:
        """Write the comments in a range of time to a file; resume an archive that was begun.

        Args:
            path: The file, as `archive_file.checked_path` returns it.
            span: The range of time.
            overwrite: Whether an existing archive may be replaced.
            resume: Whether to go on with an archive that was begun.

        Raises:
            FileProblem: The file exists, or could not be written.
            NotArchived: The tenant's count differs from what it returned, again and again.
            ReinferError: The tenant could not be reached, or failed.
        """
        folder = path.with_name(f"{path.name}.partial")
        if resume and (written := self._written_before(path, folder)) is not None:
            return written
        _check_new(path, folder, overwrite=overwrite, resume=resume)
        is_compressed = path.name.endswith(".gz")
        if not resume:
            self._forget(folder, span, is_compressed=is_compressed)
        with closing(self._parts(folder, span, is_compressed=is_compressed)) as parts:
            begun = Span(*map(_read_moment, parts.head["span"]))
            self._fill(parts)
            self._verify(parts, begun)
            archive = Archive(
                path=path,
                source=self.source,
                endpoint=self.endpoint,
                num_comments=parts.count,
                since=begun.first,
                until=begun.last,
                is_whole=span == Span(),
                written_at=archive_file.now(),
            )
            archive_file.write_side(archive, overwrite=True)
            parts.put_together(path, overwrite=overwrite)
            parts.remove()
        return archive

    def _written_before(self, path: Path, folder: Path) -> Archive | None:
        """Return an archive that was complete when its call was killed; None for another."""
        if not (folder.is_dir() and path.is_file()):
            return None
        archive = archive_file.described(path)
        parts = Parts.resumed(folder, is_compressed=path.name.endswith(".gz"))
        if archive is None or parts is None:
            return None
        with closing(parts):
            expected = (self.source.id, parts.count, parts.size)
            found = (archive.source.id, archive.num_comments, path.stat().st_size)
            if parts.left() or not parts.size or found != expected:
                return None
            parts.remove()
        return archive

    def _forget(self, folder: Path, span: Span, *, is_compressed: bool) -> None:
        """Remove the parts of an archive of this source that was begun."""
        parts = Parts.resumed(folder, is_compressed=is_compressed)
        if parts is not None:
            parts.close()
            self._check_same(parts, folder, self._asked(span))
            parts.remove()

    def _asked(self, span: Span) -> dict[str, Any]:
        """Return what the journal of the parts must tell."""
        return {
            "format": _FORMAT,
            "endpoint": self.endpoint,
            "source": self.source.id,
            "asked": [_written(bound) for bound in span],
        }

    def _check_same(self, parts: Parts, folder: Path, asked: dict[str, Any]) -> None:
        if any(parts.head.get(name) != value for name, value in asked.items()):
            parts.close()
            raise FileProblem(
                f"{visible(str(folder), 200)} is of an archive that was begun of another source or "
                "range of time. Choose another name for this one, or remove that folder."
            )

    def _parts(self, folder: Path, span: Span, *, is_compressed: bool) -> Parts:
        """Return the parts of an archive that was begun, or of a new one."""
        asked = self._asked(span)
        parts = Parts.resumed(folder, is_compressed=is_compressed)
        if parts is None:
            bounded, ranges = self._planned(span)
            spans = [[_written(bound) for bound in one] for one in ranges]
            head = {**asked, "span": [_written(bound) for bound in bounded], "ranges": spans}
            return Parts.begun(folder, head, is_compressed=is_compressed)
        self._check_same(parts, folder, asked)
        return parts

    def _count(self, span: Span, stop: threading.Event | None = None) -> int:
        return self.calls.count_comments(self.source.full_name, stop, *span)

    def _planned(self, span: Span) -> tuple[Span, list[Span]]:
        """Return the range of time that is archived, and its parts; each has some comments."""
        total = self._count(span)
        if span.last is None:
            # What arrives from now on is not in the archive.
            stop = threading.Event()
            at = newest.newest_at(self.calls, self.comments, self.source.full_name, stop).at
            span = Span(span.first, at)
        if not total:
            return span, []
        if total <= _FEW or span.last is None:
            return span, [span]
        name, stop = self.source.full_name, threading.Event()
        first = newest.oldest_at(self.comments, name, stop, span) or span.last
        small = max(_FEW, -(-total // _MOST_RANGES))
        split, done = [_Counted(first, span.last, total)], list[_Counted]()
        while split:
            halves = in_order(self._halves, split, workers=self.workers, label="archive")
            split = []
            for half in (half for pair in halves for half in pair if half.num_comments):
                is_small = half.num_comments <= small or half.last - half.first <= _SECOND
                (done if is_small else split).append(half)
        ends = sorted(half.last for half in done)[:-1]
        # Ranges without comments belong to the next one: a comment may arrive there.
        begins = [span.first, *(end + _MICROSECOND for end in ends)]
        return span, [Span(*both) for both in zip(begins, [*ends, span.last], strict=True)]

    def _halves(self, whole: _Counted) -> tuple[_Counted, _Counted]:
        first, last = whole.first, whole.last
        middle = first + (last - first) / 2
        count = self._count(Span(first, middle))
        right = max(whole.num_comments - count, 0)
        return _Counted(first, middle, count), _Counted(middle + _MICROSECOND, last, right)

    def _fill(self, parts: Parts) -> None:
        """Read the comments of all ranges that are not complete."""
        spans = _spans(parts)
        total = self._count(Span(*map(_read_moment, parts.head["span"])))
        with told(
            self.progress, total=total, done=parts.count, label="archive", unit="comment"
        ) as tell:

            def read(number: int, stop: threading.Event) -> None:
                self._read(parts, number, spans[number], stop, tell)

            for _ in side_by_side(
                read,
                parts.left(),
                workers=self.workers,
                label="archive",
                unit="range",
                progress=False,
            ):
                pass

    def _read(
        self,
        parts: Parts,
        number: int,
        span: Span,
        stop: threading.Event,
        tell: Callable[[int], object],
    ) -> None:
        lines: list[bytes] = []
        size = 0
        pages = self.comments.pages(
            self.source.full_name,
            stop,
            span,
            after=parts.progress(number).after,
            with_markup=True,
        )
        for page in pages:
            if stop.is_set():
                return
            new = [archive_file.line_of(comment) for comment in page.comments]
            lines += new
            size += sum(map(len, new))
            if size >= _BYTES or page.continuation is None:
                parts.add(number, b"".join(lines), len(lines), page.continuation)
                tell(len(lines))
                lines, size = [], 0

    def _verify(self, parts: Parts, span: Span) -> None:
        """Compare what was read with the tenant's count, and read again what differs."""
        for _ in range(_ROUNDS):
            counted = self._count(span)
            if counted == parts.count == parts.num_ids():
                return
            if counted == parts.count:
                # One comment came twice, so that another one may be missing.
                for number in range(len(_spans(parts))):
                    parts.restart(number)
            spans = _spans(parts)
            counts = in_order(self._count, spans, workers=self.workers, label="archive")
            for number, count in enumerate(counts):
                if count != parts.progress(number).count:
                    parts.restart(number)
            if not spans:
                break
            self._fill(parts)
        again = spelled("Call archive again", "Run the command again")
        raise NotArchived(
            f"{self.source.full_name} has {counted:,} comments in that range by the tenant's "
            f"count, but its pages hold {parts.num_ids():,}. Perhaps comments are being written "
            f"just now. {again} later: it goes on with what has changed."
        )


def _check_new(path: Path, folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Raise `FileProblem` if an archive cannot be written there."""
    side = archive_file.side_path(path)
    # A side file beside the parts of an archive is of a call that was killed.
    for existing in () if overwrite else (path, side):
        if existing.exists() and not (existing == side and folder.is_dir()):
            # Before a delete there is no choice: nothing that was archived is replaced.
            option = f", or give {spelled('overwrite=True', '--overwrite')}" if resume else ""
            raise FileProblem(f"{existing} exists. Choose another name{option}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileProblem(
            f"The folder of {visible(str(path), 200)} cannot be created: {reason_of(error)}."
        ) from None


def _spans(parts: Parts) -> list[Span]:
    return [Span(*map(_read_moment, bounds)) for bounds in parts.head["ranges"]]


def _written(bound: Any) -> str | None:
    return None if bound is None else Moment.write(bound)


def _read_moment(text: str | None) -> Any:
    return None if text is None else Moment.read(text)

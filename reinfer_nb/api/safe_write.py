"""Updates and deletes that stop if the source has changed since the caller last saw it.

The API has no conditional write, so each write follows a fresh look at the source. Somebody else
can still write in the time of one request in between. A write that had to wait, or is retried,
looks again first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from reinfer_nb.api import restore_files
from reinfer_nb.api.conflicts import Moved
from reinfer_nb.api.contents import last_copy
from reinfer_nb.api.source_calls import SourceCalls
from reinfer_nb.api.write_result import Written
from reinfer_nb.comments.archive_file import Archive
from reinfer_nb.errors import NotFound, ReinferError
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.source_diff import has_moved, is_as_meant, what_moved

# Added to a conflict if an attempt without a response may have been carried out before it.
UNSURE = "What you set may have been written before that."
# Seconds for which a look counts. A slow response needs another look, up to so many: where every
# response is slow, no look is better than the last one.
_FRESH = 1.0
_LOOKS = 3


def _do_nothing(_: Source) -> None:
    pass


def look(
    calls: SourceCalls, base: Source, before: Callable[[Source], object] = _do_nothing
) -> Source:
    """Return the source as it is now, if it equals `base`.

    A slow response may be outdated when it arrives. The source is looked at again then.

    Args:
        calls: The requests to the tenant.
        base: The source as the caller last saw it.
        before: Called with the source after each look. Its time counts as part of the look.

    Raises:
        Moved: The source has changed; `theirs` holds its current version.
        NotFound: The source does not exist any more.
    """
    for _ in range(_LOOKS):
        now, sent = calls.look(base.full_name)
        if has_moved(base, now):
            raise _moved(base, now, "Nothing was written.")
        before(now)
        if sent.age() <= _FRESH:
            break
    return now


def _moved(base: Source, now: Source, written: str) -> Moved:
    message = f"{base.full_name} {what_moved(base, now)} since you began. {written}"
    return Moved(message, base, now)


def update(
    calls: SourceCalls,
    base: Source,
    settings: Mapping[str, Any],
    *,
    before: Callable[[Source], object] = _do_nothing,
) -> Written:
    """Update a source unless it has changed since `base`, and return its new version.

    The source is looked at just before the update, and again if the update had to wait or is
    retried. If an attempt without a response turns out to have been carried out, nothing more is
    sent.

    Args:
        calls: The requests to the tenant.
        base: The source as the caller last saw it.
        settings: As for `Client.update_source`.
        before: Called with the source just before the update; an exception prevents the update.

    Raises:
        Moved: The source has changed. Nothing was written, or it was written to another source of
            the same name.
        ReinferError: As for `Client.update_source`.
    """
    body = validation.settings("update", settings)
    looks, writes = _look_and_write(calls)

    def look_again(in_doubt: bool) -> None:  # noqa: FBT001 - a hook of the transport
        try:
            look(looks, base)
        except Moved as moved:
            if not in_doubt:
                raise
            if is_as_meant(moved.theirs, base, settings):
                raise _CarriedOut(moved.theirs) from None
            raise _moved(base, moved.theirs, UNSURE) from None

    try:
        look(looks, base, before)
        written = writes.with_hooks(look=look_again).update(base.full_name, body)
    except _CarriedOut as earlier:
        return Written(earlier.source)
    if written.source.id != base.id:
        moved = _moved(base, written.source, "What you set was written to that one.")
        moved.in_doubt = True
        raise moved
    return written


def update_completely(calls: SourceCalls, base: Source, settings: Mapping[str, Any]) -> Written:
    """Update a source as `update` does, and return all its fields.

    If the response lacks a field that `base` has, the source is looked at again. If that fails,
    the field keeps the value of `base`.
    """
    written = update(calls, base, settings)
    lacking = {
        name: value
        for name in (field.name for field in fields_of(Source) if field.name not in settings)
        if (value := getattr(base, name)) is not None and getattr(written.source, name) is None
    }
    if not lacking:
        return written
    with contextlib.suppress(ReinferError):
        now, _ = calls.look(base.full_name)
        if now.id == base.id:
            return replace(written, source=now)
    return replace(written, source=replace(written.source, **lacking))


def delete(
    calls: SourceCalls,
    base: Source,
    restore_file: str | os.PathLike[str] | None = None,
    *,
    archive: Archive | None = None,
    before: Callable[[Source], object] = _do_nothing,
) -> tuple[Source, str]:
    """Delete a source unless it has changed since `base`, and return its last version.

    The source is looked at as for `update`.

    Args:
        calls: The requests to the tenant.
        base: The source as it was when the caller decided to delete it.
        restore_file: A new file for its settings, written before the delete.
        archive: The archive of its comments; the source is kept if it has others by now.
        before: Called with the source just before the delete; an exception prevents the delete.

    Returns:
        The source, and a remark if nobody could verify that the source was deleted; else ''.

    Raises:
        Moved: The source has changed; nothing was deleted.
        NotFound: The source does not exist any more, or the token may not see it any more.
        NotArchived: The archive does not hold all of its comments; nothing was deleted.
        NotCarriedOut: The tenant accepted the delete, and the source still exists.
        ReinferError: As for `Client.delete_source`.
    """
    calls.check_id(base)
    looks, writes = _look_and_write(calls)
    files = [] if restore_file is None else [restore_file]

    def prepare(now: Source) -> None:
        if archive is not None:
            last_copy.check(calls, archive)
        if files:
            restore_files.write(now, calls.endpoint, files.pop(), archive)
        before(now)

    now = base

    def look_again(in_doubt: bool) -> None:  # noqa: FBT001 - a hook of the transport
        try:
            look(looks, base)
        except NotFound:
            if in_doubt and calls.is_gone(base):
                raise _CarriedOut(now) from None
            raise
        except Moved as moved:
            # The source was deleted, and another one has its name already.
            if in_doubt and moved.theirs.id != base.id:
                raise _CarriedOut(now) from None
            raise

    try:
        now = look(looks, base, prepare)
        is_gone = writes.with_hooks(look=look_again).delete(now)
    except _CarriedOut:
        return now, ""
    return now, "" if is_gone else calls.check_deleted(now)


def _look_and_write(calls: SourceCalls) -> tuple[SourceCalls, SourceCalls]:
    """Return the requests to look with, and those to write with right after a look."""
    return calls.with_hooks(turns=2), calls.with_hooks(turns=0)


class _CarriedOut(Exception):
    """An attempt without a response was carried out; holds the source as it is since."""

    def __init__(self, source: Source) -> None:
        self.source = source

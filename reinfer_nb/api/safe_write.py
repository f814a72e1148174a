"""Changes that know what they overwrite: they stop where the source has moved meanwhile.

The API has no conditional write. Between looking and writing lies the time of one request, in
which somebody else can still come first; it is kept that short, and no more is claimed. What had
to wait, or is tried again, looks again first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reinfer_nb.api import restore_files
from reinfer_nb.api.client import ApiClient
from reinfer_nb.api.conflicts import Moved
from reinfer_nb.api.retry_hooks import looking_again
from reinfer_nb.api.write_result import Written
from reinfer_nb.errors import NotFound
from reinfer_nb.schema import validation
from reinfer_nb.schema.fields import Field, fields_of
from reinfer_nb.schema.records import Source

# Of an attempt of which no answer came, where somebody else has changed the source since.
UNSURE = "What you set may have been written before that."
_FIELDS = {field.name: field for field in fields_of(Source)}
# Seconds for which a look counts. After a longer one there is another look, up to so many: where
# every response is slow, no look is better than the last one.
_FRESH = 1.0
_LOOKS = 3
Side = Literal["mine", "theirs", "both"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not the same everywhere.

    Attributes:
        field: Which.
        was: Its value in what the change was made from.
        mine: What it is to become.
        theirs: What somebody else has made of it.
    """

    field: Field
    was: Any
    mine: Any
    theirs: Any

    @property
    def side(self) -> Side:
        """Who changed it; "both" only where what they made of it is not the same."""
        same = self.field.same
        if same(self.mine, self.was):
            return "theirs"
        return "mine" if same(self.theirs, self.was) or same(self.theirs, self.mine) else "both"


def settings_of(source: Source) -> dict[str, Any]:
    """Return what can be written of a source, by field name."""
    return {f.name: getattr(source, f.name) for f in fields_of(Source) if f.may("update")}


def differences(base: Source, mine: Mapping[str, Any], theirs: Source) -> list[Difference]:
    """Return the settings that I, they, or both have changed.

    Args:
        base: The source as both began with it.
        mine: My settings by field name; what is left out is as in `base`.
        theirs: The source as it is now.
    """
    found = []
    for field in fields_of(Source):
        was, now = getattr(base, field.name), getattr(theirs, field.name)
        if field.may("update"):
            difference = Difference(field, was, mine.get(field.name, was), now)
            if not (field.same(difference.mine, was) and field.same(was, now)):
                found.append(difference)
    return found


def has_moved(base: Source, now: Source) -> bool:
    """Whether a source is another than it was, for all that a change could overwrite.

    Where both tell when it was updated, what the base does not tell is no difference: listings
    show less of a source than its own page does.
    """
    if base.id != now.id or base.updated_at != now.updated_at:
        return True
    was = settings_of(base)
    if base.updated_at is not None:
        was = _told(was)
    return not has_all(now, was)


def is_as_meant(now: Source, base: Source, settings: Mapping[str, Any]) -> bool:
    """Whether a source is what settings make of what it was, and nothing that is known differs."""
    return now.id == base.id and has_all(now, {**_told(settings_of(base)), **settings})


def has_all(now: Source, settings: Mapping[str, Any]) -> bool:
    """Whether a source has settings, by field name."""
    return all(_FIELDS[name].same(getattr(now, name), value) for name, value in settings.items())


def _told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that are there: listings show less of a source than it has."""
    return {name: value for name, value in settings.items() if value not in (None, ())}


def what_moved(base: Source, now: Source) -> str:
    """Return what has become of a source, as a message says it."""
    if base.id != now.id:
        return f"was deleted, and another one, {now.id}, has its name"
    when = now.updated_at
    return "was changed" + (f" at {when:%Y-%m-%d %H:%M:%S} UTC" if when else "")


def looked_at(client: ApiClient, base: Source) -> Source:
    """Return the source as it is now, if it is still what it was.

    A response that took long shows what was, and not what is: there is another look then.

    Raises:
        Moved: It is not; `theirs` holds what it is now.
        NotFound: It is gone.
    """
    return _looked_at(client, base, lambda _: None)


def _looked_at(client: ApiClient, base: Source, then: Callable[[Source], object]) -> Source:
    """Look at a source, do what is to be done before it is written, and return it as it is.

    Args:
        client: The tenant.
        base: The source as the change was made from it.
        then: Called with the source after each look; the time that it takes counts too.
    """
    for _ in range(_LOOKS):
        now, sent_at = client.calls.look(base.full_name)
        if has_moved(base, now):
            raise _moved(base, now, "Nothing was written.")
        then(now)
        if time.monotonic() - sent_at <= _FRESH:
            break
    return now


def _moved(base: Source, now: Source, written: str) -> Moved:
    message = f"{base.full_name} {what_moved(base, now)} since you began. {written}"
    return Moved(message, base, now)


def update(
    client: ApiClient,
    base: Source,
    settings: Mapping[str, Any],
    *,
    before: Callable[[Source], object] = lambda _: None,
) -> Written:
    """Update a source unless it has moved since `base`, and return it as it is then.

    The last thing before the update is a look at the source. There is another look whenever the
    update had to wait or is tried again; where an attempt without a response was carried out,
    nothing more is sent.

    Args:
        client: The tenant.
        base: The source as the change was made from it.
        settings: As for `Client.update_source`.
        before: Called with the source just before it is written to; what it raises keeps it so.

    Raises:
        Moved: It has; nothing was written, or what was written may have gone to another source.
        ReinferError: What `Client.update_source` raises.
    """
    body = validation.settings("update", settings)

    def look(in_doubt: bool) -> None:  # noqa: FBT001 - as the transport calls it
        try:
            looked_at(client, base)
        except Moved as moved:
            if not in_doubt:
                raise
            if is_as_meant(moved.theirs, base, settings):
                raise _DoneAlready(moved.theirs) from None
            raise _moved(base, moved.theirs, UNSURE) from None

    try:
        with looking_again(look):
            _looked_at(client, base, before)
            written = client.calls.update(base.full_name, body)
    except _DoneAlready as done:
        return Written(done.source)
    if written.source.id != base.id:
        moved = _moved(base, written.source, "What you set was written to that one.")
        moved.in_doubt = True
        raise moved
    return written


def delete(
    client: ApiClient,
    base: Source,
    restore_file: str | os.PathLike[str] | None = None,
    *,
    before: Callable[[Source], object] = lambda _: None,
) -> tuple[Source, str]:
    """Delete a source unless it has moved since `base`, and return it as it last was.

    What is deleted is what the last look compared. There is another look as for `update`.

    Args:
        client: The tenant.
        base: The source as it was when the delete was decided.
        restore_file: A new file for its settings, written before anything is deleted.
        before: Called with the source just before it is deleted; what it raises keeps it.

    Returns:
        The source, and what a person has to know: that nobody could look whether it is gone; ''
        if there is nothing.

    Raises:
        Moved: It has; nothing was deleted.
        NotFound: It is gone, or the token may not see it any more.
        NotCarriedOut: The tenant accepted the delete, and the source is still there.
        ReinferError: What `Client.delete_source` raises.
    """
    client.calls.check_id(base)
    files = [] if restore_file is None else [restore_file]

    def prepare(now: Source) -> None:
        if files:
            restore_files.keep(now, client.endpoint, files.pop())
        before(now)

    now = base

    def look(in_doubt: bool) -> None:  # noqa: FBT001 - as the transport calls it
        try:
            looked_at(client, base)
        except NotFound:
            if in_doubt and client.calls.is_gone(base):
                raise _DoneAlready(now) from None
            raise
        except Moved as moved:
            # It is gone, and another one has its name already.
            if in_doubt and moved.theirs.id != base.id:
                raise _DoneAlready(now) from None
            raise

    try:
        with looking_again(look):
            now = _looked_at(client, base, prepare)
            is_gone = client.calls.delete(now)
    except _DoneAlready:
        return now, ""
    return now, "" if is_gone else client.calls.check_deleted(now)


class _DoneAlready(Exception):
    """An attempt without a response was carried out; holds the source as it is since."""

    def __init__(self, source: Source) -> None:
        self.source = source

"""Whether a listing is of the tenant that a history is of."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

import pyarrow as pa

from reinfer_nb.diff.matching import places_by_id, places_by_name
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import text_column
from reinfer_nb.snapshots.snapshot_store import Folder
from reinfer_nb.snapshots.snapshot_table import Metadata
from reinfer_nb.text import visible
from reinfer_nb.wording import spelled

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _hint() -> str:
    option = spelled("pass another_tenant=True", "give --another-tenant")
    return f"Use another folder for another tenant, or {option}."


def tenant(endpoint: str | None) -> str | None:
    """Return the tenant of an endpoint: "loopback" for all practice tenants, whose ports differ."""
    try:
        host = urlsplit(endpoint).hostname if endpoint else None
    except ValueError:  # An invalid URL equals only itself.
        return endpoint
    return "loopback" if host in _LOOPBACK else endpoint


def check_tenant(
    folder: Folder,
    newest_first: Iterable[tuple[str, Metadata]],
    endpoint: str | None,
    listing: pa.Table,
) -> None:
    """Raise `InvalidInput` if a listing is of another tenant than the snapshots of a history.

    Args:
        folder: The files of the history.
        newest_first: Its snapshots, read only as far as needed.
        endpoint: The tenant of the listing; None if unknown.
        listing: The rows of the listing.
    """
    has_other_ids: bool | None = None
    for name, metadata in newest_first:
        file = metadata.unchanged_since or name
        has_rows = bool(metadata.sources and len(listing))
        if metadata.endpoint is None or endpoint is None:
            # A listing from a CSV file does not name its tenant. Compare the ids with those of the
            # last snapshot that shares sources with the listing.
            if has_other_ids is None and has_rows:
                snapshot = folder.tables([file], ["id", "owner", "name"])
                has_other_ids = _has_other_ids(snapshot, listing)
            if has_other_ids:
                raise InvalidInput(
                    f"{folder.where} has sources of the same names under other ids: this listing "
                    f"may be of another tenant. {_hint()}"
                )
            if has_other_ids is False and endpoint is None:
                return
            continue
        is_same = tenant(metadata.endpoint) == tenant(endpoint)
        if is_same and metadata.endpoint != endpoint and has_rows:
            # Two practice tenants on different ports: they are the same if they share an id.
            snapshot = folder.tables([file], ["id", "owner", "name"])
            is_same = _has_other_ids(snapshot, listing) is False
        if not is_same:
            raise InvalidInput(
                f"This history is of {visible(metadata.endpoint, 200)}, and the listing of "
                f"{visible(endpoint, 200)}. {_hint()}"
            )
        return


def _has_other_ids(before: pa.Table, after: pa.Table) -> bool | None:
    """True if two listings share full names but no id, which means different tenants.

    None if they share neither an id nor the full name of sources with an id.
    """
    frames = [table.select(["id", "owner", "name"]).to_pandas() for table in (before, after)]
    if (places_by_id(*frames) >= 0).any():
        return False
    # A row without an id does not show of which tenant it is.
    with_ids = [df[text_column(df, "id").notna()] for df in frames]
    return True if (places_by_name(*with_ids) >= 0).any() else None

"""The line above the table: who looks at which tenant, since when, and what may be changed."""

from __future__ import annotations

import contextlib

import ipywidgets as ui
import pandas as pd

from reinfer_nb import markup
from reinfer_nb.client import Client
from reinfer_nb.errors import ReinferError
from reinfer_nb.schema import provenance
from reinfer_nb.schema.records import User
from reinfer_nb.text import visible
from reinfer_nb.widgets.explorer.rights import READS_ONLY, Rights


class Head(ui.HTML):
    """The line above the table.

    Args:
        client: The tenant; None for a listing that can only be read.

    Attributes:
        rights: What the token may change.
        reads_only: True if it may change none of the listed sources.
    """

    def __init__(self, client: Client | None) -> None:
        self._client = client
        self.reads_only = False
        self.learn()
        super().__init__()

    def __repr__(self) -> str:
        return "Head of the explorer"

    def learn(self) -> None:
        """Ask what the token's user may change."""
        user: User | None = None
        if self._client is not None:
            with contextlib.suppress(ReinferError):
                user = self._client.me()
        self._user = "Unknown user" if user is None else visible(user.email or user.username)
        self.rights = Rights(user, frame=self._client is None)

    def show(self, listing: pd.DataFrame) -> None:
        """Show the line for a listing."""
        when = provenance.fetched_at(listing)
        listed_at = f", listed on {when:%Y-%m-%d} at {when:%H:%M:%S} UTC" if when else ""
        if self._client is None:
            text = ["A listing that can only be read", listed_at]
        else:
            text = [self._user, " on ", markup.tag("strong", self._client.endpoint), listed_at]
        parts = [markup.block(text, style="overflow-wrap:anywhere")]
        owners = listing["owner"].dropna().unique().tolist() if "owner" in listing else []
        self.reads_only = self.rights.reads_only(owners)
        if self.reads_only:
            parts.append(
                markup.muted(
                    f"{READS_ONLY} New, Duplicate, Edit, Delete, Bulk edit and suggestions are off."
                )
            )
        self.value = markup.join(parts)

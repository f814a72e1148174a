"""The explorer: one widget to find a source among many, understand it and change it safely."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import ipywidgets as ui
import pandas as pd
import traitlets

from reinfer_nb import arguments, errors, markup
from reinfer_nb.api import comment_counts
from reinfer_nb.api.client import DEFAULT_TTL
from reinfer_nb.client import Client
from reinfer_nb.csvfile.io import to_csv
from reinfer_nb.frames import convert, elements
from reinfer_nb.frames.cells import full_names
from reinfer_nb.schema import provenance
from reinfer_nb.schema.records import Source, User
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.closing import can_close, close_all_in, dropping
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.audit_tab import AuditPane
from reinfer_nb.widgets.explorer.bulk_edit_tab import BulkPane
from reinfer_nb.widgets.explorer.chart_tab import ChartPane
from reinfer_nb.widgets.explorer.compare_tab import ComparePane
from reinfer_nb.widgets.explorer.download_link import Saved, new_file
from reinfer_nb.widgets.explorer.source_details import Details
from reinfer_nb.widgets.explorer.source_table import Finder
from reinfer_nb.widgets.forms.base_form import WRAP, words_of
from reinfer_nb.widgets.forms.creation_form import CreateForm
from reinfer_nb.widgets.hosts import OnHosts
from reinfer_nb.widgets.jobs import Job, Jobs
from reinfer_nb.widgets.key_guard import Keys

COMMENTS = "num_comments"
# After an update, an older listing is fetched again.
_RECENT = timedelta(seconds=DEFAULT_TTL)
_TABS = ("Source", "Audit", "Compare", "Charts", "Bulk edit")
_Result = TypeVar("_Result")


class Explorer(OnHosts, ui.VBox):
    """A widget to look through and change a tenant's sources; `explore` returns one.

    Attributes:
        client: The tenant.
        source: The current source, or None; can be observed.
        finder: The search, the facets and the table.
        audit: The tab with findings.
        compare: The tab that compares with a file or a snapshot.
        charts: The tab with charts of the filtered sources.
        bulk: The tab that sets a field of all selected sources.
    """

    source = traitlets.Instance(Source, allow_none=True)
    instead = "client.sources(), rnb.audit(df), client.plan(edited)"

    def __init__(self, client: Client) -> None:
        self.client = client
        self._listing = client.sources()
        self._counts: dict[str, int] = {}
        self._user = _user_name(client)
        self._head = ui.HTML()
        self._said = ui.HTML(layout=ui.Layout(min_height="1.5em"))
        self._files = ui.VBox()
        self.finder = Finder(self._listing)
        self.details = Details(client, self._after_update, self._after_writing)
        self.audit = AuditPane(self.finder, lambda: self._listing)
        self.compare = ComparePane(self.finder, lambda: self._listing)
        self.charts = ChartPane(lambda: self.frame)
        self.bulk = BulkPane(client, self.finder, lambda: self._listing, self._after_writing)
        panes = [self.details, self.audit, self.compare, self.charts, self.bulk]
        self.tabs = ui.Tab(children=panes, titles=_TABS, layout=ui.Layout(min_width="0"))
        self.jobs = Jobs(lambda _: self._refresh_buttons(), self._show_progress)
        self._doing = ""
        self._outdated = self._closed = False
        self._creating: CreateForm | None = None
        self._new_pane = ui.VBox(layout=ui.Layout(min_width="0"))
        self.new = button_for("New source", self._on_new)
        self.export = button_for("Export CSV", self._on_export)
        self.statistics = button_for("Count comments", self._on_statistics)
        self.reload = button_for("Refresh", self._on_reload)
        self.stop = button_for("Stop", self.jobs.stop)
        self._buttons = [self.new, self.export, self.statistics, self.reload]
        super().__init__(
            [
                self._head,
                self.finder,
                ui.HBox([*self._buttons, self.stop], layout=WRAP),
                self._said,
                self._files,
                self._new_pane,
                self.tabs,
                Keys(),
            ],
            layout=ui.Layout(min_width="0", overflow="hidden", padding="4px"),
        )
        self.add_class("rnb-explorer")
        self.finder.observe(lambda _: self._look(), "current")
        self.finder.observe(lambda _: self._show_analysis(), "shown")
        self.tabs.observe(lambda _: self._show_analysis(), "selected_index")
        self._show_head()
        self._refresh_buttons()

    def __repr__(self) -> str:
        # A saved notebook shows this text: it must not contain data of the tenant.
        shown, total = len(self.finder.frame), counted(len(self._listing), "source")
        return f"Explorer of {self.client.endpoint}: {shown:,} of {total}; {self._advice()}"

    def close(self) -> None:
        """Close the explorer and every widget in it, and release the listing.

        Counting, listing and exporting stop; writes of a form or a bulk edit continue.
        """
        if not can_close(self):
            return
        self._closed = True
        self.jobs.stop()
        close_all_in(self)
        for pane in (self.audit, self.compare, self.charts):
            pane.forget()
        self._listing = self._listing.iloc[:0].copy()
        self._counts.clear()
        self.finder.show(self._listing)

    # From Python

    @property
    def frame(self) -> pd.DataFrame:
        """The filtered sources in the order shown, with `num_comments` after counting."""
        return self.finder.frame

    @property
    def selected(self) -> pd.DataFrame:
        """The selected sources, in the order of the listing."""
        return self._listing.iloc[list(self.finder.selected)]

    @property
    def search(self) -> str:
        """The search: words, phrases and fields, such as "motor language:de"; can be set."""
        return self.finder.search

    @search.setter
    def search(self, text: str) -> None:
        self.finder.search = arguments.text(text, "search", "motor")

    @property
    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The choices that narrow the table, by facet; can be set.

        A facet takes one value or several: {"owner": "claims", "language": ["en", "de"]}.
        """
        return self.finder.chosen

    @chosen.setter
    def chosen(self, chosen: Mapping[str, str | Iterable[str]]) -> None:
        self.finder.chosen = chosen

    # The current source

    def _look(self) -> None:
        position = self.finder.current
        if position is None:
            source = None
        else:
            try:
                (source,) = elements.to_sources(self._listing.iloc[[position]])
            except errors.ReinferError as error:
                self._say(markup.error(f"This row cannot be shown: {error}"))
                source = None
        if source != self.source or source is None:
            self.details.show(source)
        self.source = source

    def _show_head(self) -> None:
        when = provenance.fetched_at(self._listing) or datetime.now(UTC)
        self._head.value = markup.block(
            [
                self._user,
                " on ",
                markup.tag("strong", self.client.endpoint),
                f", listed on {when:%Y-%m-%d} at {when:%H:%M:%S} UTC",
            ],
            style="overflow-wrap:anywhere",
        )

    def _say(self, content: markup.Content) -> None:
        self._said.value = content if isinstance(content, markup.Markup) else markup.status(content)

    def _refresh_buttons(self) -> None:
        for button in self._buttons:
            button.disabled = self.jobs.running
        self.stop.layout.display = None if self.jobs.running else "none"

    def _show_progress(self, done: int, total: int) -> None:
        self._say(markup.progress(self._doing, done, total))

    def _on_failure(self, error: Exception | None) -> None:
        self._say("Stopped." if error is None else markup.error(words_of(error)))

    # Refreshing the listing

    def _after_update(self, source: Source, sent: Collection[str]) -> None:
        """Show an updated source in its row; list the sources again if that may be wrong."""
        fetched_at = provenance.fetched_at(self._listing)
        recent = fetched_at is not None and datetime.now(UTC) - fetched_at < _RECENT
        replaced = None
        # A running job may fetch a listing that does not have the update.
        if recent and not self.jobs.running:
            replaced = convert.with_source(self._listing, source, sent)
        if replaced is None:
            self._after_writing()
        else:
            self._take(*replaced)

    def _after_writing(self) -> None:
        self._outdated = True
        self._catch_up()

    def _catch_up(self) -> None:
        """Refresh the listing after a write, as soon as no job is running."""
        if self._outdated and not self.jobs.running and not self._closed:
            self._outdated = False
            self._start("Listing the sources", self._list, self._take, clicked=False)

    def _on_reload(self) -> None:
        def done(listing: pd.DataFrame) -> None:
            self._take(listing)
            self._say(f"{counted(len(listing), 'source')} listed.")

        self._start("Listing the sources", self._list, done)

    def _list(self, _: Job) -> pd.DataFrame:
        return self.client.sources(refresh=True)

    def _take(self, listing: pd.DataFrame, changed: int | None = None) -> None:
        """Show a listing, with the counts of comments so far.

        Args:
            listing: The listing.
            changed: The position of the only row that differs; None if any row may differ.
        """
        if self._counts:
            # By id: a source that was created again has a new id and not the old comments.
            column = pd.array([self._counts.get(key) for key in listing["id"]], dtype="Int64")
            attrs = listing.attrs
            listing = listing.assign(**{COMMENTS: column})
            listing.attrs = attrs
        if self._closed:
            return
        self._listing = listing
        self.finder.show(listing, changed=changed)
        self._show_head()
        if changed is None:
            self.details.keep_drafts(set(listing["id"]))
        self._look()

    def _show_analysis(self) -> None:
        """Update the open tab; the others are updated when they are opened."""
        tab = self.tabs.children[self.tabs.selected_index or 0]
        if tab is self.audit or self.audit.rule.value:
            self.audit.refresh()
        if tab is self.audit:
            self.audit.show()
        elif tab is self.compare:
            self.compare.refresh()
        elif tab is self.charts:
            self.charts.refresh()

    # The buttons

    def _on_new(self) -> None:
        if self._new_pane.children:
            self._new_pane.children = []
            self.new.description = "New source"
            return
        if self._creating is None:
            self._creating = CreateForm(self.client)
            self._creating.observe(lambda _: self._after_writing(), "result")
        self._new_pane.children = [self._creating]
        self.new.description = "Hide new source"

    def _on_export(self) -> None:
        listing = self.frame

        def done(file: Path) -> None:
            self._say(f"{counted(len(listing), 'source')} written to {file}")
            with dropping(self._files):
                self._files.children = [Saved(file)]

        self._start("Writing the CSV", lambda _: to_csv(listing, new_file("sources")), done)

    def _on_statistics(self) -> None:
        frame = self.frame
        ids = dict(zip(full_names(frame).fillna(""), frame["id"], strict=True))
        names = [name for name in ids if name]
        failures = 0

        def work(job: Job) -> None:
            nonlocal failures
            for name, count in comment_counts.each(
                self.client.count_comments, names, progress=job.progress
            ):
                if isinstance(count, int):
                    self._counts[ids[name]] = count
                else:
                    failures += 1

        def done(_: object) -> None:
            self._take(self._listing)
            total = sum(self._counts.get(ids[name], 0) for name in names)
            message = f"{counted(total, 'comment')} in {counted(len(names), 'source')}."
            if failures:
                message += f" {counted(failures, 'source')} could not be counted."
            self._say(message)

        def failed(error: Exception | None) -> None:
            # Keep the counts so far.
            self._take(self._listing)
            self._on_failure(error)

        self._start("Counting comments", work, done, failed)

    def _start(
        self,
        doing: str,
        work: Callable[[Job], _Result],
        done: Callable[[_Result], object],
        failed: Callable[[Exception | None], object] | None = None,
        *,
        clicked: bool = True,
    ) -> None:
        def on_result(result: _Result) -> None:
            self._say("")
            done(result)
            self._catch_up()

        def on_failure(error: Exception | None) -> None:
            (failed or self._on_failure)(error)
            self._catch_up()

        earlier, self._doing = (self._said.value, self._doing), doing
        self._say(markup.progress(doing))
        if not self.jobs.start(work, on_result, on_failure, clicked=doing if clicked else None):
            self._said.value, self._doing = earlier


def _user_name(client: Client) -> str:
    """Return the name of the token's user."""
    try:
        user: User = client.me()
    except errors.ReinferError:
        return "Unknown user"
    return visible(user.email or user.username)

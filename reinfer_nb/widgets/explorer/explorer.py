"""The explorer: one widget to find a source among many, understand it and change it safely."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import ipywidgets as ui
import pandas as pd
import traitlets

from reinfer_nb import arguments, errors, markup
from reinfer_nb.api.client import DEFAULT_TTL
from reinfer_nb.client import Client
from reinfer_nb.frames import convert, elements
from reinfer_nb.schema import provenance
from reinfer_nb.schema.records import Source
from reinfer_nb.text import counted, visible
from reinfer_nb.widgets.box_guard import BoxGuard
from reinfer_nb.widgets.buckets import bucket_names
from reinfer_nb.widgets.closing import can_close, close_all_in
from reinfer_nb.widgets.controls import button_for
from reinfer_nb.widgets.explorer.audit_tab import AuditPane
from reinfer_nb.widgets.explorer.bulk_edit_tab import BulkPane
from reinfer_nb.widgets.explorer.chart_tab import ChartPane
from reinfer_nb.widgets.explorer.comments.bulk_archive import ArchiveButton
from reinfer_nb.widgets.explorer.comments.count import CountButtons
from reinfer_nb.widgets.explorer.compare_tab import ComparePane
from reinfer_nb.widgets.explorer.export_bar import SELECTED, ExportBar
from reinfer_nb.widgets.explorer.head import Head
from reinfer_nb.widgets.explorer.new_pane import NewPane
from reinfer_nb.widgets.explorer.rights import READS_ONLY
from reinfer_nb.widgets.explorer.source_details import Details
from reinfer_nb.widgets.explorer.surroundings import Surroundings, place_of
from reinfer_nb.widgets.explorer.tabs import Tabs
from reinfer_nb.widgets.explorer.toolbar import Toolbar
from reinfer_nb.widgets.explorer.view_bar import ViewBar
from reinfer_nb.widgets.hosts import OnHosts
from reinfer_nb.widgets.jobs import Job
from reinfer_nb.widgets.table import views
from reinfer_nb.widgets.table.source_table import Finder
from reinfer_nb.widgets.table.views import View

# After an update, an older listing is fetched again.
_RECENT = timedelta(seconds=DEFAULT_TTL)


class Explorer(OnHosts, ui.VBox):
    """A widget to look through and change a tenant's sources; `explore` returns one.

    Attributes:
        client: The tenant. A listing that can only be read has none, and no tab for bulk edits.
        source: The current source, or None; can be observed.
        finder: The search, the facets and the table.
        details: The tab with the current source.
    """

    source = traitlets.Instance(Source, allow_none=True)
    instead = "client.sources(), rnb.audit(df), client.plan(edited)"

    def __init__(
        self,
        client: Client | None,
        listing: pd.DataFrame | None = None,
        projects: str | list[str] | None = None,
    ) -> None:
        self._tenant, self._projects = client, projects
        if client is not None:
            self.client = client
        self._listing = pd.DataFrame() if listing is None else listing
        if client is not None:
            self._listing = client.sources(projects)
        self._buckets: Mapping[str, str] = {} if client is None else bucket_names(client)
        self._head = Head(client)
        self._outdated = self._closed = False
        # The source that was just written, to look at as soon as it is listed.
        self._awaited: Source | None = None
        self.bar = Toolbar(self._refresh_buttons, self._catch_up)
        self.jobs, self.stop = self.bar.jobs, self.bar.stop
        self.finder = Finder(self._listing, self._buckets)
        self._guard = BoxGuard()
        project = projects if isinstance(projects, str) else ""
        self._new_pane = NewPane(client, project, self._after_writing, self._guard.focus_in)
        self.new = self._new_pane.button
        self._make_tabs(
            Surroundings(
                client=client,
                finder=self.finder,
                listing=lambda: self._listing,
                look=self._look_at_row,
                written=self._after_writing,
                buckets=self._buckets,
                refusal=lambda owners: self._head.rights.refusal(owners),  # noqa: PLW0108 - may be replaced
            )
        )
        self.counting = CountButtons(client, lambda: self.frame, self._show_counts, self.bar)
        self.statistics = self.counting.comments
        self.archive = ArchiveButton(client, lambda: self.selected, self.bar)
        self.reload = button_for("Refresh", self._on_reload)
        self._buttons = [self.new, self.reload]
        self.export = ExportBar(self._exported, self.bar.start, self.bar.show_file)
        self.views = ViewBar(lambda: self.view, self.show_kept, self.bar.say, self.bar.fail)
        buttons = [self.new, self.counting, self.archive, self.reload] if client else []
        self.bar.arrange([[*buttons, self.export], [self.views]])
        super().__init__(
            [
                self._head,
                self.finder,
                self.bar,
                self._new_pane,
                self.tabs,
            ],
            layout=ui.Layout(min_width="0", overflow="hidden", padding="4px"),
        )
        self._guard.watch(self)
        self.add_class("rnb-explorer")
        self.finder.observe(lambda _: self._look(), "current")
        self.finder.observe(lambda _: self.tabs.refresh(), "shown")
        self.finder.observe(lambda _: self.views.follow(), "shown")
        self.finder.observe(lambda _: self._on_edit(), "edits")
        self.finder.observe(lambda _: self._refresh_buttons(), "selected")
        self.export.rows.observe(lambda _: self._refresh_buttons(), "value")
        self._head.show(self._listing)
        self._refresh_buttons()

    def _make_tabs(self, around: Surroundings) -> None:
        client = around.client
        self.details = Details(
            client,
            updated=self._after_update,
            written=self._after_writing,
            refusal=lambda owner: self._head.rights.refusal([owner]),
            duplicate=self._new_pane.duplicate,
            buckets=self._buckets,
        )
        self.tabs = Tabs(self.details, around)

    def __repr__(self) -> str:
        # A saved notebook shows this text: it must not contain data of the tenant.
        shown, total = len(self.finder.frame), counted(len(self._listing), "source")
        place = "a listing" if self._tenant is None else self._tenant.endpoint
        return f"Explorer of {place}: {shown:,} of {total}; {self._advice()}"

    def close(self) -> None:
        """Close the explorer and every widget in it, and release the listing.

        Counting, listing and exporting stop; writes of a form or a bulk edit continue.
        """
        if not can_close(self):
            return
        self._closed = True
        self.jobs.stop()
        close_all_in(self)
        self.tabs.forget()
        self._listing = self._listing.iloc[:0].copy()
        self.counting.counts.clear()
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
    def view(self) -> View:
        """Search, facets, sort and columns as a plain dictionary; can be set.

        >>> ex = Explorer(client)
        >>> ex.view = {"facets": {"language": ["de"]}, "sort": ("updated_at", True)}
        >>> ex.view["search"], ex.frame["language"].unique().tolist()
        ('', ['de'])

        `search` is a text; `facets` are lists of values by facet; `sort` is None, or a column and
        True for descending; `columns` are the shown columns with their widths in pixels, None for
        the standard width, and None for the standard columns.
        """
        return self.finder.view

    @view.setter
    def view(self, view: Mapping[str, Any]) -> None:
        self.finder.view = view

    @property
    def chosen(self) -> Mapping[str, tuple[str, ...]]:
        """The choices that narrow the table, by facet; can be set.

        A facet takes one value or several: {"owner": "claims", "language": ["en", "de"]}.
        """
        return self.finder.chosen

    @chosen.setter
    def chosen(self, chosen: Mapping[str, str | Iterable[str]]) -> None:
        self.finder.chosen = chosen

    # The tabs

    @property
    def audit(self) -> AuditPane:
        """The tab with findings."""
        return self.tabs.audit

    @property
    def compare(self) -> ComparePane:
        """The tab that compares with a file or a snapshot."""
        return self.tabs.compare

    @property
    def charts(self) -> ChartPane:
        """The tab with charts of the filtered sources."""
        return self.tabs.charts

    @property
    def bulk(self) -> BulkPane:
        """The tab that changes all selected sources; a listing that can only be read has none."""
        return self.tabs.bulk

    # The current source

    def _look(self) -> None:
        position = self.finder.current
        if position is None:
            source = None
        else:
            try:
                (source,) = elements.to_sources(self._listing.iloc[[position]])
            except errors.ReinferError as error:
                self.bar.say(markup.error(f"This row cannot be shown: {error}"))
                source = None
        if source != self.source or source is None:
            self.details.show(source)
        self.source = source

    def _look_at(self, source: Source) -> None:
        """Make a source the current one, if it is listed; select it unless several are."""
        self._awaited = None
        place = place_of(self._listing, source.id)
        if place is None:
            return
        self.finder.look_at(place)
        if place not in self.finder.positions:
            name = visible(source.full_name)
            self.bar.say(f"{name} is not in the table, because of the search or a filter.")

    def _look_at_row(self, position: int) -> None:
        """Make the row at a position of the listing the current one, and show its source."""
        self.finder.look_at(position)
        self.tabs.selected_index = 0

    def _on_edit(self) -> None:
        """Open the form to edit the current source."""
        self.tabs.selected_index = 0
        self.details.open_edit()
        self._guard.focus_in("rnb-edit")

    def _refresh_buttons(self) -> None:
        for button in self._buttons:
            button.disabled = self.jobs.running
        self.archive.refresh(busy=self.jobs.running)
        self.counting.refresh(busy=self.jobs.running)
        if self._head.reads_only:
            self.new.disabled, self.new.tooltip = True, READS_ONLY
        self.details.duplicate.disabled = self._head.reads_only
        self.details.duplicate.tooltip = READS_ONLY if self._head.reads_only else None
        self.export.refresh(busy=self.jobs.running)
        self.stop.layout.display = None if self.jobs.running else "none"

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

    def _after_writing(self, source: Source | None = None) -> None:
        """List the sources again.

        Args:
            source: The source to look at then, such as a new one.
        """
        self._awaited = source or self._awaited
        self._outdated = True
        self._catch_up()

    def _catch_up(self) -> None:
        """Refresh the listing after a write, as soon as no job is running."""
        if self._outdated and not self.jobs.running and not self._closed:
            self._outdated = False
            self.bar.start("Listing the sources", self._list, self._take, clicked=False)

    def _on_reload(self) -> None:
        def work(job: Job) -> pd.DataFrame:
            self._head.learn()
            return self._list(job)

        def done(listing: pd.DataFrame) -> None:
            self._take(listing)
            self.bar.say(f"{counted(len(listing), 'source')} listed.")

        self.bar.start("Listing the sources", work, done)

    def _list(self, _: Job) -> pd.DataFrame:
        if self._tenant is None:
            return self._listing
        return self._tenant.sources(self._projects, refresh=True)

    def _take(self, listing: pd.DataFrame, changed: int | None = None) -> None:
        """Show a listing, with the counts of comments so far.

        Args:
            listing: The listing.
            changed: The position of the only row that differs; None if any row may differ.
        """
        attrs = listing.attrs
        listing = self.counting.counts.added_to(listing)
        listing.attrs = attrs
        if self._closed:
            return
        self._listing = listing
        self.finder.show(listing, changed=changed)
        self._head.show(self._listing)
        if changed is None:
            self.details.keep_drafts(set(listing["id"]))
        if self._awaited is not None:
            self._look_at(self._awaited)
        self._look()

    # The buttons

    def _exported(self, which: str) -> pd.DataFrame:
        return self.selected if which == SELECTED else self.frame

    def show_kept(self, name: str) -> None:
        """Apply a kept view as far as it fits this listing, and show what does not fit.

        Args:
            name: The name of the view.

        Raises:
            InvalidInput: No view is kept under this name.
            FileProblem: Its file cannot be read.
        """
        notes = self.finder.apply(views.load(name))
        self.views.show(name)
        self.bar.say(" ".join([f"The view {visible(name)} is shown.", *notes]))

    def _show_counts(self, columns: list[str]) -> None:
        self._take(self._listing)
        for column in columns:
            self.finder.show_column(column)

"""Charts: the drawn numbers equal counts by hand, and every text on a chart is readable."""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import combinations, pairwise
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb import charts
from reinfer_nb.charts import counts as counts_of
from reinfer_nb.charts import marks, plots
from reinfer_nb.charts.axes import Chart as ChartAxes
from reinfer_nb.frames.cells import instants_of

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

NOW = "2026-11-25"
AWKWARD = [
    "customer-service-" * 15 + "x",
    "customer-service-" * 15 + "y",
    "$a_{b}$ \\frac{1}{2} $",
    "_private",
    "保险 😀",
    "עברית العربية",
    "\u202eevil\x1b[31m",
    "line\nbreak",
    "<script>alert(1)</script>",
    "",
]
Chart = Callable[..., Axes]


@pytest.fixture(scope="module")
def listing(shared: rnb.Client) -> pd.DataFrame:
    return shared.sources()


@pytest.fixture(autouse=True)
def _default_style() -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("agg")
        yield


def sources_of(number: int, projects: list[str]) -> pd.DataFrame:
    """Return a listing in which the first projects have the most sources."""
    return _listing(number, tuple(projects)).copy()


@cache
def _listing(number: int, projects: tuple[str, ...]) -> pd.DataFrame:
    dice = np.random.default_rng(number)
    owners = np.array(projects, dtype=object)
    at = np.minimum(dice.geometric(min(0.9, 3 / len(owners)), number) - 1, len(owners) - 1)
    if len(owners) > 100:
        at = dice.integers(0, len(owners), number)
    first = np.datetime64("2018-01-01", "us")
    created = first + dice.integers(0, 8 * 365 * 86_400, number).astype("timedelta64[s]")
    updated = created + dice.integers(0, 300 * 86_400, number).astype("timedelta64[s]")
    return pd.DataFrame(
        {
            "id": pd.Series([f"{n:x}" for n in range(number)], dtype="str"),
            "owner": pd.Series(owners[at], dtype="str"),
            "name": pd.Series([f"source-{n}" for n in range(number)], dtype="str"),
            "kind": pd.Series(dice.choice(["call", "chat", "unknown"], number), dtype="str"),
            "language": pd.Series(dice.choice(np.array(["en", "de", None]), number), dtype="str"),
            "bucket_id": pd.Series(dice.choice(np.array(["b", None]), number), dtype="str"),
            "should_translate": pd.Series(dice.random(number) < 0.3, dtype="boolean"),
            "created_at": pd.Series(created).dt.tz_localize("UTC"),
            "updated_at": pd.Series(updated).dt.tz_localize("UTC"),
        }
    )


def findings_of(df: pd.DataFrame) -> pd.DataFrame:
    """Return made-up findings of an audit."""
    rules = [
        ("missing-title", "warning"),
        ("odd-sensitive-properties", "warning"),
        ("stale", "info"),
        ("unreadable", "error"),
    ]
    parts = [
        df.iloc[:: number + 1][["id", "owner", "name"]].assign(rule=rule, severity=severity)
        for number, (rule, severity) in enumerate(rules)
    ]
    return pd.concat(parts, ignore_index=True)


def changes_of(days: int, each: int = 6) -> pd.DataFrame:
    """Return made-up changes of a history of some days."""
    dice = np.random.default_rng(days)
    first = datetime(2025, 11, 25, 4, tzinfo=UTC)
    rows = []
    for day in range(days):
        for what in ("added", "removed", "changed", "renamed"):
            for number in range(int(dice.integers(1, each))):
                fields = 2 if what == "changed" else 1
                at = first + timedelta(days=day)
                rows += [(at, what, f"{day}-{what}-{number}", field) for field in range(fields)]
    return pd.DataFrame(rows, columns=["snapshot_at", "what", "id", "field"])


def activity_of(df: pd.DataFrame, periods: int = 6) -> pd.DataFrame:
    """Return made-up comments of the sources of a listing over some months."""
    begins = pd.date_range("2026-01-01", periods=periods, freq="MS", tz="UTC").as_unit("us")
    dice = np.random.default_rng(len(df))
    rows = np.repeat(np.arange(len(df)), periods)
    columns = df[["owner", "name"]].iloc[rows].reset_index(drop=True)
    numbers = pd.array(dice.integers(0, 5000, len(rows)), dtype="Int64")
    places = np.tile(np.arange(periods), len(df))
    return columns.assign(period=begins[places], num_comments=numbers)


# Texts on a chart


def draw(ax: Axes) -> Any:
    """Draw the figure of axes and return the renderer, which knows all positions."""
    canvas: Any = FigureCanvasAgg(figure_of(ax))
    canvas.draw()
    return canvas.get_renderer()


def figure_of(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def within_limits(axis: Any) -> list[Any]:
    """Return the visible tick labels of an axis."""
    low, high = sorted(axis.get_view_interval())
    tolerance = (high - low) * 1e-9
    return [
        tick.label1
        for tick in axis.get_major_ticks()
        if low - tolerance <= tick.get_loc() <= high + tolerance and tick.label1.get_text()
    ]


def boxes(ax: Axes) -> list[tuple[str, Any]]:
    """Return each text on axes with its bounding box; the legend counts as one text."""
    return placed(ax, renderer_of(figure_of(ax)))


def renderer_of(figure: Figure) -> Any:
    """Lay out a figure without drawing it, and return the renderer, which knows all positions."""
    canvas: Any = FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    return canvas.get_renderer()


def placed(ax: Axes, renderer: Any) -> list[tuple[str, Any]]:
    """Return the texts and boxes of axes in a figure that is laid out."""
    texts = [ax.title, ax.xaxis.label, ax.yaxis.label, ax.xaxis.get_offset_text(), *ax.texts]
    texts += within_limits(ax.xaxis) + within_limits(ax.yaxis)
    pairs = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
    legend = ax.get_legend()
    if legend is not None:
        inner = [*legend.get_texts(), legend.get_title()]
        inner_boxes = [t.get_window_extent(renderer) for t in inner if t.get_text()]
        assert not any(overlap(a, b) for a, b in combinations(inner_boxes, 2))
        box = legend.get_window_extent(renderer)
        assert all(lies_in(inside, box) for inside in inner_boxes)
        pairs.append(("the legend", box))
    return pairs


def overlap(one: Any, other: Any) -> bool:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    # Digits have no descenders, so the boxes of two lines may overlap a little.
    return bool(width > 1 and height > 4)


def lies_in(inner: Any, outer: Any) -> bool:
    return bool(
        inner.x0 >= outer.x0 - 1
        and inner.y0 >= outer.y0 - 1
        and inner.x1 <= outer.x1 + 1
        and inner.y1 <= outer.y1 + 1
    )


def assert_readable(ax: Axes) -> None:
    pairs = boxes(ax)
    whole = figure_of(ax).bbox
    for text, box in pairs:
        assert lies_in(box, whole), (text, box)
    for (text, box), (other_text, other) in combinations(pairs, 2):
        assert not overlap(box, other), (text, other_text, box, other)
    # The numbers within the axes stay within them.
    for number in ax.texts:
        assert lies_in(number.get_window_extent(), ax.get_window_extent()), number


def names_in_legend(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def names_of_rows(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


PROJECTS: dict[str, list[str]] = {
    "one": ["claims"],
    "four": ["claims", "customer-service", "broker-desk", "people"],
    "awkward": AWKWARD,
    "5,000": [f"project-{number:04d}" for number in range(5000)],
}
CHARTS: dict[str, Chart] = {
    "timeline": charts.timeline,
    "freshness": lambda df, **more: charts.freshness(df, now=NOW, **more),
    "kind": charts.projects,
    "bucket": lambda df, **more: charts.projects(df, "bucket", **more),
    "findings": lambda df, **more: charts.findings(findings_of(df), **more),
    "activity": lambda df, **more: charts.activity(activity_of(df), **more),
    "sources": lambda df, **more: charts.activity(activity_of(df), by="source", **more),
}


# All combinations for a medium listing. For fewer and for more sources: each number with each
# chart, and with each list of projects at least once.
CASES = [
    (number, projects, chart)
    for row, number in enumerate([0, 1, 100_000, 3, 80, 10_000])
    for column, chart in enumerate(CHARTS)
    for place, projects in enumerate(PROJECTS)
    if number == 80 or place == (row + column) % len(PROJECTS)
]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "projects", "chart"), CASES)
def test_every_text_is_readable(number: int, projects: str, chart: str) -> None:
    assert_readable(CHARTS[chart](sources_of(number, PROJECTS[projects])))


@pytest.mark.slow
@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_every_text_is_readable_for_the_sample(listing: pd.DataFrame, chart: Chart) -> None:
    assert_readable(chart(listing))


@pytest.mark.slow
@pytest.mark.parametrize("days", [0, 1, 2, 3, 10, 40, 100, 365, 1500])
def test_every_text_is_readable_for_a_history(days: int) -> None:
    assert_readable(charts.changes(changes_of(days)))


@pytest.mark.slow
@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
@pytest.mark.parametrize("layout", ["constrained", "none"])
@pytest.mark.parametrize("projects", [PROJECTS["awkward"], PROJECTS["5,000"]], ids=["odd", "many"])
def test_every_text_is_readable_on_given_axes(
    projects: list[str], layout: Any, chart: Chart
) -> None:
    figure = Figure(layout=layout)
    ax = figure.subplots()
    assert chart(sources_of(3000, projects), ax=ax) is ax
    assert_readable(ax)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["dark_background", "ggplot", "classic"])
@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_every_text_is_readable_in_other_styles(style: str, chart: Chart) -> None:
    with plt.style.context(style):
        assert_readable(chart(sources_of(500, AWKWARD)))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["constrained", "none"])
def test_charts_share_a_figure(layout: Any) -> None:
    figure = Figure(figsize=(19, 9), layout=layout)
    grid = figure.subplots(2, 4)
    df = sources_of(300, AWKWARD)
    for ax, chart in zip(grid.flat, CHARTS.values(), strict=False):
        chart(df, ax=ax)
    charts.changes(changes_of(30), ax=grid[1, 3])
    renderer = renderer_of(figure)
    pairs = [pair for ax in grid.flat for pair in placed(ax, renderer)]
    for (text, box), (other_text, other) in combinations(pairs, 2):
        assert not overlap(box, other), (text, other_text)
    assert all(lies_in(box, figure.bbox) for _, box in pairs)


@pytest.mark.slow
@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_every_text_is_readable_after_a_tight_layout(chart: Chart) -> None:
    figure = Figure()
    ax = figure.subplots()
    chart(sources_of(300, AWKWARD), ax=ax)
    figure.tight_layout()
    assert_readable(ax)


@pytest.mark.slow
@pytest.mark.parametrize("chart", ["projects", "freshness"])
def test_rows_and_legend_are_apart_in_flat_axes(listing: pd.DataFrame, chart: str) -> None:
    figure = Figure()
    for ax in figure.subplots(3, 1):
        getattr(charts, chart)(
            listing, ax=ax, **({"by": "language"} if chart == "projects" else {})
        )
        renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
        labels = [label.get_window_extent(renderer) for label in ax.get_yticklabels()]
        # Letters without a descender leave two pixels.
        assert all(one.y0 > other.y1 - 3 for one, other in itertools.pairwise(labels))
        legend = ax.get_legend()
        bars = [bar.get_window_extent(renderer) for bar in ax.patches]
        if legend is not None:
            assert not any(legend.get_window_extent(renderer).overlaps(bar) for bar in bars)


def test_a_second_chart_on_the_same_axes_has_as_much_room(listing: pd.DataFrame) -> None:
    ax = Figure().subplots()
    charts.projects(listing, ax=ax)
    first = ax.get_position()
    ax.clear()
    charts.projects(listing, ax=ax)
    assert ax.get_position().bounds == pytest.approx(first.bounds)


# The drawn numbers


@pytest.mark.slow
def test_the_timeline_adds_up_at_every_time(listing: pd.DataFrame) -> None:
    rows = listing.to_dict("records")
    ax = charts.timeline(listing, top=2)
    sizes = Counter(row["owner"] for row in rows)
    first, second = (name for name, _ in sizes.most_common(2))
    rest = len(rows) - sizes[first] - sizes[second]
    assert names_in_legend(ax) == [
        f"2 other projects ({rest})",
        f"{second} ({sizes[second]})",
        f"{first} ({sizes[first]})",
    ]
    for area, owners in zip(ax.collections, ([first], [first, second], list(sizes)), strict=True):
        outline = np.asarray(area.get_paths()[0].vertices).tolist()
        for moment in ("2020-01-01", "2023-06-15", "2026-07-01"):
            day = pd.Timestamp(moment, tz="UTC")
            expected = sum(row["owner"] in owners and row["created_at"] <= day for row in rows)
            number = (day - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
            last = max(x for x, _ in outline if x <= number)
            assert max(y for x, y in outline if x == last) == expected


@pytest.mark.slow
@pytest.mark.parametrize("number", [5, 399, 5000])
def test_cumulated_counts_equal_those_of_a_plain_loop(number: int) -> None:
    df = sources_of(number, PROJECTS["four"])
    moments = instants_of(df["created_at"])
    groups = counts_of.grouped(df["owner"])
    times, lines = counts_of.cumulated(moments, groups, 400)
    assert len(times) <= 402
    assert lines[:, 0].sum() == 0
    assert lines[:, -1].sum() == number
    for group, name in enumerate(groups.names):
        owned = [m for m, owner in zip(moments, df["owner"], strict=True) if owner == name]
        for column in range(0, len(times), max(1, len(times) // 20)):
            assert lines[group, column] == sum(moment <= times[column] for moment in owned)


def test_the_title_counts_sources_without_a_date() -> None:
    df = sources_of(80, PROJECTS["four"])
    df.loc[:2, "created_at"] = pd.NaT
    assert "3 of 80 sources without a date not shown" in charts.timeline(df).get_title()
    assert "without" not in charts.timeline(df.iloc[3:]).get_title()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("age", "label"),
    [
        (-1, "in the future"),
        (0, "within 7 days"),
        (7, "within 7 days"),
        (7.01, "8 to 30 days"),
        (30, "8 to 30 days"),
        (90, "31 to 90 days"),
        (91, "91 to 365 days"),
        (365, "91 to 365 days"),
        (366, "1 to 2 years"),
        (730, "1 to 2 years"),
        (731, "over 2 years"),
        (300_000, "over 2 years"),
        (None, "not set"),
    ],
)
def test_an_age_is_in_its_bin(age: float | None, label: str) -> None:
    now = pd.Timestamp(NOW, tz="UTC")
    moment = pd.NaT if age is None else now - pd.Timedelta(days=age)
    df = pd.DataFrame({"updated_at": [moment, now]})
    ax = charts.freshness(df, now=NOW)
    counts = dict(zip(names_of_rows(ax), [text.get_text() for text in ax.texts], strict=True))
    assert counts[label] == ("2 (100%)" if label == "within 7 days" else "1 (50%)")
    lengths = Counter[str]()
    bars: list[Any] = list(ax.patches)
    for bar in bars:
        lengths[names_of_rows(ax)[round(bar.get_y() + bar.get_height() / 2)]] += bar.get_width()
    assert lengths[label] == (2 if label == "within 7 days" else 1)


def test_ages_are_counted_to_the_fetch_of_the_listing(listing: pd.DataFrame) -> None:
    assert str(listing.attrs["fetched_at"])[:10] in charts.freshness(listing).get_title()
    older = listing.copy()
    older.attrs["fetched_at"] = pd.Timestamp("2026-01-02", tz="UTC")
    assert "2026-01-02" in charts.freshness(older).get_title()
    assert "2025-03-04" in charts.freshness(older, now="2025-03-04T01:00+01:00").get_title()
    older.attrs.clear()
    assert str(datetime.now(UTC).year) in charts.freshness(older).get_title()


@pytest.mark.slow
@pytest.mark.parametrize("by", ["kind", "language", "should_translate"])
def test_the_length_of_a_bar_is_the_number_of_sources(listing: pd.DataFrame, by: str) -> None:
    ax = charts.projects(listing, by, top=3)
    rows = listing.to_dict("records")
    sizes = Counter(row["owner"] for row in rows)
    largest = [name for name, _ in sizes.most_common(3)]
    assert names_of_rows(ax) == [*largest, "1 other project"]
    assert [t.get_text() for t in ax.texts] == [str(sizes[name]) for name in largest] + [
        str(len(rows) - sum(sizes[name] for name in largest))
    ]
    values = [name for name, _ in Counter(str(row[by]) for row in rows).most_common()]
    assert len(names_in_legend(ax)) == len(values)
    for container, value in zip(ax.containers, values, strict=True):
        for bar, name in zip(container, [*largest, None], strict=True):
            owned = [
                row
                for row in rows
                if row["owner"] == name or (not name and row["owner"] not in largest)
            ]
            assert bar.get_width() == sum(str(row[by]) == value for row in owned)


def test_values_have_readable_labels(listing: pd.DataFrame) -> None:
    assert names_in_legend(charts.projects(listing))[0] == "not set (unknown) (80)"
    assert names_in_legend(charts.projects(listing, "language"))[0] == "English (en) (96)"
    assert names_in_legend(charts.projects(listing, "bucket")) == ["without (69)", "with (61)"]
    assert names_in_legend(charts.projects(listing, "should_translate")) == ["no (92)", "yes (38)"]
    unset = listing.assign(language=None)
    assert names_in_legend(charts.projects(unset, "language")) == ["missing (130)"]


def test_bars_can_be_divided_by_project(listing: pd.DataFrame) -> None:
    ax = charts.projects(listing, "owner")
    assert names_in_legend(ax) == [
        f"{name} ({text.get_text()})"
        for name, text in zip(names_of_rows(ax), ax.texts, strict=True)
    ]


def test_others_that_would_dwarf_all_bars_have_no_bar() -> None:
    df = sources_of(10_000, PROJECTS["5,000"])
    ax = charts.projects(df, top=5)
    sizes = Counter(df["owner"]).most_common(5)
    rest = len(df) - sum(size for _, size in sizes)
    assert names_of_rows(ax)[-1] == f"{df['owner'].nunique() - 5:,} other projects"
    assert ax.texts[-1].get_text() == f"{rest:,}"
    assert sum(container[-1].get_width() for container in ax.containers) == 0
    assert ax.get_xlim()[1] < 4 * sizes[0][1]


def test_a_column_of_many_values_shows_the_most_frequent() -> None:
    df = sources_of(200, PROJECTS["four"])
    names = names_in_legend(charts.projects(df, "name"))
    assert len(names) == 9
    assert names[-1] == "192 other values (192)"


@pytest.mark.slow
def test_findings_are_counted_by_rule_and_project(listing: pd.DataFrame) -> None:
    report = rnb.audit(listing)
    ax = charts.findings(report)
    rows = report.findings.to_dict("records")
    counts = Counter((row["rule"], row["owner"]) for row in rows)
    rules = [name.split(": ")[1].rpartition(" (")[0] for name in names_of_rows(ax)]
    projects = [label.get_text() for label in ax.get_xticklabels()]
    cells = {
        (rules[round(text.get_position()[1])], projects[round(text.get_position()[0])]): int(
            text.get_text()
        )
        for text in ax.texts
    }
    assert cells == counts


def test_rules_are_sorted_by_severity_then_by_number_of_findings() -> None:
    pairs = [("a", "info")] * 5 + [("b", "error")] + [("c", "error")] * 3 + [("d", "warning")] * 4
    df = pd.DataFrame(pairs, columns=["rule", "severity"]).assign(owner="claims")
    wanted = ["error: c (3)", "error: b (1)", "warning: d (4)", "info: a (5)"]
    assert names_of_rows(charts.findings(df)) == wanted
    assert names_of_rows(charts.findings(SimpleNamespace(findings=df))) == wanted


def heights(ax: Axes) -> list[list[float]]:
    return [[bar.get_height() for bar in container] for container in ax.containers]


def test_a_source_that_changed_in_several_fields_counts_once() -> None:
    df = changes_of(5)
    rows = df.to_dict("records")
    ax = charts.changes(df)
    for kind, drawn in zip(("changed", "renamed", "added", "removed"), heights(ax), strict=True):
        sign = -1 if kind == "removed" else 1
        for at, height in zip(sorted({row["snapshot_at"] for row in rows}), drawn, strict=True):
            ids = {r["id"] for r in rows if r["snapshot_at"] == at and r["what"] == kind}
            assert height == sign * len(ids)


@pytest.mark.slow
def test_a_year_of_days_is_drawn_by_week() -> None:
    df = changes_of(365)
    ax = charts.changes(df)
    assert ax.get_title() == "Changes by week"
    mondays = df["snapshot_at"].map(lambda at: at.date() - timedelta(days=at.weekday()))
    changes = df.assign(week=mondays).drop_duplicates(["week", "what", "id"])
    expected = changes[changes["what"] == "added"].groupby("week").size()
    assert heights(ax)[2] == expected.tolist()
    assert len(expected) == 53


def test_changes_takes_a_history() -> None:
    df = changes_of(3)
    history = SimpleNamespace(changes=lambda: df)
    assert heights(charts.changes(history)) == heights(charts.changes(df))


@pytest.mark.slow
@given(
    st.lists(st.datetimes(datetime(1900, 1, 2), datetime(2199, 1, 1)), min_size=1, max_size=200)  # noqa: DTZ001 - UTC
)
@settings(max_examples=100, deadline=None)
def test_bars_do_not_overlap_and_contain_every_time(moments: list[datetime]) -> None:
    times = np.array(moments, dtype="datetime64[us]")
    bars = counts_of.barred(times)
    assert (bars.ends[:-1] <= bars.starts[1:]).all()
    assert (bars.ends >= bars.starts).all()
    assert len(bars.codes) == len(times)
    assert (bars.starts[bars.codes] <= times).all()
    if bars.period == "snapshot":  # the date of a bar is written below its middle
        middles = bars.starts + (bars.ends - bars.starts) // 2
        assert (middles[bars.codes] == times).all()
    assert len(bars.starts) <= 300


# Comments over time


@pytest.mark.parametrize("by", ["project", "source"])
@pytest.mark.parametrize("top", [1, 2, 9])
def test_areas_are_as_high_as_the_comments_are_many(
    listing: pd.DataFrame, by: str, top: int
) -> None:
    df = activity_of(listing.head(60))
    drawn: dict[str, Any] = {}

    def stackplot(_: Axes, times: Any, heights: Any, **more: Any) -> None:
        drawn.update(times=times, heights=heights, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Axes, "stackplot", stackplot)
        ax = Figure(figsize=(30, 10), layout="constrained").subplots()
        charts.activity(df, by=by, top=top, ax=ax)
    totals: Counter[str] = Counter()
    cells: Counter[tuple[str, Any]] = Counter()
    for row in df.itertuples():
        key = str(row.owner) if by == "project" else f"{row.owner}/{row.name}"
        totals[key] += int(str(row.num_comments))
        cells[key, row.period] += int(str(row.num_comments))
    order = sorted(totals, key=lambda key: (-totals[key], key))
    shown, rest = order[:top], order[top:]
    labels = [f"{key} ({totals[key]:,})" for key in shown]
    periods = sorted(set(df["period"]))
    expected = [[cells[key, period] for period in periods] for key in shown]
    if rest:
        noun = by if len(rest) == 1 else f"{by}s"
        labels.append(f"{len(rest)} other {noun} ({sum(totals[key] for key in rest):,})")
        expected.append([sum(cells[key, period] for key in rest) for period in periods])
    assert names_in_legend(ax)[::-1] == labels
    assert drawn["step"] == "post"
    # The last period is drawn up to its end.
    assert drawn["heights"].tolist() == [[*row, row[-1]] for row in expected]
    edges = [*periods, pd.Timestamp("2026-07-02", tz="UTC")]
    assert [pd.Timestamp(str(time), tz="UTC") for time in drawn["times"]] == edges


def test_areas_stay_below_a_legend_inside_the_axes(listing: pd.DataFrame) -> None:
    figure = Figure()
    ax = figure.subplots()
    charts.activity(activity_of(listing), by="source", ax=ax)
    renderer = renderer_of(figure)
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_window_extent(renderer).y0 > max(
        area.get_window_extent(renderer).y1 for area in ax.collections
    )


@pytest.mark.parametrize(
    ("freq", "label"),
    [("D", "day"), ("W-MON", "week"), ("MS", "month"), ("QS", "quarter"), ("YS", "year")],
)
def test_the_axis_names_the_period(freq: str, label: str) -> None:
    begins = pd.date_range("2024-01-01", periods=7, freq=freq, tz="UTC")
    df = pd.DataFrame({"owner": "a", "name": "b", "period": begins, "num_comments": 3})
    # The first period may be shorter.
    df.loc[0, "period"] = begins[1] - pd.Timedelta(hours=3)
    assert charts.activity(df).get_ylabel() == f"Comments per {label}"
    assert charts.activity(df.head(1)).get_ylabel() == "Comments per period"
    assert charts.activity(df.drop(index=[3, 4])).get_ylabel() == "Comments per period"


def test_sources_that_were_not_counted_are_told() -> None:
    df = activity_of(sources_of(4, PROJECTS["four"]))
    df.loc[df["name"] == "source-1", "num_comments"] = None
    ax = charts.activity(df)
    assert ax.get_title() == "Comments over time, by project\n1 of 4 sources not counted"
    nothing = charts.activity(df.assign(num_comments=0))
    assert [text.get_text() for text in nothing.texts] == ["No comments"]


@pytest.mark.parametrize(
    "dtype", ["Int64", "float64", "str", "object", "category", "int64[pyarrow]"]
)
def test_numbers_of_any_dtype_are_drawn(dtype: Any) -> None:
    df = activity_of(sources_of(9, PROJECTS["four"]))
    other = df.assign(num_comments=df["num_comments"].astype(dtype))
    assert names_in_legend(charts.activity(other)) == names_in_legend(charts.activity(df))


# Empty charts and errors


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_an_empty_chart_says_why(listing: pd.DataFrame, chart: Chart) -> None:
    ax = chart(listing.head(0))
    (label,) = ax.texts
    assert label.get_text() in ("No sources", "No findings")
    assert not within_limits(ax.xaxis)
    assert ax.get_title()


def test_a_chart_of_an_empty_column_says_why(listing: pd.DataFrame) -> None:
    df = listing.assign(created_at=None, updated_at=None)
    assert charts.timeline(df).texts[0].get_text() == "No source has a creation date"
    assert charts.freshness(df).texts[0].get_text() == "No source has an update date"
    without_project = listing.assign(owner=None)
    assert names_of_rows(charts.projects(without_project)) == ["(no project)"]
    assert names_in_legend(charts.timeline(without_project)) == ["(no project) (130)"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda df: charts.timeline(df.drop(columns=["owner", "created_at"])),
            "'owner', 'created_at'",
        ),
        (lambda df: charts.freshness(df.drop(columns="updated_at")), "'updated_at'"),
        (lambda df: charts.projects(df, "knid"), "Did you mean 'kind'"),
        (lambda df: charts.projects(df, 3), "by="),  # type: ignore[arg-type]
        (lambda df: charts.projects(df.drop(columns="bucket_id"), "bucket"), "'bucket_id'"),
        (charts.findings, "'rule', 'severity'"),
        (charts.changes, "'snapshot_at', 'what'"),
        (lambda df: charts.timeline(df, top=0), "from 1 to 9"),
        (lambda df: charts.timeline(df, top=10), "from 1 to 9"),
        (lambda df: charts.projects(df, top=2.5), "whole number"),  # type: ignore[arg-type]
        (lambda df: charts.projects(df, top=True), "whole number"),
        (lambda df: charts.findings(findings_of(df), top=51), "from 1 to 50"),
        (lambda df: charts.freshness(df, now="yesterday-ish"), "not a date or time"),
        (lambda df: charts.freshness(df, now=7), "not a date or time"),  # type: ignore[arg-type]
        (lambda df: charts.timeline(df, ax="left"), "Axes"),  # type: ignore[arg-type]
        (lambda df: charts.timeline(df, ax=Figure()), "Axes"),  # type: ignore[arg-type]
        (lambda _: charts.timeline([1, 2]), "DataFrame"),  # type: ignore[arg-type]
        (lambda _: charts.findings(None), "DataFrame"),
        (lambda _: charts.changes(None), "DataFrame"),
        (lambda _: charts.changes(changes_of(2).assign(what="moved")), "'moved'"),
        (lambda _: charts.changes(changes_of(2).assign(snapshot_at=None)), "snapshot_at"),
        (charts.activity, r"client\.activity has no column 'period', 'num_comments'"),
        (lambda _: charts.activity(None), "client.activity must be a DataFrame"),
        (lambda df: charts.activity(activity_of(df), by="kind"), "by must be one of project, so"),
        (lambda df: charts.activity(activity_of(df), top=10), "from 1 to 9"),
        (lambda df: charts.activity(activity_of(df).assign(period="soon")), "period is missing"),
        *(
            (
                lambda df, cell=cell: charts.activity(activity_of(df).assign(num_comments=cell)),
                "num_comments must hold whole numbers",
            )
            for cell in ("x", -1, 1.5, float("inf"), 2**60)
        ),
    ],
)
def test_invalid_arguments_are_refused(
    listing: pd.DataFrame, call: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(rnb.InvalidInput, match=message):
        call(listing)
    assert not plt.get_fignums()


def test_axes_that_were_removed_from_their_figure_are_refused(listing: pd.DataFrame) -> None:
    ax = Figure().subplots()
    ax.remove()
    with pytest.raises(rnb.InvalidInput, match="was removed from its figure"):
        charts.projects(listing, ax=ax)


def test_without_matplotlib_the_error_says_what_to_install(
    listing: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(rnb.ConfigurationError, match=r"pip install 'reinfer_nb\[lab\]'"):
        charts.timeline(listing)
    with pytest.raises(rnb.ConfigurationError):
        plots.check_installed()


def modules_after(code: str) -> list[str]:
    code = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    process = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return process.stdout.split()


@pytest.mark.slow
def test_importing_the_charts_imports_no_matplotlib() -> None:
    assert "matplotlib" not in modules_after("import reinfer_nb.charts")


@pytest.mark.slow
def test_given_axes_need_no_pyplot() -> None:
    modules = modules_after(
        "import pandas as pd\n"
        "from matplotlib.figure import Figure\n"
        "from reinfer_nb import charts\n"
        "df = pd.DataFrame({'owner': ['a', 'b'], 'kind': ['call', None],"
        " 'created_at': ['2020-01-01', '2021-01-01'], 'updated_at': [None, '2021-01-01']})\n"
        "for draw in (charts.timeline, charts.freshness, charts.projects):\n"
        "    draw(df, ax=Figure().subplots())\n"
    )
    assert "matplotlib.figure" in modules
    assert "matplotlib.pyplot" not in modules


# Colours


CONVERSION = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
# Machado, Oliveira and Fernandes (2009), at full severity, and a grey printer.
VISION = {
    "ordinary": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
    "grey": np.tile([0.2126, 0.7152, 0.0722], (3, 1)),
}
Color = npt.NDArray[np.float64]


def lab(color: Any, vision: Color) -> Color:
    """Return a colour in CIE Lab, as seen with some colour vision."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = CONVERSION @ np.clip(vision @ linear, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: Any, other: Any, vision: Color) -> float:
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


@pytest.mark.slow
@pytest.mark.parametrize("style", ["default", "dark_background"])
@pytest.mark.parametrize("vision", VISION)
def test_neighbouring_colours_differ_for_everybody(vision: str, style: str) -> None:
    with plt.style.context(style):
        ax = Figure().subplots()
    *ink, share = ChartAxes(ax).others
    others = tuple(share * np.array(ink) + (1 - share) * np.array(to_rgb(ax.get_facecolor())))
    stacks: list[Any] = [
        marks.PALETTE,
        *([color, others] for color in marks.PALETTE),
        list(plots._CHANGES.values()),
    ]
    minimum = 8 if vision == "grey" else 18
    for stack in stacks:
        for one, other in pairwise(stack):
            assert distance(one, other, VISION[vision]) > minimum, (one, other)


@pytest.mark.parametrize("vision", ["ordinary", "protanopia", "deuteranopia", "tritanopia"])
def test_any_two_colours_of_a_chart_differ(vision: str) -> None:
    for one, other in combinations(marks.PALETTE, 2):
        assert distance(one, other, VISION[vision]) > 15, (one, other)


def contrast(one: Any, other: Any) -> float:
    first, second = (
        float(CONVERSION[1] @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4))
        for rgb in (np.array(to_rgb(one)), np.array(to_rgb(other)))
    )
    return (max(first, second) + 0.05) / (min(first, second) + 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["default", "dark_background", "grayscale"])
def test_texts_and_outlines_contrast_with_the_background(style: str) -> None:
    df = sources_of(100, PROJECTS["four"])
    with plt.style.context(style):
        for chart in (charts.timeline, charts.projects, charts.freshness):
            ax = chart(df)
            background = ax.get_facecolor()
            texts = [ax.title, ax.xaxis.label, *ax.texts]
            legend = ax.get_legend()
            if legend is not None:
                texts += [*legend.get_texts(), legend.get_title()]
            assert all(contrast(text.get_color(), background) > 4.5 for text in texts)
            outlined: list[Any] = [*ax.patches, *ax.collections]
            edges = [np.atleast_2d(each.get_edgecolor())[0] for each in outlined]
            assert all(contrast(edge[:3], background) > 4.5 for edge in edges)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_numbers_contrast_with_their_cells(style: str) -> None:
    with plt.style.context(style):
        ax = charts.findings(findings_of(sources_of(500, PROJECTS["four"])))
        draw(ax)
        mesh: Any = ax.collections[0]
        counts = np.ma.filled(mesh.get_array(), 0).ravel()
        colors = dict(zip(counts.tolist(), mesh.get_facecolor(), strict=True))
        for text in ax.texts:
            color = colors[int(text.get_text().replace(",", ""))]
            assert contrast(text.get_color(), color[:3]) > 4.5


def test_font_and_figure_size_of_the_style_are_used(listing: pd.DataFrame) -> None:
    with mpl.rc_context({"ytick.labelsize": 7, "figure.figsize": (11, 6)}):
        ax = charts.projects(listing)
        assert {label.get_fontsize() for label in ax.get_yticklabels()} == {7}
        assert figure_of(ax).get_size_inches().tolist() == [11, 6]


# Unusual frames


@pytest.mark.slow
def test_names_are_escaped_and_never_drawn_as_formulas() -> None:
    df = pd.DataFrame({"owner": AWKWARD * 2, "kind": "call", "created_at": "2020-01-01"})
    ax = charts.projects(df)
    draw(ax)
    names = names_of_rows(ax)
    assert "$a_{b}$ \\frac{1}{2} $" in names
    assert "_private" in names
    assert "\\u202eevil\\x1b[31m" in names
    assert "line\\nbreak" in names
    assert "(empty)" in names
    assert len({*names}) == len(AWKWARD)
    assert all(not label.get_parse_math() for label in ax.get_yticklabels())
    ax = charts.timeline(df, top=9)
    assert any("_private" in name for name in names_in_legend(ax))
    assert all(not text.get_parse_math() for text in ax.get_legend().get_texts())  # type: ignore[union-attr]


@pytest.mark.slow
def test_characters_without_a_glyph_are_escaped() -> None:
    df = pd.DataFrame({"owner": ["保险-x"], "kind": "\U0001f9ff"})
    ax = charts.projects(df)
    assert names_of_rows(ax) == ["\\u4fdd\\u9669-x"]
    assert names_in_legend(ax)[0].startswith("\\U0001f9ff")
    for form in ("png", "svg", "pdf"):
        figure_of(ax).savefig(io.BytesIO(), format=form)


def as_read_from_csv(df: pd.DataFrame) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(df.to_csv(index=False)))


VARIANTS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "from CSV": as_read_from_csv,
    "objects": lambda df: df.astype(object),
    "categories": lambda df: df.astype({"owner": "category", "kind": "category"}),
    "one index": lambda df: df.set_index(np.zeros(len(df), dtype=int)),
    "a named index": lambda df: df.set_index("id", drop=False),
    "another zone": lambda df: df.assign(
        created_at=df["created_at"].dt.tz_convert("Asia/Kolkata"),
        updated_at=df["updated_at"].dt.tz_convert("America/New_York"),
    ),
    "no zone": lambda df: df.assign(
        created_at=df["created_at"].dt.tz_localize(None),
        updated_at=df["updated_at"].dt.tz_localize(None),
    ),
}


def pixels(chart: str, df: pd.DataFrame) -> bytes:
    canvas: Any = FigureCanvasAgg(figure_of(CHARTS[chart](df)))
    canvas.draw()
    return bytes(canvas.buffer_rgba())


@cache
def usual_pixels(chart: str) -> bytes:
    return pixels(chart, sources_of(90, PROJECTS["four"]))


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("chart", CHARTS)
def test_dtypes_and_index_make_no_difference(variant: Callable[..., Any], chart: str) -> None:
    df = variant(sources_of(90, PROJECTS["four"]))
    before = df.copy(deep=True)
    assert pixels(chart, df) == usual_pixels(chart)
    pd.testing.assert_frame_equal(df, before)


CELLS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.sampled_from(AWKWARD),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.datetimes(),
    st.sampled_from(["2020-01-01T00:00:00Z", "0001-01-01", "9999-12-31T23:59:59Z", "soon"]),
    st.just(("email", "phone")),
)


@st.composite
def odd_frames(draw: st.DrawFn) -> pd.DataFrame:
    number = draw(st.integers(0, 12))
    columns = ["owner", "kind", "created_at", "updated_at", "rule", "severity"]
    cells = st.lists(CELLS, min_size=number, max_size=number)
    return pd.DataFrame({name: pd.Series(draw(cells), dtype=object) for name in columns})


# The layout takes twice as long as the drawing, and depends on the lengths of texts only.
@pytest.mark.slow
@given(odd_frames(), st.sampled_from(["none", "none", "constrained"]))
@settings(max_examples=8, deadline=None)
def test_any_frame_is_drawn(df: pd.DataFrame, layout: Any) -> None:
    for chart in (charts.timeline, charts.freshness, charts.projects, charts.findings):
        ax = Figure(layout=layout).subplots()
        chart(df, ax=ax)
        draw(ax)
        texts = [text.get_text() for text in ax.texts]
        drawn_counts = [int(t.split(" ")[0].replace(",", "")) for t in texts if t[:1].isdigit()]
        if chart in (charts.projects, charts.findings):
            assert sum(drawn_counts) == len(df)


def test_only_the_given_axes_are_changed(listing: pd.DataFrame) -> None:
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle("Mine")
    right.plot([1, 2], [3, 4])
    charts.projects(listing, ax=left)
    assert figure.get_suptitle() == "Mine"
    assert figure.axes == [left, right]
    assert not figure.legends
    assert right.get_xlim() == pytest.approx((0.95, 2.05))
    assert not plt.get_fignums()


@pytest.mark.slow
def test_the_same_frame_gives_the_same_picture(listing: pd.DataFrame) -> None:
    pictures = set()
    for _ in range(2):
        with mpl.rc_context({"svg.hashsalt": "x"}):
            file = io.BytesIO()
            figure_of(charts.projects(listing)).savefig(file, format="svg", metadata={"Date": None})
            pictures.add(file.getvalue())
    assert len(pictures) == 1

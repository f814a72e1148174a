"""The kernel part of the source table: its messages and its attributes."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ipywidgets import Widget

import reinfer_nb as rnb
from reinfer_nb.errors import InvalidInput
from reinfer_nb.widgets.table.source_table import Finder
from reinfer_nb.widgets.table.table_state import FIRST_ROWS


class Browser:
    """A browser that sends messages to a finder and records the responses."""

    def __init__(self, finder: Finder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.finder = finder
        self.received: list[dict[str, Any]] = []
        monkeypatch.setattr(finder, "send", lambda message, _=None: self.received.append(message))

    def send(self, kind: str, rows: object = (0, 5), **rest: object) -> dict[str, Any]:
        message = {"kind": kind, "view": "me", "rows": list(rows), **rest}  # type: ignore[call-overload]
        # As the message arrives over the network.
        self.finder._handle_custom_msg(json.loads(json.dumps(message)), [])
        return self.received[-1]

    def select(self, row: int, how: str = "only") -> dict[str, Any]:
        return self.send("select", version=self.finder.shown, row=row, how=how)

    def choices(self, key: str, typed: str = "") -> dict[str, Any]:
        message = self.send("choices", facet=key, typed=typed)
        assert (message["kind"], message["view"], message["facet"]) == ("choices", "me", key)
        return message

    def options(self, key: str, typed: str = "") -> dict[str, int]:
        options = self.choices(key, typed)["options"]
        return {f"{label} ({count})": place for place, label, count, _ in options}


@pytest.fixture(scope="module")
def listing(shared: rnb.Client) -> pd.DataFrame:
    return shared.sources()


@pytest.fixture
def finder(listing: pd.DataFrame) -> Finder:
    return Finder(listing)


@pytest.fixture
def browser(finder: Finder, monkeypatch: pytest.MonkeyPatch) -> Browser:
    return Browser(finder, monkeypatch)


def many(listing: pd.DataFrame, rows: int, projects: int) -> pd.DataFrame:
    """Return a listing of any size, with that many projects."""
    df = listing.iloc[np.arange(rows) % len(listing)].reset_index(drop=True)
    number = pd.Series(np.arange(rows))
    df["id"] = number.map("{:016x}".format)
    df["owner"] = "project-of-a-long-name-" + (number % projects).astype(str)
    df["name"] = "source-" + number.astype(str)
    return df


# The window


def test_the_opening_message(browser: Browser, listing: pd.DataFrame) -> None:
    message = browser.send("open")
    assert message["view"] == "me"
    assert message["count"] == len(listing) == 130
    assert message["status"] == "130 of 130 sources"
    headings = [column["heading"] for column in message["columns"]]
    assert headings[:6] == ["project", "name", "title", "language", "kind", "translated"]
    assert headings[-2:] == ["id", "description"]
    assert [column["key"] for column in message["columns"]] == listing.columns.tolist()
    assert [column["key"] for column in message["columns"] if column["frozen"]] == ["name"]
    assert [column["key"] for column in message["hidden"]] == ["num_comments"]
    first = listing.iloc[0]
    selected, *cells = message["rows"][0]
    assert selected is False
    assert cells[:3] == [first["owner"], first["name"], first["title"]]
    assert cells[8] == f"{first['updated_at']:%Y-%m-%d %H:%M}"
    assert cells[5] == ("yes" if first["should_translate"] else "no")
    assert len(message["rows"]) == 5


def test_only_a_window_is_sent(browser: Browser) -> None:
    message = browser.send("look", (120, 10**9))
    assert (message["start"], len(message["rows"])) == (120, 10)
    assert "facets" not in message
    assert browser.send("look", (-5, 3))["start"] == 0
    late = browser.send("look", (10**6, 10**6 + 50))
    assert (late["start"], late["rows"]) == (130, [])
    assert browser.send("look", (9, 2))["rows"] == []


@pytest.mark.slow
def test_a_large_listing_opens_with_little(
    listing: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = Finder(many(listing, 100_000, 5_000))
    browser = Browser(finder, monkeypatch)
    opening = len(json.dumps(browser.send("open", (0, 50)))) + len(json.dumps(finder.get_state()))
    assert opening < 100_000
    looked = browser.send("look", (0, 10**6))
    assert len(looked["rows"]) == 200


def test_cells_are_short_texts(listing: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    df = listing.head(1).copy()
    df["title"] = "<b>\u202e\n" + "x" * 500
    df["description"] = pd.Series([np.nan], dtype=listing["description"].dtype)
    df["num_comments"] = pd.Series([1234567], dtype="Int64")
    df["sensitive_properties"] = [("salary", "email")]
    df["Odd_Column"] = [datetime(1, 1, 1, tzinfo=UTC)]
    df["ratio"] = [1234.5]
    df["things"] = pd.Series([{"a": 1}], dtype=object)
    df["naive"] = pd.to_datetime(["2024-05-01 12:30:59"])
    message = Browser(Finder(df), monkeypatch).send("open")
    keys = [column["key"] for column in message["columns"]]
    assert keys[:4] == ["owner", "name", "title", "num_comments"]
    assert keys[-5:] == ["description", "Odd_Column", "ratio", "things", "naive"]
    columns = dict(zip(keys, message["columns"], strict=True))
    cells = dict(zip(keys, message["rows"][0][1:], strict=True))
    assert cells["title"].startswith("<b>\\u202e\\nxxx")
    assert cells["title"].endswith("x…")
    assert len(cells["title"]) < 220
    assert cells["description"] is None
    assert cells["num_comments"] == "1,234,567"
    assert cells["sensitive_properties"] == "salary, email"
    assert cells["Odd_Column"] == "0001-01-01 00:00"
    assert cells["ratio"] == "1,234.5"
    assert cells["things"] == "{'a': 1}"
    assert cells["naive"] == "2024-05-01 12:30"
    assert columns["naive"]["heading"] == "naive"
    assert columns["Odd_Column"]["heading"] == "odd column (UTC)"
    assert [key for key in keys if columns[key]["number"]] == [
        "num_comments",
        "email_transform_version",
        "ratio",
    ]


def test_no_sources_at_all(listing: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = Finder(listing.head(0))
    browser = Browser(finder, monkeypatch)
    assert browser.send("open")["rows"] == []
    browser.select(0)
    browser.select(0, "all")
    assert finder.selected == ()
    assert repr(finder) == "Finder: 0 of 0 sources"


# Search, facets and sort


def test_searching_and_choosing_in_the_browser(browser: Browser, listing: pd.DataFrame) -> None:
    finder = browser.finder
    message = browser.send("search", text="motor")
    assert finder.search == message["search"] == "motor"
    assert 0 < message["count"] < 130
    assert message["status"] == f"{message['count']} of 130 sources"
    browser.send("clear")
    claims = int((listing["owner"] == "claims").sum())
    place = browser.options("owner")[f"claims ({claims})"]
    message = browser.send("choose", listing=0, facet="owner", choice=place, chosen=True)
    assert message["count"] == claims
    assert message["facets"][0]["chosen"] == ["claims"]
    assert set(finder.frame["owner"]) == {"claims"}
    # A second value adds its rows; the counts are of the other facets.
    people = int((listing["owner"] == "people").sum())
    other = browser.options("owner")[f"people ({people})"]
    message = browser.send("choose", listing=0, facet="owner", choice=other, chosen=True)
    assert message["count"] == claims + people
    assert message["facets"][0]["chosen"] == ["claims", "people"]
    assert [option[3] for option in browser.choices("owner")["options"]][:3] == [True, True, False]
    message = browser.send("choose", listing=0, facet="owner", choice=place, chosen=False)
    assert set(finder.frame["owner"]) == {"people"}
    message = browser.send("choose", listing=0, facet="owner", choice=None)
    assert message["count"] == 130
    assert dict(finder.chosen) == {}


def test_what_would_show_nothing_can_still_be_chosen(browser: Browser) -> None:
    message = browser.send("search", text="no source is called like this")
    assert message["count"] == 0
    assert "options" not in message["facets"][0]
    options = browser.choices("owner")["options"]
    assert options
    assert {count for _, _, count, _ in options} == {0}


def test_a_search_by_fields_and_its_notes(browser: Browser, listing: pd.DataFrame) -> None:
    message = browser.send("search", text="language:de bucket:none")
    wanted = (listing["language"] == "de") & listing["bucket_id"].isna()
    assert message["count"] == int(wanted.sum()) > 0
    assert message["notes"] == []
    assert "language:de" in message["help"]
    notes = browser.send("search", text="langauge:de")["notes"]
    assert notes == ["There is no field langauge; did you mean language?."] or (
        "did you mean language" in notes[0]
    )


def test_sorting_in_the_browser(browser: Browser, listing: pd.DataFrame) -> None:
    message = browser.send("sort", column="updated_at", descending=True)
    assert message["sort"] == ("updated_at", True)
    assert browser.finder.frame["updated_at"].iloc[0] == listing["updated_at"].max()
    place = [column["key"] for column in message["columns"]].index("updated_at")
    assert message["rows"][0][1 + place] == f"{listing['updated_at'].max():%Y-%m-%d %H:%M}"
    assert browser.send("sort", column=None)["sort"] is None
    assert browser.finder.frame.index.tolist() == listing.index.tolist()


def test_choices_sent_are_those_with_most_rows_and_the_chosen_one(
    listing: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    df = many(listing, 1000, 400)
    finder = Finder(df)
    browser = Browser(finder, monkeypatch)
    rare = df["owner"].iloc[399]
    finder.chosen = {"owner": rare}
    message = browser.choices("owner")
    assert len(message["options"]) == 200
    assert message["more"] == 200
    assert message["options"][0][1:] == (rare, 2, True)
    # Those of the first two hundred have a third source each.
    assert sum(count == 3 for _, _, count, _ in message["options"]) == 199
    # Typing finds the others, too.
    other = df["owner"].iloc[398]
    found = browser.choices("owner", f" {other.upper()}")
    assert [label for _, label, _, _ in found["options"]] == [rare, other]
    assert found["more"] == 0


def test_search_chosen_and_sort_from_python_reach_the_browser(browser: Browser) -> None:
    finder = browser.finder
    seen: list[int] = []
    finder.observe(lambda change: seen.append(change["new"]), "shown")
    finder.search = "inbox"
    finder.chosen = {"owner": "claims"}
    finder.sort = ("name", True)
    assert [message["version"] for message in browser.received] == seen
    assert len(set(seen)) == 3
    last = browser.received[-1]
    assert (last["search"], last["sort"]) == ("inbox", ("name", True))
    assert last["facets"][0]["chosen"] == ["claims"]
    assert finder.frame["name"].str.lower().is_monotonic_decreasing
    assert [row[2] for row in last["rows"]] == finder.frame["name"].tolist()[:FIRST_ROWS]
    finder.sort = None
    assert browser.received[-1]["sort"] is None
    with pytest.raises(InvalidInput):
        finder.chosen = {"owner": "nobody"}
    with pytest.raises(InvalidInput):
        finder.sort = ("nothing", False)


def test_several_values_of_a_facet_are_set_from_python(
    browser: Browser, listing: pd.DataFrame
) -> None:
    finder = browser.finder
    finder.chosen = {"owner": ["people", "claims"]}
    assert finder.chosen == {"owner": ("=claims", "=people")}
    assert set(finder.frame["owner"]) == {"claims", "people"}
    (owner, *_) = browser.received[-1]["facets"]
    assert owner["chosen"] == ["claims", "people"]
    # A new listing keeps the values that it has.
    finder.show(listing[listing["owner"] != "claims"].reset_index(drop=True))
    assert finder.chosen == {"owner": ("=people",)}
    assert set(finder.frame["owner"]) == {"people"}
    finder.chosen = {"owner": iter(())}
    assert finder.chosen == {}


# Restrictions


def test_only_some_rows_are_shown_until_it_is_cleared(
    browser: Browser, listing: pd.DataFrame
) -> None:
    finder = browser.finder
    mine = np.flatnonzero(listing["owner"] == "claims").tolist()
    finder.restrict(mine, "of one project")
    message = browser.received[-1]
    assert finder.only == message["only"] == "of one project"
    assert message["status"] == f"{len(mine)} of 130 sources, only those of one project"
    assert message["version"] == finder.shown
    assert finder.positions.tolist() == mine
    assert finder.frame["owner"].unique().tolist() == ["claims"]
    # Search, facets and sorting work within the restriction.
    message = browser.send("search", text="motor")
    found = [place for place in mine if "motor" in listing["name"].iloc[place]]
    assert sorted(finder.positions.tolist()) == found
    assert message["only"] == "of one project"
    browser.send("sort", column="name", descending=True)
    assert finder.frame["name"].str.lower().is_monotonic_decreasing
    assert set(finder.positions.tolist()) == set(found)
    message = browser.send("clear")
    assert finder.only == message["only"] == ""
    assert message["status"] == "130 of 130 sources"


def test_facets_count_what_is_left(browser: Browser, listing: pd.DataFrame) -> None:
    browser.finder.restrict([0, 1], "so")
    rows = listing.iloc[:2]
    assert rows["owner"].unique().tolist() == ["claims"]
    owners = browser.options("owner")
    assert "claims (2)" in owners
    assert "people (0)" in owners


def test_a_restriction_is_lifted_or_replaced_from_python(browser: Browser) -> None:
    finder = browser.finder
    finder.search = "inbox"
    found = finder.positions.tolist()
    finder.restrict(iter(found[:3]), "first")
    finder.restrict([found[4]], "second")
    assert (finder.only, finder.positions.tolist()) == ("second", [found[4]])
    finder.restrict([])
    # The description is optional.
    assert (finder.only, finder.positions.tolist()) == ("some", [])
    assert browser.received[-1]["status"] == "0 of 130 sources, only those some"
    finder.restrict(None, "ignored")
    assert (finder.only, finder.positions.tolist()) == ("", found)
    assert finder.search == "inbox"


def test_observers_of_a_restriction_see_it(browser: Browser) -> None:
    finder = browser.finder
    seen: list[tuple[str, int]] = []
    finder.observe(lambda _: seen.append((finder.only, len(finder.positions))), "shown")
    finder.restrict([3, 7], "one")
    browser.send("clear")
    assert seen == [("one", 2), ("", 130)]


def test_what_restricts_shows_as_text(browser: Browser) -> None:
    browser.finder.restrict([0], "\u202ewith\n" + "x" * 500)
    status = browser.received[-1]["status"]
    assert "only those \\u202ewith\\nxxx" in status
    assert len(status) < 120


def test_what_is_selected_stays_so_while_it_is_restricted_away(browser: Browser) -> None:
    finder = browser.finder
    finder.select([0, 129])
    finder.restrict([0, 1], "so")
    assert finder.selected == (0, 129)
    assert browser.received[-1]["status"].endswith("only those so, 2 selected, 1 of them not shown")
    browser.select(1, "all")
    assert finder.selected == (0, 1)


# Selection


def test_selecting_as_a_click_does(browser: Browser) -> None:
    finder = browser.finder
    message = browser.select(3)
    assert (finder.selected, finder.current) == ((3,), 3)
    assert [row[0] for row in message["rows"]] == [False, False, False, True, False]
    browser.select(5, "toggle")
    assert finder.selected == (3, 5)
    browser.select(8, "extend")
    assert finder.selected == (5, 6, 7, 8)
    browser.select(2, "extend")
    assert (finder.selected, finder.current) == ((2, 3, 4, 5), 2)
    browser.select(4, "toggle")
    assert finder.selected == (2, 3, 5)
    message = browser.select(0, "move")
    assert (finder.selected, finder.current) == ((2, 3, 5), 0)
    assert message["status"] == "130 of 130 sources, 3 selected"
    browser.select(7, "dance")
    browser.select(130)
    browser.select(-1)
    assert (finder.selected, finder.current) == ((2, 3, 5), 0)


def test_a_range_goes_by_what_is_shown(browser: Browser, listing: pd.DataFrame) -> None:
    finder = browser.finder
    finder.sort = ("name", False)
    order = finder.frame.index.tolist()
    browser.select(2)
    browser.select(120, "extend")
    assert finder.selected == tuple(sorted(order[2:121]))
    finder.search = "motor"
    shown = finder.frame.index.tolist()
    message = browser.select(0, "all")
    assert finder.selected == tuple(sorted(shown))
    assert finder.selected == tuple(np.flatnonzero(listing.index.isin(shown)))
    assert message["status"] == f"{len(shown)} of 130 sources, {len(shown)} selected"


def test_what_is_filtered_away_stays_selected_and_is_counted(browser: Browser) -> None:
    browser.select(0)
    browser.select(129, "toggle")
    browser.finder.chosen = {"owner": "claims"}
    assert browser.finder.selected == (0, 129)
    assert browser.received[-1]["status"].endswith("sources, 2 selected, 1 of them not shown")
    # The anchor is not shown, so the range is only the clicked row.
    browser.select(4, "extend")
    assert browser.finder.selected == (4,)


def test_selecting_from_python(browser: Browser) -> None:
    finder = browser.finder
    finder.select([7, 1, 1])
    assert finder.selected == (1, 7)
    before = browser.received[-1]["marks"]
    assert [row[0] for row in browser.received[-1]["rows"][:3]] == [False, True, False]
    finder.select(np.array([2]))
    assert finder.selected == (2,)
    assert browser.received[-1]["marks"] > before
    with pytest.raises(InvalidInput, match="no row at position 130 in a listing of 130 sources"):
        finder.select([0, 130])
    with pytest.raises(InvalidInput, match="position -1"):
        finder.select([-1])
    assert finder.selected == (2,)


def test_observers_see_everything_up_to_date(browser: Browser) -> None:
    finder = browser.finder
    seen: list[tuple[object, object]] = []
    finder.observe(lambda _: seen.append((finder.selected, finder.current)), ["selected"])
    browser.select(6)
    assert seen == [((6,), 6)]


# Malformed and late messages


@pytest.mark.slow
@pytest.mark.parametrize(
    "message",
    [
        None,
        [],
        "open",
        {},
        {"kind": []},
        {"kind": "dance"},
        {"kind": "search"},
        {"kind": "search", "text": 5},
        {"kind": "search", "text": "\ud800", "rows": ["a", None], "view": 3},
        {"kind": "search", "text": "(" * 100_000},
        {"kind": "choose"},
        {"kind": "choose", "facet": "nothing", "choice": "0", "listing": 0},
        {"kind": "choose", "facet": "owner", "choice": "9999", "listing": 0},
        {"kind": "choose", "facet": "owner", "choice": {}, "listing": 0},
        {"kind": "choose", "facet": "owner", "choice": None, "listing": 0},
        {"kind": "choose", "facet": "owner", "choice": True, "chosen": True, "listing": 0},
        {"kind": "choices"},
        {"kind": "choices", "facet": "nothing", "typed": ""},
        {"kind": "choices", "facet": "owner", "typed": 3},
        {"kind": "arrange"},
        {"kind": "arrange", "columns": []},
        {"kind": "arrange", "columns": ["name"]},
        {"kind": "arrange", "columns": [["nothing", None]]},
        {"kind": "arrange", "columns": [["name", "wide"], ["title", 2**80]]},
        {"kind": "edit"},
        {"kind": "sort", "column": "nothing"},
        {"kind": "sort", "column": 3},
        {"kind": "sort", "column": "sensitive_properties", "descending": "yes"},
        {"kind": "select", "row": "1", "how": "only", "version": 0},
        {"kind": "select", "row": 1, "how": [], "version": 0},
        {"kind": "select", "row": 2**80, "how": "only", "version": 0},
        {"kind": "open", "rows": [2**80, 2**81], "view": "me"},
        {"kind": "look", "rows": [0.5, 3], "view": "me"},
        {"kind": "look", "rows": [1, 2, 3], "view": "me"},
    ],
)
def test_malformed_messages_are_passed_over(browser: Browser, message: object) -> None:
    browser.finder._on_message(browser.finder, message, [])
    assert browser.finder.selected == ()
    assert dict(browser.finder.chosen) == {}
    json.dumps(browser.received)
    assert browser.send("clear")["count"] == 130


def test_a_click_on_what_is_not_shown_any_more_selects_nothing(browser: Browser) -> None:
    version = browser.finder.shown
    browser.finder.search = "motor"
    response = browser.send("select", version=version, row=3, how="only")
    assert browser.finder.selected == ()
    # There is still a response, with the rows that are shown now.
    assert response["view"] == "me"
    assert response["version"] == browser.finder.shown


def test_a_choice_of_another_listing_chooses_nothing(
    browser: Browser, listing: pd.DataFrame
) -> None:
    place = next(place for text, place in browser.options("owner").items() if "claims" in text)
    browser.finder.show(listing[listing["owner"] != "claims"])
    browser.send("choose", listing=0, facet="owner", choice=place, chosen=True)
    assert dict(browser.finder.chosen) == {}


@pytest.mark.slow
def test_messages_of_several_threads_at_once(browser: Browser) -> None:
    finder = browser.finder
    failed: list[BaseException] = []

    def click(first: int) -> None:
        try:
            for row in range(first, first + 40):
                browser.send("search", text="" if row % 2 else "inbox")
                browser.select(row, "toggle")
                assert repr(finder).startswith("Finder: ")
        except BaseException as error:  # noqa: BLE001 - asserted below
            failed.append(error)

    threads = [threading.Thread(target=click, args=[first]) for first in (0, 40, 80)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert finder.selected == tuple(np.flatnonzero(finder._state.marks.mask))
    assert finder.shown == 120


# Another listing


def test_another_listing_keeps_what_applies(browser: Browser, listing: pd.DataFrame) -> None:
    finder = browser.finder
    finder.search = "inbox"
    finder.chosen = {"owner": "claims", "language": "en"}
    finder.sort = ("title", True)
    finder.select([5, 10])
    browser.select(0, "move")
    ids = listing["id"].iloc[[5, 10]].tolist()
    assert finder.current is not None
    current = listing["id"].iloc[finder.current]
    shown = finder.shown
    after = listing.iloc[::-1].reset_index(drop=True)
    after = after[after["id"] != ids[1]].reset_index(drop=True)
    after["num_comments"] = pd.Series(range(len(after)), dtype="Int64")
    finder.show(after)
    assert finder.shown > shown
    assert finder.search == "inbox"
    assert set(finder.frame["owner"]) == {"claims"}
    assert set(finder.frame["language"]) == {"en"}
    assert finder.frame["title"].str.lower().is_monotonic_decreasing
    assert after["id"].iloc[list(finder.selected)].tolist() == ids[:1]
    assert after["id"].iloc[finder.current] == current
    assert [column["key"] for column in browser.received[-1]["columns"]][3] == "num_comments"


def test_a_restriction_ends_with_its_listing(browser: Browser, listing: pd.DataFrame) -> None:
    finder = browser.finder
    finder.search = "motor"
    found = len(finder.positions)
    finder.restrict([0], "of before")
    assert finder.listings == 0
    finder.show(listing.copy())
    assert finder.listings == browser.received[-1]["listing"] == 1
    assert (finder.only, browser.received[-1]["only"]) == ("", "")
    assert (finder.search, len(finder.positions)) == ("motor", found)


def test_a_source_made_anew_is_found_by_its_name(finder: Finder, listing: pd.DataFrame) -> None:
    finder.select([3, 4])
    after = listing.copy()
    after.loc[3, "id"] = "f" * 16
    after.loc[4, ["id", "name"]] = ["e" * 16, "another"]
    finder.show(after)
    assert finder.selected == (3,)
    assert finder.current is None


def test_what_does_not_apply_to_another_listing_is_dropped(
    browser: Browser, listing: pd.DataFrame
) -> None:
    finder = browser.finder
    finder.chosen = {"owner": "claims", "language": "en"}
    browser.send("sort", column="title", descending=True)
    finder.select([0])
    finder.show(listing[["id", "owner", "name"]][listing["owner"] != "claims"])
    assert dict(finder.chosen) == {}
    assert finder.sort is None
    assert finder.selected == ()
    finder.show(listing.head(0))
    finder.show(listing)
    assert repr(finder) == "Finder: 130 of 130 sources"


def test_the_listing_keeps_its_labels(listing: pd.DataFrame) -> None:
    finder = Finder(listing.set_index("id", drop=False))
    finder.search = "motor"
    assert finder.frame.index.equals(pd.Index(finder.frame["id"], name="id"))


# Saved notebooks


def test_nothing_of_the_tenant_is_saved_with_a_notebook(browser: Browser) -> None:
    finder = browser.finder
    browser.send("search", text="motor")
    browser.select(0)
    state = Widget.get_manager_state(widgets=[finder])
    finder.search = "claims"
    saved = json.dumps(state) + json.dumps(finder.get_state())
    for text in ("motor", "claims", "10d43f7d7a2ad8ba", "broker"):
        assert text not in saved
    bundle = finder._repr_mimebundle_()
    assert bundle is not None
    assert "motor" not in json.dumps(bundle)
    assert bundle[0]["text/plain"] == repr(finder)
    assert repr(finder).startswith("Finder: ")


def test_what_is_shown_is_not_to_be_assigned(finder: Finder) -> None:
    for name in ("selected", "current", "shown"):
        with pytest.raises(Exception, match="read-only"):
            setattr(finder, name, 1)

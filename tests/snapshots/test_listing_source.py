"""`listing_at` loads the listing that a text names, from a file or a history."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.errors import FileProblem, InvalidInput
from reinfer_nb.snapshots.listing_source import listing_at
from tests.csvfile.test_io import same
from tests.history.test_history import listing_of, of_projects

OLD, NEW = (listing_of(of_projects(a=title, b=title)) for title in ("old", "new"))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def recorded(where: str | Path) -> None:
    history = rnb.History(where)
    history.record(OLD, when=date(2026, 3, 1))
    history.record(NEW, when=date(2026, 4, 1))


@pytest.mark.parametrize("place", ["sources.csv", "./sources.csv", "~/sources.csv", "file:{}"])
def test_a_file_is_read(tmp_path: Path, place: str) -> None:
    # Any text may be the name of a file.
    name = place.format("x@2026-03-01") if ":" in place else "sources.csv"
    rnb.to_csv(NEW, tmp_path / name)
    place = name if ":" in place else place
    same(listing_at(place), NEW)
    same(listing_at(place, "b"), NEW[NEW["owner"] == "b"].reset_index(drop=True))


def test_a_file_without_projects_says_so(tmp_path: Path) -> None:
    rnb.to_csv(pd.DataFrame({"id": ["x"]}), tmp_path / "ids.csv")
    assert len(listing_at("ids.csv")) == 1
    with pytest.raises(InvalidInput, match=r"'ids\.csv' has no column owner"):
        listing_at("ids.csv", "claims")


def test_a_file_that_is_none_of_a_listing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sources.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileProblem, match=r"sources\.csv"):
        listing_at("sources.csv")


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["audits", "audits/", "./audits", "~/audits", "a b/@/2026", "@"])
def test_a_folder_is_a_history(folder: str) -> None:
    recorded(folder)
    same(listing_at(folder), NEW)
    same(listing_at(f"{folder}@2026-04-01"), NEW)
    for moment in ("2026-03-01", "2026-03-01T12:00", "2026-03-31T23:59:59.999999Z"):
        same(listing_at(f"{folder}@{moment}"), OLD)
    piece = listing_at(f"{folder}@2026-03-15", "a")
    same(piece, OLD[OLD["owner"] == "a"].reset_index(drop=True))


@pytest.mark.parametrize("url", ["memory://places", "memory://user@places/@x"])
def test_a_url_is_a_history(url: str) -> None:
    recorded(url)
    same(listing_at(url), NEW)
    same(listing_at(f"{url}@2026-03-01"), OLD)
    same(
        listing_at(f"{url}@2026-03-01", "b")["title"].to_frame(),
        OLD[["title"]].iloc[[1]].reset_index(drop=True),
    )


def test_a_folder_that_ends_like_a_moment_is_that_folder() -> None:
    recorded("audits@2026-03-01")
    same(listing_at("audits@2026-03-01"), NEW)
    same(listing_at("audits@2026-03-01@2026-03-01"), OLD)


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        *("", "missing", "missing.csv", "missing/", "missing@2026-03-01", "audits@", "audits@now"),
        *("~nobody-is-called-so/audits", "a\0b", "x" * 5000, "\x1b[31m", "sources.csv/"),
    ],
)
def test_what_is_not_there_is_said_with_what_could_be(tmp_path: Path, place: str) -> None:
    recorded(tmp_path / "audits")
    rnb.to_csv(NEW, tmp_path / "sources.csv")
    with pytest.raises(FileProblem) as caught:
        listing_at(place)
    assert str(caught.value).endswith("(audits/@2026-03-01).")
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("audits@2026-02", "is not a date or time"),
        ("audits@2026-99-01", "is not a date or time"),
        ("audits@2026-02-01", "the first is of 2026-03-01"),
        (".", "no snapshots yet"),
        ("memory://nothing@2026-02-01", "no snapshots yet"),
    ],
)
def test_a_history_without_such_a_moment_says_so(place: str, said: str) -> None:
    recorded("audits")
    with pytest.raises(InvalidInput, match=said):
        listing_at(place)


@pytest.mark.parametrize("url", ["https://example.com/sources.csv", "s3://bucket/x.csv.gz"])
def test_a_file_at_a_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="copy the file"):
        listing_at(url)


def test_a_project_that_no_snapshot_has_is_refused_with_a_suggestion() -> None:
    recorded("audits")
    history = rnb.History("audits")
    later = listing_of([{"id": "c" * 16, "owner": "claims", "name": "s", "title": "t"}])
    history.record(later, when=date(2026, 5, 1))
    # This project has no sources in the first snapshot, which is no mistake.
    assert history.load("2026-03-01", project="claims").empty
    assert len(history.compare("2026-03-01", project="claims").added) == 1
    for call in (
        lambda: history.load(project="clams"),
        lambda: history.compare("2026-03-01", project="clams"),
        lambda: listing_at("audits", "clams"),
    ):
        with pytest.raises(InvalidInput, match=r"project 'clams'\. Did you mean claims\?$"):
            call()
    with pytest.raises(InvalidInput, match=r"project 'other'\.$"):
        history.load(project="other")

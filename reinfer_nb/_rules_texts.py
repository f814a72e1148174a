"""Rules about what a person reads: titles, descriptions, names."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyarrow import compute

from reinfer_nb import _lookalikes, _scripts
from reinfer_nb.errors import InvalidInput
from reinfer_nb.rules import findings, toolkit_rule
from reinfer_nb.searching import folded, texts_of
from reinfer_nb.text import listed, shown, visible

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])|[-_]+")


@toolkit_rule("warning", "owner", "name", "title")
def missing_title(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a title.

    Reports and dashboards show the title; without one a reader sees nothing, or an API name. The
    suggestion is made of the name, and safe where no other source of the project has that title.
    """
    titles = _folded(df["title"])
    empty = df.index[titles == ""]
    if empty.empty:
        return findings([], [])
    names = df.loc[empty, "name"].map(_title_of, na_action="ignore").fillna("")
    keys = list(zip(df.loc[empty, "owner"], _folded(names), strict=True))
    taken = set(zip(df["owner"].tolist(), titles.tolist(), strict=True))
    often = pd.Series(keys, index=empty, dtype=object).duplicated(keep=False)
    free = [
        title if title and not twice and key not in taken else None
        for title, key, twice in zip(names, keys, often, strict=True)
    ]
    suggestions = ["Give it a title." if new is None else f"title = {shown(new)}" for new in free]
    return findings(empty, "It has no title.", suggestions, field="title", value=free)


def _title_of(name: str) -> str:
    """Return a name as words: "motor-inbox" as "Motor inbox"."""
    words = " ".join(word for word in _HUMP.split(name) if word)
    return words[:1].upper() + words[1:]


@toolkit_rule("info", "description")
def missing_description(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a description.

    It is the one place that says what arrives there, why, and who looks after it; whoever knew
    may have left by the time somebody asks.
    """
    empty = df.index[df["description"].fillna("").str.strip() == ""]
    return findings(
        empty, "It has no description.", "Say what arrives there and who looks after it."
    )


@toolkit_rule("info", "name")
def name_pattern(df: pd.DataFrame, *, pattern: str = "[a-z0-9]+(-[a-z0-9]+)*") -> pd.DataFrame:
    """A name that is not of the agreed form.

    Names stand in scripts and addresses and cannot be changed later; one form for all lets people
    type them from memory. By default: lower case words and numbers with hyphens. Option
    `pattern`: a regular expression that a whole name fits.
    """
    try:
        fits = re.compile(pattern).fullmatch
    except re.error as error:
        raise InvalidInput(f"pattern={shown(pattern)} is no regular expression: {error}.") from None
    names = df["name"].dropna()
    odd = names[[not fits(name) for name in names.tolist()]]
    return findings(
        odd.index,
        [f"The name {shown(name)} is not of the form {shown(pattern)}." for name in odd],
        "A name cannot be changed; keep to the form for new sources.",
    )


@toolkit_rule("warning", "owner", "title")
def twin_titles(df: pd.DataFrame) -> pd.DataFrame:
    """Several sources of one project with the same title.

    In every list and chart they cannot be told apart. Case and spaces do not count.
    """
    titles = pd.Series(_folded(df["title"]), index=df.index)
    told = titles[titles != ""]
    twice = told[told.duplicated(keep=False)]
    groups = twice.groupby([df.loc[twice.index, "owner"], twice], sort=False).ngroup()
    groups = groups[(groups >= 0) & groups.duplicated(keep=False)]
    return findings(
        groups.index,
        [
            f"Its title {shown(title)} is also that of {others}."
            for title, others in zip(df["title"][groups.index], others_of(df, groups), strict=True)
        ],
        "Give each a title of its own, or delete what is not used.",
    )


@toolkit_rule("warning", "owner", "name")
def look_alike_names(df: pd.DataFrame, *, letters: int = 4) -> pd.DataFrame:
    """Sources of one project whose names can be taken for one another.

    Case, `-` and `_` and digits like letters (0 and o, 1 and l, 5 and s) aside they are the same,
    or differ in one letter: one of the two is usually a slip, and comments go to the wrong one.
    Names that differ in a number are a series and not meant. Option `letters`: how long a word is
    at least in which one letter counts.
    """
    known = df[df["name"].notna() & df["owner"].notna()]
    names = texts_of(known["name"])
    owners = pd.factorize(known["owner"])[0].astype(np.int64)
    kin: defaultdict[int, list[int]] = defaultdict(list)
    for left, right in _lookalikes.pairs(owners, names, letters):
        kin[left].append(right)
        kin[right].append(left)
    rows = sorted(kin)
    labels = dict(zip(rows, full_names(known.iloc[rows]), strict=True))
    return findings(
        known.index[rows],
        [
            f"Its name looks like {listed((labels[other] for other in kin[row]), 3)}."
            for row in rows
        ],
        "Find out which one is used; the other may go.",
    )


@toolkit_rule("warning", "name", "title")
def odd_characters(df: pd.DataFrame) -> pd.DataFrame:
    """Invisible characters, or words of mixed alphabets, in a name or title.

    Neither can be seen, and both make a search miss the source or one name pass for another: a
    Cyrillic letter in a Latin word, a zero-width space from a web page. Taking what is invisible
    out of a title is safe.
    """
    parts = [_odd(df, column) for column in ("name", "title")]
    return pd.concat(parts)


def _odd(df: pd.DataFrame, column: str) -> pd.DataFrame:
    anew = (
        "Type the title anew."
        if column == "title"
        else "A name cannot be changed: make a new source."
    )
    texts = texts_of(df[column])
    rows, messages, suggestions, values = [], [], [], []
    for row in np.flatnonzero(np.asarray(_scripts.suspects(texts), dtype=np.bool_)).tolist():
        text = texts[row].as_py()
        bare = _scripts.without_invisible(text)
        if bare != text:
            fix = bare if column == "title" else None
            rows.append(row)
            messages.append(f"Its {column} has characters that nobody sees: {visible(text, 80)}.")
            suggestions.append(anew if fix is None else f"title = {shown(fix)}")
            values.append(fix)
        for word in _scripts.mixed_words(text)[:3]:
            scripts = " and ".join(_scripts.scripts_of(word))
            rows.append(row)
            messages.append(
                f"In its {column} the word {shown(word)} is of several alphabets: {scripts}."
            )
            suggestions.append(anew)
            values.append(None)
    return findings(df.index[rows], messages, suggestions, field=column, value=values)


def _folded(column: pd.Series) -> npt.NDArray[np.object_]:
    """Return texts as they are compared: in one case, spaces as one, missing ones empty."""
    texts = folded(texts_of(column.fillna("")))
    texts = compute.replace_substring_regex(texts, r"\s+", " ")
    return np.asarray(compute.utf8_trim_whitespace(texts), dtype=object)


def full_names(df: pd.DataFrame) -> list[str]:
    """Return what the sources are called, safe to show."""
    pairs = zip(df["owner"].tolist(), df["name"].tolist(), strict=True)
    return [visible(f"{owner}/{name}", 80) for owner, name in pairs]


def others_of(df: pd.DataFrame, groups: pd.Series) -> list[str]:
    """Return, for rows in groups of two or more, which others are in the group.

    Args:
        df: The listing.
        groups: The number of the group of each row that is in one, over its label.
    """
    named = {"owner", "name"} <= set(df.columns)
    few: defaultdict[int, list[str]] = defaultdict(list)
    sizes = groups.value_counts()
    told = full_names(df.loc[groups.index]) if named else [f"row {row:,}" for row in groups.index]
    for group, name in zip(groups, told, strict=True):
        if len(few[group]) < 4:
            few[group].append(name)
    lines = []
    for group, name in zip(groups, told, strict=True):
        others = [other for other in few[group] if other != name][:3]
        more = int(sizes[group]) - 1 - len(others)
        lines.append(", ".join(others) + (f" and {more:,} more" if more > 0 else ""))
    return lines

"""Rules about what a person reads: titles, descriptions, names."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import compute

from reinfer_nb.audits import alphabets, lookalikes
from reinfer_nb.audits.rule import findings, toolkit_rule
from reinfer_nb.errors import InvalidInput
from reinfer_nb.frames.cells import texts_of
from reinfer_nb.search.text_index import folded
from reinfer_nb.text import listed, shown, visible


@toolkit_rule("warning", "owner", "name", "title")
def missing_title(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a title.

    Reports and dashboards show the title; without one a reader sees nothing, or an API name. The
    suggestion is made of the name, and safe where no other source of the project has that title.
    """
    titles = _folded(df["title"])
    lacking = np.asarray(compute.equal(titles, ""), dtype=np.bool_)
    empty = df.index[lacking]
    if empty.empty:
        return findings([], [])
    owners = texts_of(df["owner"].fillna(""))
    made = _titles_of(texts_of(df["name"].fillna("")[empty]))
    keys = _joined(owners.filter(pa.array(lacking)), "\n", folded(made))
    taken = compute.is_in(keys, value_set=_joined(owners, "\n", titles))
    often = keys.to_pandas().duplicated(keep=False).to_numpy()
    free = ~(np.asarray(taken, dtype=np.bool_) | often) & np.asarray(compute.not_equal(made, ""))
    told = _joined("title = ", "", _all_shown(made))
    return findings(
        empty,
        "It has no title.",
        compute.if_else(pa.array(free), told, "Give it a title."),
        field="title",
        value=compute.if_else(pa.array(free), made, None).to_pylist(),
    )


def _titles_of(names: pa.Array) -> pa.Array:
    """Return names as words: "motor-inbox" as "Motor inbox"."""
    odd = alphabets.suspects(names)
    bare = [alphabets.without_invisible(name) for name in names.filter(odd).to_pylist()]
    if bare:
        names = compute.replace_with_mask(names, odd, pa.array(bare, names.type))
    parted = compute.replace_substring_regex(names, "([a-z])([A-Z])", r"\1 \2")
    spaced = compute.replace_substring_regex(parted, r"[-_\s]+", " ")
    words = compute.utf8_trim_whitespace(spaced)
    first = compute.utf8_upper(compute.utf8_slice_codeunits(words, 0, 1))
    return _joined(first, "", compute.utf8_slice_codeunits(words, 1))


def _all_shown(texts: pa.Array) -> pa.Array:
    """Return what `shown` returns of each, which is in quotes what is plain."""
    odd = compute.invert(compute.match_substring_regex(texts, r"^[ -&(-\[\]-~]{0,78}$"))
    quoted = _joined("'", "", _joined(texts, "", "'"))
    told = [shown(text) for text in texts.filter(odd).to_pylist()]
    return compute.replace_with_mask(quoted, odd, pa.array(told, texts.type)) if told else quoted


def _joined(left: Any, between: str, right: Any) -> pa.Array:
    left, right = (
        pa.scalar(part, pa.large_string()) if isinstance(part, str) else part
        for part in (left, right)
    )
    between_them = pa.scalar(between, pa.large_string())
    return compute.binary_join_element_wise(left, right, between_them)


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
    titles = pd.Series(_folded(df["title"]), index=df.index, dtype="str")
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
    for left, right in lookalikes.pairs(owners, names, letters):
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
    return pd.concat(parts).sort_index(kind="stable")


def _odd(df: pd.DataFrame, column: str) -> pd.DataFrame:
    anew = (
        "Type the title anew."
        if column == "title"
        else "A name cannot be changed: make a new source."
    )
    texts = texts_of(df[column])
    rows, messages, suggestions, values = [], [], [], []
    for row in np.flatnonzero(np.asarray(alphabets.suspects(texts), dtype=np.bool_)).tolist():
        text = texts[row].as_py()
        bare = alphabets.without_invisible(text)
        if bare != text:
            fix = bare if column == "title" and bare else None
            rows.append(row)
            messages.append(f"Its {column} has characters that nobody sees: {visible(text, 80)}.")
            suggestions.append(anew if fix is None else f"title = {shown(fix)}")
            values.append(fix)
        for word in alphabets.mixed_words(text)[:3]:
            scripts = " and ".join(alphabets.scripts_of(word))
            rows.append(row)
            messages.append(
                f"In its {column} the word {shown(word)} is of several alphabets: {scripts}."
            )
            suggestions.append(anew)
            values.append(None)
    return findings(df.index[rows], messages, suggestions, field=column, value=values)


def _folded(column: pd.Series) -> pa.Array:
    """Return texts as they are compared: in one case, spaces as one, missing ones empty."""
    texts = folded(texts_of(column.fillna("")))
    texts = compute.replace_substring_regex(texts, r"[\s\x{a0}]+", " ")
    return compute.utf8_trim_whitespace(texts)


def full_names(df: pd.DataFrame) -> list[str]:
    """Return what sources are called, safe to show; only the name where the owner is missing."""
    pairs = zip(df["owner"].fillna("").tolist(), df["name"].fillna("").tolist(), strict=True)
    return [
        visible(f"{owner}/{name}" if owner else name, 80) if name else "a source without a name"
        for owner, name in pairs
    ]


def others_of(df: pd.DataFrame, groups: pd.Series) -> list[str]:
    """Return, for rows in groups of two or more, which others are in the group.

    Args:
        df: The listing.
        groups: The number of the group of each row that is in one, over its label.
    """
    named = {"owner", "name"} <= set(df.columns)
    told = full_names(df.loc[groups.index]) if named else [f"row {row:,}" for row in groups.index]
    places: defaultdict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(groups.tolist()):
        places[group].append(place)
    lines = []
    for place, group in enumerate(groups.tolist()):
        others = [told[other] for other in places[group][:4] if other != place][:3]
        more = len(places[group]) - 1 - len(others)
        lines.append(", ".join(others) + (f" and {more:,} more" if more else ""))
    return lines

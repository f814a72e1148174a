"""Rules about titles, descriptions and names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
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

# Words in lower case and numbers, with hyphens.
_PATTERN = "[a-z0-9]+(-[a-z0-9]+)*"


@toolkit_rule("warning", "owner", "name", "title")
def missing_title(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a title.

    Reports and dashboards show the title; without it, readers see nothing or an API name. The
    suggested title is made from the name; it is safe if no other source of the project has it.
    """
    titles = _folded(df["title"])
    missing = np.asarray(compute.equal(titles, ""), dtype=np.bool_)
    rows = df.index[missing]
    if rows.empty:
        return findings([], [])
    owners = texts_of(df["owner"].fillna(""))
    new_titles = _titles_from(texts_of(df["name"].fillna("")[rows]))
    keys = _joined(owners.filter(pa.array(missing)), "\n", folded(new_titles))
    taken = compute.is_in(keys, value_set=_joined(owners, "\n", titles))
    repeated = keys.to_pandas().duplicated(keep=False).to_numpy()
    empty = np.asarray(compute.equal(new_titles, ""))
    safe = pa.array(~(np.asarray(taken, dtype=np.bool_) | repeated | empty))
    suggestions = _joined("title = ", "", _all_shown(new_titles))
    return findings(
        rows,
        "It has no title.",
        compute.if_else(safe, suggestions, "Give it a title."),
        field="title",
        value=compute.if_else(safe, new_titles, None).to_pylist(),
    )


def _titles_from(names: pa.Array) -> pa.Array:
    """Return names as titles: "motor-inbox" as "Motor inbox"."""
    suspect = alphabets.suspects(names)
    cleaned = [alphabets.without_invisible(name) for name in names.filter(suspect).to_pylist()]
    if cleaned:
        names = compute.replace_with_mask(names, suspect, pa.array(cleaned, names.type))
    split = compute.replace_substring_regex(names, "([a-z])([A-Z])", r"\1 \2")
    spaced = compute.replace_substring_regex(split, r"[-_\s]+", " ")
    words = compute.utf8_trim_whitespace(spaced)
    first = compute.utf8_upper(compute.utf8_slice_codeunits(words, 0, 1))
    return _joined(first, "", compute.utf8_slice_codeunits(words, 1))


def _all_shown(texts: pa.Array) -> pa.Array:
    """Apply `shown` to each text of an array; short texts of plain ASCII only need quotes."""
    other = compute.invert(compute.match_substring_regex(texts, r"^[ -&(-\[\]-~]{0,78}$"))
    quoted = _joined("'", "", _joined(texts, "", "'"))
    escaped = [shown(text) for text in texts.filter(other).to_pylist()]
    if not escaped:
        return quoted
    return compute.replace_with_mask(quoted, other, pa.array(escaped, texts.type))


def _joined(left: Any, separator: str, right: Any) -> pa.Array:
    parts = [
        pa.scalar(part, pa.large_string()) if isinstance(part, str) else part
        for part in (left, right, separator)
    ]
    return compute.binary_join_element_wise(*parts)


@toolkit_rule("info", "description")
def missing_description(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a description.

    Only the description says what the source contains, why it exists and who maintains it. The
    people who know may have left when somebody asks.
    """
    rows = df.index[df["description"].fillna("").str.strip() == ""]
    return findings(rows, "It has no description.", "Say what it contains and who maintains it.")


@toolkit_rule("info", "name")
def name_pattern(df: pd.DataFrame, *, pattern: str = _PATTERN) -> pd.DataFrame:
    """A name that does not match the agreed pattern.

    Names are used in scripts and URLs and cannot be changed later; a common pattern lets people
    type them from memory. By default: lower case words and numbers with hyphens. Option
    `pattern`: a regular expression that the whole name must match.
    """
    try:
        matches = re.compile(pattern).fullmatch
    except re.error as error:
        raise InvalidInput(
            f"pattern={shown(pattern)} is not a regular expression: {error}."
        ) from None
    names = df["name"].dropna()
    if pattern == _PATTERN:
        # Arrow finds most names that match in a tenth of the time.
        likely = compute.match_substring_regex(texts_of(names), f"^{_PATTERN}$")
        names = names[~np.asarray(likely, dtype=np.bool_)]
    others = names[[not matches(name) for name in names.tolist()]]
    return findings(
        others.index,
        [f"The name {shown(name)} does not match the pattern {shown(pattern)}." for name in others],
        "Names cannot be changed; follow the pattern for new sources.",
    )


@toolkit_rule("warning", "owner", "title")
def twin_titles(df: pd.DataFrame) -> pd.DataFrame:
    """Several sources of one project with the same title.

    Readers of lists and charts cannot tell them apart. Case and repeated spaces are ignored.
    """
    titles = pd.Series(_folded(df["title"]), index=df.index, dtype="str")
    titles = titles[titles != ""]
    titles = titles[titles.duplicated(keep=False)]
    groups = titles.groupby([df.loc[titles.index, "owner"], titles], sort=False).ngroup()
    groups = groups[(groups >= 0) & groups.duplicated(keep=False)]
    return findings(
        groups.index,
        [
            f"Its title {shown(title)} is also used by {others}."
            for title, others in zip(df["title"][groups.index], others_of(df, groups), strict=True)
        ],
        "Give each source its own title, or delete unused sources.",
    )


@toolkit_rule("warning", "owner", "name")
def look_alike_names(df: pd.DataFrame, *, letters: int = 4) -> pd.DataFrame:
    """Sources of one project whose names look alike.

    The names differ only in case, `-`, `_` and digits that resemble letters (0 and o, 1 and l,
    5 and s), or in one letter. One of the two is usually a typo, and comments go to the wrong
    source. Names that differ in a number are a series and are not reported. Option `letters`: the
    minimum length of a word in which a single letter may differ.
    """
    sources = df[df["name"].notna() & df["owner"].notna()]
    names = texts_of(sources["name"])
    owners = pd.factorize(sources["owner"])[0].astype(np.int64)
    similar: defaultdict[int, list[int]] = defaultdict(list)
    for left, right in lookalikes.pairs(owners, names, letters):
        similar[left].append(right)
        similar[right].append(left)
    rows = sorted(similar)
    labels = dict(zip(rows, source_labels(sources.iloc[rows]), strict=True))
    return findings(
        sources.index[rows],
        [
            f"Its name looks like {listed((labels[other] for other in similar[row]), 3)}."
            for row in rows
        ],
        "Find out which source is in use and delete the other.",
    )


@toolkit_rule("warning", "name", "title")
def odd_characters(df: pd.DataFrame) -> pd.DataFrame:
    """Invisible characters, or words that mix alphabets, in a name or title.

    Readers do not see them: a Cyrillic letter in a Latin word, or a zero-width space copied from a
    web page. Searches then miss the source, and a name can pass for another one. Removing
    invisible characters from a title is safe.
    """
    parts = [_odd_characters(df, column) for column in ("name", "title")]
    return pd.concat(parts).sort_index(kind="stable")


def _odd_characters(df: pd.DataFrame, column: str) -> pd.DataFrame:
    advice = (
        "Type the title again."
        if column == "title"
        else "Names cannot be changed; create a new source."
    )
    texts = texts_of(df[column])
    rows, messages, suggestions, values = [], [], [], []
    for row in np.flatnonzero(np.asarray(alphabets.suspects(texts), dtype=np.bool_)).tolist():
        text = texts[row].as_py()
        cleaned = alphabets.without_invisible(text)
        if cleaned != text:
            fix = cleaned if column == "title" and cleaned else None
            rows.append(row)
            messages.append(f"Its {column} has invisible characters: {visible(text, 80)}.")
            suggestions.append(advice if fix is None else f"title = {shown(fix)}")
            values.append(fix)
        for word in alphabets.mixed_words(text)[:3]:
            scripts = " and ".join(alphabets.scripts_of(word))
            rows.append(row)
            messages.append(f"The word {shown(word)} in its {column} mixes {scripts} letters.")
            suggestions.append(advice)
            values.append(None)
    return findings(df.index[rows], messages, suggestions, field=column, value=values)


def _folded(column: pd.Series) -> pa.Array:
    """Return a column as texts to compare: lower case, single spaces, "" if missing."""
    texts = folded(texts_of(column.fillna("")))
    # To find odd spaces takes a fifth of the time that replacing does, and few titles have any.
    odd = compute.match_substring_regex(texts, r"\s\s|[\t\n\f\r\x{a0}]")
    spaced = compute.replace_substring_regex(texts.filter(odd), r"[\s\x{a0}]+", " ")
    return compute.utf8_trim_whitespace(compute.replace_with_mask(texts, odd, spaced))


def source_labels(df: pd.DataFrame) -> list[str]:
    """Return the full names of sources, safe to show; without the project if it is missing."""
    pairs = zip(df["owner"].fillna("").tolist(), df["name"].fillna("").tolist(), strict=True)
    return [
        visible(f"{owner}/{name}" if owner else name, 80) if name else "a source without a name"
        for owner, name in pairs
    ]


def others_of(
    df: pd.DataFrame, groups: pd.Series, among: Sequence[bool] | None = None
) -> list[str]:
    """Return, for each row of a group, the names of up to three other rows of that group.

    Args:
        df: The listing.
        groups: Group numbers, indexed by row label; each group has two rows or more.
        among: For each of these rows, whether it may be named; None for all. If no other row of
            a group may, the text is empty.
    """
    has_names = {"owner", "name"} <= set(df.columns)
    rows = groups.index
    labels = source_labels(df.loc[rows]) if has_names else [f"row {row:,}" for row in rows]
    members: defaultdict[int, list[int]] = defaultdict(list)
    included = [True] * len(rows) if among is None else among
    for position, group in enumerate(groups.tolist()):
        if included[position]:
            members[group].append(position)
    lines = []
    for position, group in enumerate(groups.tolist()):
        others = [labels[other] for other in members[group][:4] if other != position][:3]
        more = len(members[group]) - included[position] - len(others)
        lines.append(", ".join(others) + (f" and {more:,} more" if more else ""))
    return lines

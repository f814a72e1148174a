"""Rules that hold a source against the others of its project."""

from __future__ import annotations

from collections import Counter, defaultdict

import pandas as pd

from reinfer_nb.audits.rule import findings, toolkit_rule
from reinfer_nb.audits.text_rules import others_of
from reinfer_nb.schema.records import LANGUAGES
from reinfer_nb.text import listed, shown


@toolkit_rule("warning", "bucket_id")
def shared_bucket(df: pd.DataFrame) -> pd.DataFrame:
    """One bucket that feeds several sources.

    Each of its emails is loaded into all of them, counted several times and paid for as often.
    """
    fed = df["bucket_id"].dropna()
    fed = fed[fed != ""]
    shared = fed[fed.duplicated(keep=False)]
    groups = pd.Series(pd.factorize(shared)[0], index=shared.index)
    lines = zip(shared, others_of(df, groups), strict=True)
    return findings(
        shared.index,
        [f"Its bucket {shown(bucket)} also feeds {others}." for bucket, others in lines],
        "Keep the source that is used; detach the bucket from the others (bucket_id=None).",
    )


@toolkit_rule("warning", "owner", "language")
def odd_language(df: pd.DataFrame, *, siblings: int = 3) -> pd.DataFrame:
    """A language unlike that of all siblings.

    Where all other sources of a project have one language, a single other one is more often a
    wrong choice in a form than a wish. Option `siblings`: how many others there are at least.
    """
    told = df[df["owner"].notna() & df["language"].notna()]
    pairs = told.groupby(["owner", "language"], sort=False).size()
    table = pairs.reset_index(name="sources")
    table["all"] = table.groupby("owner")["sources"].transform("sum")
    table["kinds"] = table.groupby("owner")["sources"].transform("size")
    two = table[(table["kinds"] == 2) & (table["all"] > siblings)]
    lone = two[(two["sources"] == 1) & (two["all"] - two["sources"] > 1)]
    many = two[(two["sources"] > 1) & two["owner"].isin(lone["owner"])]
    common = many.set_index("owner")["language"]
    found = told[["owner", "language"]].reset_index().merge(lone, on=["owner", "language"])
    usual = found["owner"].map(common)
    return findings(
        found["index"],
        [
            f"Its language is {_language(own)}, that of all its siblings {_language(other)}."
            for own, other in zip(found["language"], usual, strict=True)
        ],
        [f"If that is a slip: language = {shown(other)}" for other in usual],
    )


def _language(value: str) -> str:
    return LANGUAGES.get(value, shown(value))


@toolkit_rule("warning", "owner", "sensitive_properties")
def odd_sensitive_properties(
    df: pd.DataFrame, *, siblings: int = 3, share: float = 0.8
) -> pd.DataFrame:
    """A property that the siblings hide from most users, and this source shows.

    What is sensitive in one source of a project is hardly public in the next. Options:
    `siblings`, how many others there are at least; `share`, how many of them, from 0 to 1, hide
    the property.
    """
    owners, cells = df["owner"].tolist(), df["sensitive_properties"].tolist()
    # A listing has few distinct tuples.
    counts = Counter(zip(owners, cells, strict=True))
    sizes: Counter[str] = Counter()
    hiding: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (owner, items), count in counts.items():
        sizes[owner] += count
        hiding[owner].update(dict.fromkeys(items, count))
    lacking: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    for owner, items in counts:
        others = sizes[owner] - 1
        if others >= siblings:
            usual = sorted(p for p, count in hiding[owner].items() if count / others >= share)
            lacking[owner, items] = tuple(p for p in usual if p not in items)
    rows: list[int] = []
    messages: list[str] = []
    suggestions: list[str] = []
    if not any(lacking.values()):
        return findings(rows, messages)
    for row, (owner, items) in enumerate(zip(owners, cells, strict=True)):
        absent = lacking.get((owner, items))
        if absent and isinstance(owner, str):
            rows.append(row)
            count = min(hiding[owner][name] for name in absent)
            what = listed(map(shown, absent))
            messages.append(f"It shows {what}, which {count:,} of its siblings hide.")
            suggestions.append(f"sensitive_properties = {shown([*items, *absent], 200)}")
    return findings(df.index[rows], messages, suggestions)


@toolkit_rule("info", "owner", "email_transform_tag", "email_transform_version")
def transform_drift(df: pd.DataFrame) -> pd.DataFrame:
    """An email transform, or a version of it, unlike the project's usual one.

    Emails that are cleaned in two ways give two kinds of comments, and a model trained on one
    does worse on the other. Meant are tags other than the most common one, of several as common
    the first by name, and versions below the highest of the same tag.
    """
    told = df[df["owner"].notna() & df["email_transform_tag"].notna()]
    tags = told.groupby(["owner", "email_transform_tag"], sort=True).size()
    order = tags.sort_values(ascending=False, kind="stable").reset_index(name="sources")
    usual = told["owner"].map(
        order.drop_duplicates("owner").set_index("owner")["email_transform_tag"]
    )
    other = told.index[told["email_transform_tag"] != usual]
    versions = told["email_transform_version"].dropna()
    groups = [told.loc[versions.index, name] for name in ("owner", "email_transform_tag")]
    highest = versions.groupby(groups, sort=False).transform("max")
    old = versions.index[versions < highest]
    tables = [
        findings(
            other,
            [
                f"Its email transform is {shown(tag)}, the usual one of its project "
                f"{shown(common)}."
                for tag, common in zip(
                    told.loc[other, "email_transform_tag"], usual[other], strict=True
                )
            ],
            "Emails cleaned in one way can be compared; choose one tag for the project.",
        ),
        findings(
            old,
            [
                f"Its email transform is version {own:,}, a sibling's {newest:,}."
                for own, newest in zip(versions[old], highest[old], strict=True)
            ],
            "Move to the newest version together, and look at some emails before.",
        ),
    ]
    return pd.concat(tables).sort_index(kind="stable")

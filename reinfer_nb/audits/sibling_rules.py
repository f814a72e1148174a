"""Rules that compare a source with the other sources of its project, its siblings."""

from __future__ import annotations

from collections import Counter, defaultdict

import pandas as pd

from reinfer_nb.audits.recency import SILENT_DAYS, got_comments, last_comments
from reinfer_nb.audits.rule import findings, toolkit_rule
from reinfer_nb.audits.text_rules import others_of
from reinfer_nb.schema.records import LANGUAGES
from reinfer_nb.text import counted, listed, shown


@toolkit_rule("warning", "bucket_id")
def shared_bucket(
    df: pd.DataFrame, now: pd.Timestamp, *, silent_days: int = SILENT_DAYS
) -> pd.DataFrame:
    """One bucket that feeds several sources.

    Each email is loaded into all of these sources, and counted and billed several times.

    In a listing with the times of the newest comments (`Client.contents`), the message names the
    sources that got comments in the last `silent_days` (option): these are fed, and the bucket of
    the others may be a leftover. Without these times, the rule sees the settings only: the bucket
    may feed several sources, one, or none.
    """
    buckets = df["bucket_id"].dropna()
    buckets = buckets[buckets != ""]
    shared = buckets[buckets.duplicated(keep=False)]
    groups = pd.Series(pd.factorize(shared)[0], index=shared.index)
    lines = zip(shared, others_of(df, groups), _fed(df, groups, now, silent_days), strict=True)
    return findings(
        shared.index,
        [f"Its bucket {shown(bucket)} also feeds {others}.{fed}" for bucket, others, fed in lines],
        "Keep the source in use; detach the bucket from the others: empty their bucket_id.",
    )


def _fed(df: pd.DataFrame, groups: pd.Series, now: pd.Timestamp, days: int) -> list[str]:
    """Return, for each row, which sources of its group got comments lately, as a sentence.

    The text is empty if no newest comment is known in its group.
    """
    sources = df.loc[groups.index]
    is_known = last_comments(sources).notna().groupby(groups).transform("any").tolist()
    if not any(is_known):
        return [""] * len(groups)
    is_fed = got_comments(sources, now, days).tolist()
    period = f"in the last {counted(days, 'day')}"
    sentences = []
    for known, own, others in zip(is_known, is_fed, others_of(df, groups, is_fed), strict=True):
        names = " and ".join(filter(None, ["this source" if own else "", others]))
        if names:
            sentence = f" Comments {period} came to {names}."
        else:
            sentence = (
                f" No source of this bucket is known to have got comments {period}."
                if known
                else ""
            )
        sentences.append(sentence)
    return sentences


@toolkit_rule("warning", "owner", "language")
def odd_language(df: pd.DataFrame, *, siblings: int = 3) -> pd.DataFrame:
    """A language that differs from that of all siblings.

    If all other sources of a project have the same language, a single different one is probably a
    mistake. Option `siblings`: the minimum number of other sources.
    """
    sources = df[df["owner"].notna() & df["language"].notna()]
    sizes = sources.groupby(["owner", "language"], sort=False).size()
    table = sizes.reset_index(name="sources")
    table["total"] = table.groupby("owner")["sources"].transform("sum")
    table["languages"] = table.groupby("owner")["sources"].transform("size")
    two = table[(table["languages"] == 2) & (table["total"] > siblings)]
    single = two[(two["sources"] == 1) & (two["total"] > 2)]
    usual = two[(two["sources"] > 1) & two["owner"].isin(single["owner"])]
    rows = sources[["owner", "language"]].reset_index().merge(single, on=["owner", "language"])
    expected = rows["owner"].map(usual.set_index("owner")["language"])
    return findings(
        rows["index"],
        [
            f"Its language is {_label(actual)}; that of all its siblings is {_label(other)}."
            for actual, other in zip(rows["language"], expected, strict=True)
        ],
        [f"If this is a mistake: language = {shown(other)}" for other in expected],
    )


def _label(value: str) -> str:
    return LANGUAGES.get(value, shown(value))


@toolkit_rule("warning", "owner", "sensitive_properties")
def odd_sensitive_properties(
    df: pd.DataFrame, *, siblings: int = 3, share: float = 0.8
) -> pd.DataFrame:
    """A property that is sensitive in the siblings but not in this source.

    A property that is hidden from most users in the other sources of a project is rarely meant to
    be visible in this one. Options: `siblings`, the minimum number of other sources; `share`, the
    share of them, from 0 to 1, that hide the property.
    """
    owners, cells = df["owner"].tolist(), df["sensitive_properties"].tolist()
    # A listing has few distinct tuples.
    counts = Counter(zip(owners, cells, strict=True))
    sizes: Counter[str] = Counter()
    hiding: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (owner, items), count in counts.items():
        sizes[owner] += count
        hiding[owner].update(dict.fromkeys(items, count))
    missing: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
    for owner, items in counts:
        others = sizes[owner] - 1
        if others >= siblings:
            usual = sorted(p for p, count in hiding[owner].items() if count / others >= share)
            missing[owner, items] = tuple(p for p in usual if p not in items)
    rows: list[int] = []
    messages: list[str] = []
    suggestions: list[str] = []
    if not any(missing.values()):
        return findings(rows, messages)
    for row, (owner, items) in enumerate(zip(owners, cells, strict=True)):
        names = missing.get((owner, items))
        if names and isinstance(owner, str):
            rows.append(row)
            count = min(hiding[owner][name] for name in names)
            properties = listed(map(shown, names))
            messages.append(f"It shows {properties}, which {count:,} of its siblings hide.")
            suggestions.append(f"sensitive_properties = {shown([*items, *names], 200)}")
    return findings(df.index[rows], messages, suggestions)


@toolkit_rule("info", "owner", "email_transform_tag", "email_transform_version")
def transform_drift(df: pd.DataFrame) -> pd.DataFrame:
    """An email transform, or a version of it, that differs from the project's usual one.

    Emails that are cleaned in two ways give two kinds of comments, and a model trained on one kind
    does worse on the other. The rule finds tags other than the most common one (of equally common
    tags, the first by name) and versions below the highest one of the same tag.
    """
    sources = df[df["owner"].notna() & df["email_transform_tag"].notna()]
    sizes = sources.groupby(["owner", "email_transform_tag"], sort=True).size()
    by_size = sizes.sort_values(ascending=False, kind="stable").reset_index(name="sources")
    most_common = by_size.drop_duplicates("owner").set_index("owner")["email_transform_tag"]
    usual = sources["owner"].map(most_common)
    unusual = sources.index[sources["email_transform_tag"] != usual]
    versions = sources["email_transform_version"].dropna()
    groups = [sources.loc[versions.index, name] for name in ("owner", "email_transform_tag")]
    highest = versions.groupby(groups, sort=False).transform("max")
    outdated = versions.index[versions < highest]
    tables = [
        findings(
            unusual,
            [
                f"Its email transform is {shown(tag)}; the usual one in its project is "
                f"{shown(common)}."
                for tag, common in zip(
                    sources.loc[unusual, "email_transform_tag"], usual[unusual], strict=True
                )
            ],
            "Choose one tag for the project, so that all emails are cleaned in the same way.",
        ),
        findings(
            outdated,
            [
                f"Its email transform is version {version:,}; a sibling has version {newest:,}."
                for version, newest in zip(versions[outdated], highest[outdated], strict=True)
            ],
            "Check some emails, then move all sources of the project to the newest version.",
        ),
    ]
    return pd.concat(tables).sort_index(kind="stable")

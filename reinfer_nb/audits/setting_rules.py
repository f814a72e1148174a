"""Rules about one source by itself: its bucket, kind, language, age and comments."""

from __future__ import annotations

import pandas as pd

from reinfer_nb.audits.rule import findings, toolkit_rule
from reinfer_nb.schema.records import KINDS
from reinfer_nb.text import counted, listed, shown

# How far the clocks of two machines may be apart.
_SLACK = pd.Timedelta(minutes=5)


@toolkit_rule("info", "bucket_id")
def no_bucket(df: pd.DataFrame) -> pd.DataFrame:
    """A source that no bucket feeds.

    What it holds comes by the API, or nothing comes any more. Fine for chats and calls that a
    program loads; a mailbox without its bucket has fallen silent.
    """
    rows = df.index[df["bucket_id"].fillna("") == ""]
    return findings(rows, "No bucket feeds it.", "Set bucket_id, if it is to be fed by one.")


@toolkit_rule("info", "updated_at")
def stale(df: pd.DataFrame, now: pd.Timestamp, *, days: int = 365) -> pd.DataFrame:
    """A source whose settings nobody has changed for long.

    Old settings are often forgotten ones: the team has moved on, the transform is of then. Option
    `days`: from how many on.
    """
    ages = (now - df["updated_at"]).dt.days
    old = df.index[ages >= days]
    told = pd.DataFrame(
        {"age": ages[old].astype(int), "day": df.loc[old, "updated_at"].dt.floor("D")}
    )
    # A day's worth of them have one message.
    groups = told.groupby(["age", "day"], sort=False).ngroup()
    messages = [
        f"Not updated for {counted(age, 'day')}, since {day:%Y-%m-%d}."
        for age, day in told[~groups.duplicated()].itertuples(index=False)
    ]
    return findings(
        old,
        pd.Series(messages, dtype="str").take(groups.to_numpy()),
        "Ask its team whether it is still used.",
    )


@toolkit_rule("error", "created_at", "updated_at")
def impossible_times(df: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Timestamps that cannot be: in the future, or updated before created.

    A clock was wrong, or a file was edited by hand. Whatever sorts or filters by time goes wrong
    with it.
    """
    parts = []
    for column in ("created_at", "updated_at", "last_modified"):
        if column not in df:
            continue
        ahead = df.index[df[column] > now + _SLACK]
        if len(ahead):
            told = [f"Its {column}, {_day(when)}, is in the future." for when in df[column][ahead]]
            parts.append(findings(ahead, told, "Find out whose clock was wrong."))
        early = df.index[df["created_at"] - df[column] > _SLACK]
        if len(early):
            told = [
                f"Its {column}, {_day(when)}, is before its created_at, {_day(created)}."
                for when, created in zip(df[column][early], df["created_at"][early], strict=True)
            ]
            parts.append(findings(early, told, "Find out whose clock was wrong."))
    return pd.concat(parts).sort_index(kind="stable") if parts else findings([], [])


def _day(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


@toolkit_rule("warning", "language", "should_translate")
def needless_translation(df: pd.DataFrame) -> pd.DataFrame:
    """Translation switched on where the language is English.

    Nothing is to be translated there; it costs time and may change words. Switching it off is
    safe.
    """
    rows = df.index[(df["language"] == "en") & df["should_translate"].fillna(value=False)]
    return findings(
        rows,
        "It is translated, and its language is English.",
        "should_translate = False",
        field="should_translate",
        value=[False] * len(rows),
    )


@toolkit_rule("warning", "language", "should_translate")
def missing_translation(df: pd.DataFrame) -> pd.DataFrame:
    """Translation switched off where the language is multilingual.

    Models then read a mixture of languages. Switching it on sends texts to the translation from
    then on, so it is not done without a look.
    """
    rows = df.index[(df["language"] == "xlm") & ~df["should_translate"].fillna(value=True)]
    return findings(
        rows,
        "It is not translated, and its language is multilingual.",
        "If its comments are to be read in one language: should_translate = True",
    )


@toolkit_rule("info", "kind")
def unknown_kind(df: pd.DataFrame) -> pd.DataFrame:
    """A source of which nothing says what its comments are.

    Its kind is missing, or one that this toolkit does not know; or it is "unknown", and no bucket
    or email transform says that they are emails. Charts and models take chats, calls and emails
    apart by it.
    """
    kinds = df["kind"].fillna("")
    mail = pd.Series(data=False, index=df.index)
    for column in ("bucket_id", "email_transform_tag"):
        if column in df:
            mail |= df[column].fillna("") != ""
    rows = df.index[~kinds.isin(KINDS) | ((kinds == "unknown") & ~mail)]
    messages = {
        "": "Its kind is missing.",
        "unknown": 'Its kind is "unknown", and nothing else tells what its comments are.',
    }
    codes, found = pd.factorize(kinds[rows])
    told = [
        messages.get(kind) or f"Its kind is {shown(kind)}, which is not known." for kind in found
    ]
    return findings(
        rows,
        pd.Series(told, dtype="str").take(codes),
        f"Say which it is: kind is one of {listed(kind for kind in KINDS if kind != 'unknown')}.",
    )


@toolkit_rule("info", "num_comments")
def no_comments(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a single comment.

    It was made and never filled, or filled under another name. Runs where comments were counted
    (`Client.statistics`).
    """
    counts = pd.to_numeric(df["num_comments"], errors="coerce")
    rows = df.index[counts.eq(0).fillna(value=False)]
    return findings(rows, "It has no comments.", "If nothing is to come, it may go.")

"""Rules about single sources: their bucket, kind, language, age and comments."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb.audits.recency import SILENT_DAYS, got_comments, last_comments
from reinfer_nb.audits.rule import findings, toolkit_rule
from reinfer_nb.schema.added_columns import COMMENTS, LAST_COMMENT, LAST_MONTH, USUAL_MONTH
from reinfer_nb.schema.records import KINDS
from reinfer_nb.text import counted, listed, shown

# Tolerated difference between the clocks of two machines.
_TOLERANCE = pd.Timedelta(minutes=5)


@toolkit_rule("info", "bucket_id")
def no_bucket(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a bucket.

    It gets comments through the API only, or none at all. That is normal for chats and calls that a
    program uploads, but a mailbox without a bucket gets no new emails.
    """
    rows = df.index[df["bucket_id"].fillna("") == ""]
    return findings(rows, "It has no bucket.", "Set bucket_id if a bucket should feed it.")


@toolkit_rule("info", "updated_at")
def stale(
    df: pd.DataFrame, now: pd.Timestamp, *, days: int = 365, silent_days: int = SILENT_DAYS
) -> pd.DataFrame:
    """A source whose settings have not been updated for a long time.

    Nobody may maintain it any more, and its email transform may be outdated. Option `days`: the
    minimum age in days.

    In a listing with the times of the newest comments (`Client.contents`), a source that got
    comments in the last `silent_days` (option) is not reported: it is in use, and settings that
    fit need no update. Without these times, old settings are only a hint that a source is not in
    use; the rule `silent` knows.
    """
    updates = df["updated_at"][~got_comments(df, now, silent_days)]
    return _old(
        updates,
        now,
        days,
        "Not updated for {age}, since {day}.",
        "Ask its team whether it is still in use.",
    )


def _old(
    times: pd.Series, now: pd.Timestamp, days: int, message: str, suggestion: str
) -> pd.DataFrame:
    """Return findings about the rows whose time is at least some days ago.

    Args:
        times: The time of each row.
        now: The time that ages are counted to.
        days: The minimum age.
        message: The message, with the fields `age` and `day`.
        suggestion: The suggestion.
    """
    ages = (now - times).dt.days
    old = times.index[ages >= days]
    table = pd.DataFrame({"age": ages[old].astype(int), "day": times[old].dt.floor("D")})
    # One message for all times of the same day.
    groups = table.groupby(["age", "day"], sort=False).ngroup()
    messages = [
        message.format(age=counted(age, "day"), day=f"{day:%Y-%m-%d}")
        for age, day in table[~groups.duplicated()].itertuples(index=False)
    ]
    return findings(old, pd.Series(messages, dtype="str").take(groups.to_numpy()), suggestion)


@toolkit_rule("error", "created_at", "updated_at")
def impossible_times(df: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """Impossible timestamps: in the future, or updated before created.

    A clock was wrong, or a file was edited by hand. Sorting and filtering by time give wrong
    results.
    """
    parts = []
    for column in ("created_at", "updated_at", "last_modified"):
        if column not in df:
            continue
        future = df.index[df[column] > now + _TOLERANCE]
        if len(future):
            messages = [
                f"Its {column}, {_minute(when)}, is in the future." for when in df[column][future]
            ]
            parts.append(findings(future, messages, "Find out whose clock was wrong."))
        early = df.index[df["created_at"] - df[column] > _TOLERANCE]
        if len(early):
            messages = [
                f"Its {column}, {_minute(when)}, is before its created_at, {_minute(created)}."
                for when, created in zip(df[column][early], df["created_at"][early], strict=True)
            ]
            parts.append(findings(early, messages, "Find out whose clock was wrong."))
    return pd.concat(parts).sort_index(kind="stable") if parts else findings([], [])


def _minute(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


@toolkit_rule("warning", "language", "should_translate")
def needless_translation(df: pd.DataFrame) -> pd.DataFrame:
    """Translation switched on although the language is English.

    There is nothing to translate; translation costs time and may change words. Switching it off is
    safe.
    """
    rows = df.index[(df["language"] == "en") & df["should_translate"].fillna(value=False)]
    return findings(
        rows,
        "It is translated although its language is English.",
        "should_translate = False",
        field="should_translate",
        value=[False] * len(rows),
    )


@toolkit_rule("warning", "language", "should_translate")
def missing_translation(df: pd.DataFrame) -> pd.DataFrame:
    """Translation switched off although the language is multilingual.

    Models then read a mixture of languages. Switching it on sends all further texts to the
    translation service, so `fixes` does not do that.
    """
    rows = df.index[(df["language"] == "xlm") & ~df["should_translate"].fillna(value=True)]
    return findings(
        rows,
        "It is not translated although its language is multilingual.",
        "If all comments should be in one language: should_translate = True",
    )


@toolkit_rule("info", "kind")
def unknown_kind(df: pd.DataFrame) -> pd.DataFrame:
    """A source without a known kind of comments.

    Its kind is missing or not known to this toolkit; or its kind is "unknown", and no bucket or
    email transform shows that it holds emails. Charts and models use the kind to tell chats, calls
    and emails apart.
    """
    kinds = df["kind"].fillna("")
    is_mail = pd.Series(data=False, index=df.index)
    for column in ("bucket_id", "email_transform_tag"):
        if column in df:
            is_mail |= df[column].fillna("") != ""
    rows = df.index[~kinds.isin(KINDS) | ((kinds == "unknown") & ~is_mail)]
    messages = {
        "": "Its kind is missing.",
        "unknown": 'Its kind is "unknown", and nothing else shows what its comments are.',
    }
    codes, distinct = pd.factorize(kinds[rows])
    texts = [messages.get(kind) or f"Its kind {shown(kind)} is not known." for kind in distinct]
    return findings(
        rows,
        pd.Series(texts, dtype="str").take(codes),
        f"Set kind to one of {listed(kind for kind in KINDS if kind != 'unknown')}.",
    )


@toolkit_rule("info", COMMENTS)
def empty(df: pd.DataFrame) -> pd.DataFrame:
    """A source without comments.

    It was created but never filled, or its comments go to another source. Runs only on listings
    with counted comments (`Client.statistics` or `Client.contents`).
    """
    rows = df.index[_numbers(df[COMMENTS]) == 0]
    return findings(rows, "It has no comments.", "Delete it if no comments are expected.")


@toolkit_rule("warning", LAST_COMMENT)
def silent(df: pd.DataFrame, now: pd.Timestamp, *, silent_days: int = SILENT_DAYS) -> pd.DataFrame:
    """A source that had comments but gets none any more.

    Its mailbox, connection or upload may have failed without anybody noticing, or the source is no
    longer needed. Runs only on listings with the times of the newest comments (`Client.contents`
    or `Client.last_comment`). Option `silent_days`: the minimum number of days without comments.
    """
    return _old(
        last_comments(df),
        now,
        silent_days,
        "No comments for {age}; the newest was sent on {day}.",
        "Find out whether its comments should still arrive.",
    )


@toolkit_rule("warning", LAST_MONTH, USUAL_MONTH)
def declining(
    df: pd.DataFrame, *, usual_share: float = 1 / 3, least_usual: int = 10
) -> pd.DataFrame:
    """A source that gets far fewer comments than usual.

    A part of its mailboxes may no longer be connected, or people write elsewhere. The usual number
    is the median of the months before the last full one. Runs only on listings with the comments
    of these months (`Client.contents`). Options: `usual_share`, the share of the usual number,
    from 0 to 1, below which the last month is reported; `least_usual`, the usual number from which
    on a source is looked at.
    """
    last, usual = _numbers(df[LAST_MONTH]), _numbers(df[USUAL_MONTH])
    is_looked_at = np.isfinite(usual) & (usual >= least_usual) & (last >= 0)
    fallen = is_looked_at & (last < usual_share * usual)
    messages = [
        f"It got {counted(int(number), 'comment')} in the last full month; "
        f"{f'{median:,.1f}'.removesuffix('.0')} are usual."
        for number, median in zip(last[fallen], usual[fallen], strict=True)
    ]
    return findings(
        df.index[fallen], messages, "Find out whether all of its comments still arrive."
    )


def _numbers(column: pd.Series) -> npt.NDArray[np.float64]:
    """Return a column of any dtype as numbers; NaN where it holds none."""
    numbers = pd.to_numeric(column, errors="coerce")
    return np.asarray(numbers.astype("Float64").astype("float64"), dtype=np.float64)

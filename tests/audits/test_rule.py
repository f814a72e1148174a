"""Rules that a notebook adds: what they may return, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb.audits import rule as rules
from reinfer_nb.audits.rule import Rule

DF = pd.DataFrame(
    {
        "owner": ["acme", "acme", "people"],
        "name": ["a", "b", "c"],
        "title": ["Motor", "", None],
    },
    index=[7, 7, 9],
)


def ruled(body: Callable[[pd.DataFrame], Any], **how: Any) -> Rule:
    def found(df: pd.DataFrame) -> Any:
        """Something is found.

        It matters.
        """
        return body(df)

    rule: Rule = rnb.audit_rule(id="found", **how)(found)
    return rule


def findings(body: Callable[[pd.DataFrame], Any]) -> list[tuple[int, str]]:
    report = rnb.audit(DF, rules=[ruled(body)])
    return list(zip(report.positions.tolist(), report.findings["message"], strict=True))


SAID = "Something is found"


# What a rule may return


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (lambda df: df["title"] == "", [1]),
        (lambda df: df["title"].str.len() > 2, [0]),
        (lambda df: df["title"].str.startswith("M").astype("boolean"), [0]),
        (lambda df: pd.Series([True, None, False], dtype="boolean", index=df.index), [0]),
        (lambda df: pd.Series([True, None, pd.NA], dtype=object, index=df.index), [0]),
        (lambda df: pd.Series([True, None, False], dtype="bool[pyarrow]", index=df.index), [0]),
        (lambda df: (df["title"] == "").to_numpy(), [1]),
        (lambda df: df["title"].isna().array.to_numpy(), [2]),
        (lambda df: df["title"].map({"": True}, na_action="ignore"), [1]),
        (lambda df: pd.Series(data=False, index=df.index), []),
        (lambda df: pd.Series([None] * 3, index=df.index), []),
        (lambda df: pd.Series([np.nan] * 3, index=df.index), []),
    ],
)
def test_truth_values_say_which_rows_are_meant(
    body: Callable[[pd.DataFrame], Any], rows: list[int]
) -> None:
    assert findings(body) == [(row, SAID) for row in rows]


@pytest.mark.parametrize("dtype", ["str", "object", "string", "string[pyarrow]"])
def test_messages_say_what_is_wrong_where_there_is_one(dtype: Any) -> None:
    def body(df: pd.DataFrame) -> Any:
        return pd.Series([None, "Empty.", ""], dtype=dtype, index=df.index)

    assert findings(body) == [(1, "Empty."), (2, "")]
    assert findings(lambda df: body(df).to_numpy(dtype=object, na_value=None)) == [
        (1, "Empty."),
        (2, ""),
    ]


def test_a_frame_may_say_several_things_of_one_row_and_what_to_do() -> None:
    told = pd.DataFrame(
        {"message": ["One.", "Two.", "Three."], "suggestion": ["Do.", None, "Let."], "more": 1},
        index=[2, 0, 2],
    )
    report = rnb.audit(DF, rules=[ruled(lambda _: told)])
    assert report.positions.tolist() == [2, 0, 2]
    assert report.findings[["name", "message"]].to_numpy().tolist() == [
        ["c", "One."],
        ["a", "Two."],
        ["c", "Three."],
    ]
    assert report.findings["suggestion"].isna().tolist() == [False, True, False]
    assert report.fixes().equals(DF)


def test_an_empty_frame_is_no_finding() -> None:
    assert findings(lambda df: df.head(0).assign(message="")) == []
    assert findings(lambda _: pd.DataFrame({"message": []})) == []


def test_a_safe_fix_is_put_in() -> None:
    def body(df: pd.DataFrame) -> pd.DataFrame:
        rows = df.index[df["title"].isna()]
        return pd.DataFrame(
            {"message": "No title.", "field": "title", "value": df["name"].str.upper()}, index=rows
        )

    report = rnb.audit(DF, rules=[ruled(body)])
    assert report.fixes()["title"].tolist() == ["Motor", "", "C"]
    assert report.fixes().index.tolist() == [7, 7, 9]


def test_a_fix_without_a_value_or_a_field_changes_nothing() -> None:
    half = pd.DataFrame(
        {"message": "M.", "field": ["title", None], "value": [None, "x"]},
        index=[0, 1],
        dtype=object,
    )
    assert rnb.audit(DF, rules=[ruled(lambda _: half)]).fixes().equals(DF)


@pytest.mark.parametrize(
    "body",
    [
        lambda _: None,
        lambda _: True,
        lambda _: [True, False, True],
        lambda _: np.array([True]),
        lambda _: np.array([[True], [True], [True]]),
        lambda _: np.array([1, 2, 3]),
        lambda df: df["title"].str.len().fillna(0),
        lambda df: df["title"] if df.empty else pd.Series(["a", 1, None], index=df.index),
        lambda _: pd.Series([True, False, True], index=[7, 7, 9]),
        lambda df: df["title"].head(2) == "",
        lambda df: df[["title"]],
        lambda _: pd.DataFrame({"message": ["x"]}, index=[3]),
        lambda _: pd.DataFrame({"message": ["x"]}, index=["a"]),
        lambda _: pd.DataFrame({"message": [None]}, index=[0]),
        lambda _: pd.DataFrame({"message": ["x", None]}, index=[0, 1]),
        lambda _: pd.DataFrame({"message": [5]}, index=[0]),
        lambda _: pd.DataFrame({"message": ["x"], "field": ["titel"], "value": "x"}, index=[0]),
        lambda _: pd.DataFrame([["x", "y"]], columns=["message", "message"], index=[0]),
    ],
)
def test_what_is_no_finding_is_refused(body: Callable[[pd.DataFrame], Any]) -> None:
    with pytest.raises(rnb.InvalidInput, match="What the rule found returned are no findings"):
        findings(body)


def test_an_error_of_a_rule_is_its_own() -> None:
    with pytest.raises(KeyError, match="nowhere") as caught:
        findings(lambda df: df["nowhere"])
    assert caught.value.__notes__ == ["It was raised by the audit rule found."]


# What it is given


def test_a_rule_is_given_the_listing_with_its_dtypes_over_an_index_from_0(
    shared: rnb.Client,
) -> None:
    df = shared.sources()
    seen = []

    def body(given: pd.DataFrame) -> Any:
        seen.append(given)
        return given["title"].isna()

    rnb.audit(df.astype(object).sample(frac=1, random_state=1), rules=[ruled(body)])
    assert seen[0].dtypes.equals(df.dtypes)
    assert seen[0].index.equals(pd.RangeIndex(len(df)))


def test_what_a_rule_does_to_the_listing_reaches_nobody_else() -> None:
    def spoil(df: pd.DataFrame) -> Any:
        df["title"] = "spoilt"
        df.loc[0, "name"] = "spoilt"
        df["new"] = 1
        return pd.Series(data=True, index=df.index)

    before = DF.copy()
    report = rnb.audit(DF, rules=[ruled(spoil), "missing-title"])
    assert DF.equals(before)
    assert report.findings["rule"].tolist() == ["found"] * 3 + ["missing-title"] * 2
    assert report.findings["name"].tolist() == ["a", "b", "c", "b", "c"]


def test_a_rule_is_given_the_moment_if_it_takes_one() -> None:
    seen: list[pd.Timestamp] = []

    @rnb.audit_rule
    def by_place(df: pd.DataFrame, now: pd.Timestamp) -> Any:
        """It has come."""
        seen.append(now)
        return df["name"] == "a"

    @rnb.audit_rule
    def by_name(df: pd.DataFrame, *, now: pd.Timestamp, days: int = 3) -> Any:
        """It has come."""
        seen.append(now - pd.Timedelta(days=days))
        return df["name"] == "a"

    assert dict(by_name.options) == {"days": 3}
    rnb.audit(DF, rules=[by_place, by_name], now="2026-01-05", days=4)
    assert seen == [pd.Timestamp("2026-01-05", tz="UTC"), pd.Timestamp("2026-01-01", tz="UTC")]


def test_options_are_given_by_name_and_to_each_that_has_them() -> None:
    @rnb.audit_rule
    def short(df: pd.DataFrame, *, length: int = 1) -> Any:
        """It is short."""
        return df["title"].str.len() < length

    @rnb.audit_rule
    def long(df: pd.DataFrame, *, length: int = 4, what: str = "title") -> Any:
        """It is long."""
        return df[what].str.len() > length

    both = [short, long]
    assert rnb.audit(DF, rules=both).positions.tolist() == [1, 0]
    assert rnb.audit(DF, rules=both, length=5).positions.tolist() == [1]
    assert rnb.audit(DF, rules=both, length=6).positions.tolist() == [0, 1]
    assert rnb.audit(DF, rules=both, length=0, what="name").positions.tolist() == [0, 1, 2]
    listed = rnb.audit_rules().set_index("rule")["options"]
    assert listed["long"] == {"length": 4, "what": "title"}


def test_an_option_is_of_the_type_of_each_default() -> None:
    @rnb.audit_rule
    def one(df: pd.DataFrame, *, what: int = 1) -> Any:
        """One."""
        return df["name"] == str(what)

    @rnb.audit_rule
    def other(df: pd.DataFrame, *, what: str = "a", any_of_all: Any = None) -> Any:
        """Other."""
        return df["name"] == (any_of_all or what)

    assert rnb.audit(DF, rules=[other], what="b").positions.tolist() == [1]
    assert rnb.audit(DF, rules=[other], any_of_all="c").positions.tolist() == [2]
    for what in ("b", 2):
        with pytest.raises(rnb.InvalidInput, match="what= takes a value such as"):
            rnb.audit(DF, rules=[one, other], what=what)


def test_a_rule_is_passed_over_where_it_lacks_a_column() -> None:
    many = ruled(lambda df: df["x"] == df["y"], needs=["x", "name", "y"])
    report = rnb.audit(DF, rules=[many])
    assert dict(report.skipped) == {"found": "needs the columns x, y"}
    one = ruled(lambda df: df["x"] == 1, needs="x")
    assert one.needs == ("x",)
    assert dict(rnb.audit(DF, rules=[one]).skipped) == {"found": "needs the column x"}
    assert rnb.audit(DF.assign(x=[0, 1, 0]), rules=[one]).positions.tolist() == [1]


# How it is made


def test_a_rule_runs_from_then_on_behind_those_of_the_toolkit() -> None:
    rule = ruled(lambda df: df["name"] == "a", severity="error")
    listed = rnb.audit_rules()
    assert listed["rule"].tolist()[-1] == "found"
    assert listed["why"].tolist()[-1] == "Something is found.\n\nIt matters."
    report = rnb.audit(DF)
    assert report.rules["found"] is rule
    assert report.findings.iloc[0][["rule", "severity", "name"]].tolist() == ["found", "error", "a"]
    assert "found" not in rnb.audit(DF, ignore=[rule]).rules
    assert "found" not in rnb.audit(DF, ignore="found").rules


def test_a_rule_can_be_called_as_the_function_can() -> None:
    @rnb.audit_rule
    def long_title(df: pd.DataFrame, *, longest: int = 60) -> Any:
        """The title is long."""
        return df["title"].str.len() > longest

    found: Any = long_title(DF, longest=4)
    assert found.tolist() == [True, False, False]
    assert long_title.id == "long-title"
    assert long_title.severity == "warning"
    assert long_title.needs == ()
    assert long_title.headline == "The title is long."


def test_a_cell_that_is_run_again_makes_the_rule_anew() -> None:
    old = ruled(lambda df: df["name"] == "a")
    new = ruled(lambda df: df["name"] == "b")
    assert rnb.audit_rules()["rule"].tolist().count("found") == 1
    assert rnb.audit(DF, rules=["found"]).positions.tolist() == [1]
    # A notebook may still have the old one in a list.
    report = rnb.audit(DF, rules=[old, "missing-title", new])
    assert report.findings["rule"].tolist().count("found") == 1
    assert report.rules["found"] is new
    assert rnb.audit(DF, rules=[old]).positions.tolist() == [0]


def test_the_ids_of_the_toolkit_are_refused() -> None:
    with pytest.raises(
        rnb.InvalidInput, match="stale is a rule of the toolkit; give yours another"
    ):

        @rnb.audit_rule
        def stale(df: pd.DataFrame) -> Any:
            """Mine."""
            return df["name"] == "a"

    assert rules.known()["stale"].module == "reinfer_nb.audits.setting_rules"


def documented(df: pd.DataFrame) -> Any:
    """Nothing."""
    return df["name"].isna()


@pytest.mark.parametrize(
    "wrong", ["Long", "long_title", "", "long title", "1st", "-a", "a-", "<b>", "a\n", 5]
)
def test_what_cannot_be_an_id_is_refused(wrong: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="cannot be the id of a rule"):
        rnb.audit_rule(id=wrong)(documented)


def test_a_lambda_has_no_name_to_make_an_id_of() -> None:
    with pytest.raises(rnb.InvalidInput, match="give one as id="):
        rnb.audit_rule(lambda df: df["name"].isna())


def test_an_id_that_is_a_column_of_the_summary_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match="owner is a column"):
        rnb.audit_rule(id="owner")(documented)


@pytest.mark.parametrize("wrong", ["fatal", "Error", None, ["error"]])
def test_a_severity_that_there_is_not_is_refused(wrong: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="severity is one of error, warning, info"):
        rnb.audit_rule(severity=wrong)(documented)


@pytest.mark.parametrize("wrong", [5, "title", DF])
def test_what_is_no_function_is_refused(wrong: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="A rule is made of a function"):
        rnb.audit_rule(wrong)


@pytest.mark.parametrize("why", [None, "", "  \n "])
def test_a_rule_without_a_reason_is_refused(why: str | None) -> None:
    def bare(df: pd.DataFrame) -> Any:
        return df["name"].isna()

    bare.__doc__ = why
    with pytest.raises(rnb.InvalidInput, match="The rule bare needs a docstring"):
        rnb.audit_rule(bare)


def test_an_option_without_a_default_is_refused() -> None:
    with pytest.raises(
        rnb.InvalidInput, match="The option length of the rule short needs a default"
    ):

        @rnb.audit_rule
        def short(df: pd.DataFrame, *, length: int) -> Any:
            """It is short."""
            return df["name"].str.len() < length


def test_an_option_that_audit_takes_itself_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match="cannot have an option ignore"):

        @rnb.audit_rule
        def other(df: pd.DataFrame, *, ignore: str = "") -> Any:
            """It is another."""
            return df["name"] != ignore


def test_a_function_that_cannot_be_called_with_a_listing_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match=r"The rule none is to take the listing"):

        @rnb.audit_rule
        def none() -> Any:
            """It takes nothing."""

    with pytest.raises(rnb.InvalidInput, match=r"it takes \(df, other\)"):
        rnb.audit_rule(id="two")(_two)


def _two(df, other):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - as the message shows it
    """It takes two."""
    return df["name"] == other


def test_rules_of_one_test_are_not_there_in_the_next() -> None:
    assert "found" not in rules.known()

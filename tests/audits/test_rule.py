"""Custom rules: what they may return, how they are called, and what is refused."""

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


def rule_of(body: Callable[[pd.DataFrame], Any], **arguments: Any) -> Rule:
    def found(df: pd.DataFrame) -> Any:
        """Something is found.

        It matters.
        """
        return body(df)

    rule: Rule = rnb.audit_rule(id="found", **arguments)(found)
    return rule


def findings(body: Callable[[pd.DataFrame], Any]) -> list[tuple[int, str]]:
    report = rnb.audit(DF, rules=[rule_of(body)])
    return list(zip(report.positions.tolist(), report.findings["message"], strict=True))


MESSAGE = "Something is found"


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
def test_booleans_select_the_rows_with_findings(
    body: Callable[[pd.DataFrame], Any], rows: list[int]
) -> None:
    assert findings(body) == [(row, MESSAGE) for row in rows]


@pytest.mark.parametrize("dtype", ["str", "object", "string", "string[pyarrow]"])
def test_each_message_is_a_finding_and_missing_ones_are_none(dtype: Any) -> None:
    def body(df: pd.DataFrame) -> Any:
        return pd.Series([None, "Empty.", ""], dtype=dtype, index=df.index)

    assert findings(body) == [(1, "Empty."), (2, "")]
    assert findings(lambda df: body(df).to_numpy(dtype=object, na_value=None)) == [
        (1, "Empty."),
        (2, ""),
    ]


def test_a_frame_may_hold_several_findings_per_row_and_suggestions() -> None:
    table = pd.DataFrame(
        {"message": ["One.", "Two.", "Three."], "suggestion": ["Do.", None, "Let."], "more": 1},
        index=[2, 0, 2],
    )
    report = rnb.audit(DF, rules=[rule_of(lambda _: table)])
    assert report.positions.tolist() == [2, 0, 2]
    assert report.findings[["name", "message"]].to_numpy().tolist() == [
        ["c", "One."],
        ["a", "Two."],
        ["c", "Three."],
    ]
    assert report.findings["suggestion"].isna().tolist() == [False, True, False]
    assert report.fixes().equals(DF)


def test_an_empty_frame_has_no_findings() -> None:
    assert findings(lambda df: df.head(0).assign(message="")) == []
    assert findings(lambda _: pd.DataFrame({"message": []})) == []


def test_a_safe_fix_is_applied() -> None:
    def body(df: pd.DataFrame) -> pd.DataFrame:
        rows = df.index[df["title"].isna()]
        return pd.DataFrame(
            {"message": "No title.", "field": "title", "value": df["name"].str.upper()}, index=rows
        )

    report = rnb.audit(DF, rules=[rule_of(body)])
    assert report.fixes()["title"].tolist() == ["Motor", "", "C"]
    assert report.fixes().index.tolist() == [7, 7, 9]


def test_a_fix_without_a_value_or_a_field_changes_nothing() -> None:
    incomplete = pd.DataFrame(
        {"message": "M.", "field": ["title", None], "value": [None, "x"]},
        index=[0, 1],
        dtype=object,
    )
    assert rnb.audit(DF, rules=[rule_of(lambda _: incomplete)]).fixes().equals(DF)


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
def test_an_invalid_result_is_refused(body: Callable[[pd.DataFrame], Any]) -> None:
    with pytest.raises(rnb.InvalidInput, match="The rule found returned no valid findings"):
        findings(body)


def test_an_error_in_a_rule_is_raised_with_a_note() -> None:
    with pytest.raises(KeyError, match="nowhere") as caught:
        findings(lambda df: df["nowhere"])
    assert caught.value.__notes__ == ["This error was raised by the audit rule found."]


# How a rule is called


def test_a_rule_gets_the_listing_with_its_dtypes_and_a_range_index(
    shared: rnb.Client,
) -> None:
    df = shared.sources()
    listings = []

    def body(listing: pd.DataFrame) -> Any:
        listings.append(listing)
        return listing["title"].isna()

    rnb.audit(df.astype(object).sample(frac=1, random_state=1), rules=[rule_of(body)])
    assert listings[0].dtypes.equals(df.dtypes)
    assert listings[0].index.equals(pd.RangeIndex(len(df)))


def test_changes_by_a_rule_affect_neither_the_caller_nor_other_rules() -> None:
    def spoil(df: pd.DataFrame) -> Any:
        df["title"] = "spoilt"
        df.loc[0, "name"] = "spoilt"
        df["new"] = 1
        return pd.Series(data=True, index=df.index)

    before = DF.copy()
    report = rnb.audit(DF, rules=[rule_of(spoil), "missing-title"])
    assert DF.equals(before)
    assert report.findings["rule"].tolist() == ["found"] * 3 + ["missing-title"] * 2
    assert report.findings["name"].tolist() == ["a", "b", "c", "b", "c"]


def test_a_rule_with_a_parameter_now_gets_the_time() -> None:
    times: list[pd.Timestamp] = []

    @rnb.audit_rule
    def by_position(df: pd.DataFrame, now: pd.Timestamp) -> Any:
        """It has come."""
        times.append(now)
        return df["name"] == "a"

    @rnb.audit_rule
    def by_name(df: pd.DataFrame, *, now: pd.Timestamp, days: int = 3) -> Any:
        """It has come."""
        times.append(now - pd.Timedelta(days=days))
        return df["name"] == "a"

    assert dict(by_name.options) == {"days": 3}
    rnb.audit(DF, rules=[by_position, by_name], now="2026-01-05", days=4)
    assert times == [pd.Timestamp("2026-01-05", tz="UTC"), pd.Timestamp("2026-01-01", tz="UTC")]


def test_an_option_is_passed_to_every_rule_that_has_it() -> None:
    @rnb.audit_rule
    def short(df: pd.DataFrame, *, length: int = 1) -> Any:
        """It is short."""
        return df["title"].str.len() < length

    @rnb.audit_rule
    def long(df: pd.DataFrame, *, length: int = 4, column: str = "title") -> Any:
        """It is long."""
        return df[column].str.len() > length

    both = [short, long]
    assert rnb.audit(DF, rules=both).positions.tolist() == [1, 0]
    assert rnb.audit(DF, rules=both, length=5).positions.tolist() == [1]
    assert rnb.audit(DF, rules=both, length=6).positions.tolist() == [0, 1]
    assert rnb.audit(DF, rules=both, length=0, column="name").positions.tolist() == [0, 1, 2]
    options = rnb.audit_rules().set_index("rule")["options"]
    assert options["long"] == {"length": 4, "column": "title"}


def test_an_option_must_have_the_type_of_each_default() -> None:
    @rnb.audit_rule
    def one(df: pd.DataFrame, *, value: int = 1) -> Any:
        """One."""
        return df["name"] == str(value)

    @rnb.audit_rule
    def other(df: pd.DataFrame, *, value: str = "a", untyped: Any = None) -> Any:
        """Other."""
        return df["name"] == (untyped or value)

    assert rnb.audit(DF, rules=[other], value="b").positions.tolist() == [1]
    assert rnb.audit(DF, rules=[other], untyped="c").positions.tolist() == [2]
    for value in ("b", 2):
        with pytest.raises(rnb.InvalidInput, match="value= takes a value such as"):
            rnb.audit(DF, rules=[one, other], value=value)


def test_a_rule_is_skipped_if_a_column_is_missing() -> None:
    two = rule_of(lambda df: df["x"] == df["y"], needs=["x", "name", "y"])
    report = rnb.audit(DF, rules=[two])
    assert dict(report.skipped) == {"found": "needs the columns x, y"}
    one = rule_of(lambda df: df["x"] == 1, needs="x")
    assert one.needs == ("x",)
    assert dict(rnb.audit(DF, rules=[one]).skipped) == {"found": "needs the column x"}
    assert rnb.audit(DF.assign(x=[0, 1, 0]), rules=[one]).positions.tolist() == [1]


# How a rule is made


def test_a_registered_rule_is_listed_and_runs_after_the_built_in_ones() -> None:
    rule = rule_of(lambda df: df["name"] == "a", severity="error")
    table = rnb.audit_rules()
    assert table["rule"].tolist()[-1] == "found"
    assert table["why"].tolist()[-1] == "Something is found.\n\nIt matters."
    report = rnb.audit(DF)
    assert report.rules["found"] is rule
    assert report.findings.iloc[0][["rule", "severity", "name"]].tolist() == ["found", "error", "a"]
    assert "found" not in rnb.audit(DF, ignore=[rule]).rules
    assert "found" not in rnb.audit(DF, ignore="found").rules


def test_a_rule_can_be_called_like_its_function() -> None:
    @rnb.audit_rule
    def long_title(df: pd.DataFrame, *, longest: int = 60) -> Any:
        """The title is long."""
        return df["title"].str.len() > longest

    result: Any = long_title(DF, longest=4)
    assert result.tolist() == [True, False, False]
    assert long_title.id == "long-title"
    assert long_title.severity == "warning"
    assert long_title.needs == ()
    assert long_title.headline == "The title is long."


def test_a_cell_that_is_run_again_replaces_the_rule() -> None:
    old = rule_of(lambda df: df["name"] == "a")
    new = rule_of(lambda df: df["name"] == "b")
    assert rnb.audit_rules()["rule"].tolist().count("found") == 1
    assert rnb.audit(DF, rules=["found"]).positions.tolist() == [1]
    # A notebook may still have the old one in a list.
    report = rnb.audit(DF, rules=[old, "missing-title", new])
    assert report.findings["rule"].tolist().count("found") == 1
    assert report.rules["found"] is new
    assert rnb.audit(DF, rules=[old]).positions.tolist() == [0]


def test_ids_of_built_in_rules_are_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match="stale is a built-in rule; give your rule another"):

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
def test_an_invalid_id_is_refused(wrong: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="cannot be the id of a rule"):
        rnb.audit_rule(id=wrong)(documented)


def test_a_lambda_without_an_id_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match=r"Pass an id .* such as id="):
        rnb.audit_rule(lambda df: df["name"].isna())


def test_an_id_that_is_a_column_of_the_summary_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match="owner is a column"):
        rnb.audit_rule(id="owner")(documented)


@pytest.mark.parametrize("wrong", ["fatal", "Error", None, ["error"]])
def test_an_unknown_severity_is_refused(wrong: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="severity must be one of error, warning, info"):
        rnb.audit_rule(severity=wrong)(documented)


@pytest.mark.parametrize("wrong", [5, "title", DF])
def test_other_values_than_functions_are_refused(wrong: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match="A rule is made from a function"):
        rnb.audit_rule(wrong)


@pytest.mark.parametrize("why", [None, "", "  \n "])
def test_a_rule_without_a_docstring_is_refused(why: str | None) -> None:
    def undocumented(df: pd.DataFrame) -> Any:
        return df["name"].isna()

    undocumented.__doc__ = why
    with pytest.raises(rnb.InvalidInput, match="The rule undocumented needs a docstring"):
        rnb.audit_rule(undocumented)


def test_an_option_without_a_default_is_refused() -> None:
    with pytest.raises(
        rnb.InvalidInput, match="The option length of the rule short needs a default"
    ):

        @rnb.audit_rule
        def short(df: pd.DataFrame, *, length: int) -> Any:
            """It is short."""
            return df["name"].str.len() < length


def test_an_option_named_like_a_parameter_of_audit_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match="cannot have an option ignore"):

        @rnb.audit_rule
        def other(df: pd.DataFrame, *, ignore: str = "") -> Any:
            """It is another."""
            return df["name"] != ignore


def test_a_function_that_cannot_be_called_with_a_listing_is_refused() -> None:
    with pytest.raises(rnb.InvalidInput, match=r"The rule none must take the listing"):

        @rnb.audit_rule
        def none() -> Any:
            """It takes nothing."""

    with pytest.raises(rnb.InvalidInput, match=r"it takes \(df, other\)"):
        rnb.audit_rule(id="two")(_two)


def _two(df, other):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - the message shows this signature
    """It takes two."""
    return df["name"] == other


def test_a_rule_of_one_test_is_unknown_in_the_next() -> None:
    assert "found" not in rules.known()

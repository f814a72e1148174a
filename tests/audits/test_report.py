"""The audit report: findings, options, parts, fixes, display and CSV."""

from __future__ import annotations

import ast
import html
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.audits.rule import known
from reinfer_nb.constants import SEVERITIES

COLUMNS = ["rule", "severity", "id", "owner", "name", "message", "suggestion"]
NEED_COMMENTS = {
    "empty": "needs the column num_comments",
    "silent": "needs the column last_comment_at",
    "declining": "needs the columns comments_last_month, comments_usual_month",
}
FIXING = ["missing-title", "odd-characters", "needless-translation"]


@pytest.fixture(scope="module")
def listing(shared: rnb.Client) -> pd.DataFrame:
    return shared.sources()


@pytest.fixture(scope="module")
def report(listing: pd.DataFrame) -> rnb.AuditReport:
    return rnb.audit(listing)


def same(left: rnb.AuditReport, right: rnb.AuditReport) -> bool:
    return left.findings.equals(right.findings) and np.array_equal(left.positions, right.positions)


# Findings


def test_findings_name_their_source(report: rnb.AuditReport, listing: pd.DataFrame) -> None:
    findings = report.findings
    assert list(findings.columns) == COLUMNS
    assert set(findings.dtypes.astype(str)) == {"str"}
    assert findings.index.equals(pd.RangeIndex(len(findings)))
    assert report.positions.dtype == np.int64
    for name in ("id", "owner", "name"):
        assert findings[name].tolist() == listing[name].iloc[report.positions].tolist()
    assert not report.ok


def test_findings_are_sorted_by_severity_then_by_rule(report: rnb.AuditReport) -> None:
    table = rnb.audit_rules()
    order = [
        rule
        for severity in SEVERITIES
        for rule in table["rule"][table["severity"] == severity]
        if rule in set(report.findings["rule"])
    ]
    assert report.findings["rule"].drop_duplicates().tolist() == order
    assert report.findings["severity"].drop_duplicates().tolist() == ["warning", "info"]
    for rule in order:
        assert (np.diff(report.only(rules=[rule]).positions) >= 0).all()


def test_errors_come_first(listing: pd.DataFrame) -> None:
    late = listing.assign(created_at=listing["updated_at"] + pd.Timedelta(days=1))
    assert rnb.audit(late).findings["severity"].iloc[0] == "error"


@pytest.mark.slow
@pytest.mark.parametrize(
    "df",
    [
        pd.DataFrame(),
        pd.DataFrame(columns=["id", "owner", "name", "title", "language", "should_translate"]),
        pd.DataFrame(index=range(3)),
        pd.DataFrame({0: [1], ("a", 1): [2], None: [3]}),
    ],
)
def test_a_report_without_findings_has_its_columns_and_dtypes(df: pd.DataFrame) -> None:
    for report in (rnb.audit(df), rnb.audit(df, rules=[])):
        assert report.ok
        assert list(report.findings.columns) == COLUMNS
        assert set(report.findings.dtypes.astype(str)) == {"str"}
        assert report.positions.tolist() == []
        assert report.positions.dtype == np.int64
        assert list(report.summary.columns) == ["owner"]
        assert report.summary["owner"].dtype == "str"
        assert report.fixes().equals(df)
        assert "0 findings in 0 of" in repr(report)
        assert report.only(severity="error").ok


def test_the_listing_is_not_changed_and_the_report_keeps_a_copy() -> None:
    df = pd.DataFrame({"owner": ["a"], "name": ["x"], "title": [""]})
    before = df.copy()
    report = rnb.audit(df)
    assert df.equals(before)
    df.loc[0, "title"] = "Mine"
    df["more"] = 1
    assert report.audited.equals(before)
    assert report.fixes()["title"].tolist() == ["X"]


# The listing


@pytest.mark.slow
def test_dtypes_index_and_order_of_the_listing_do_not_matter(
    listing: pd.DataFrame, report: rnb.AuditReport, tmp_path: Path
) -> None:
    rnb.to_csv(listing, tmp_path / "a.csv")
    listing.to_csv(tmp_path / "b.csv", index=False)
    texts = ["owner", "name", "title", "description", "language", "kind", "bucket_id"]
    variants = {
        "objects": listing.astype(object),
        "categories": listing.astype(dict.fromkeys(texts, "category")),
        "Arrow": listing.convert_dtypes(dtype_backend="pyarrow"),
        "nullable texts": listing.astype(dict.fromkeys(texts, "string")),
        "columns in another order": listing[list(listing.columns)[::-1]],
        "one index for all": listing.set_axis([0] * len(listing)),
        "an index of two levels": listing.set_index(["owner", "name"], drop=False),
        "an index of missing values": listing.set_axis([np.nan] * len(listing)),
        "two pieces": pd.concat([listing.head(50), listing.tail(-50)]),
        "lists": listing.assign(sensitive_properties=listing["sensitive_properties"].map(list)),
        "arrays": listing.assign(
            sensitive_properties=listing["sensitive_properties"].map(np.array)
        ),
        "nanoseconds": listing.astype({"updated_at": "datetime64[ns, UTC]"}),
        "another time zone": listing.assign(
            updated_at=listing["updated_at"].dt.tz_convert("Asia/Tokyo")
        ),
        "without a time zone": listing.assign(
            created_at=listing["created_at"].dt.tz_localize(None)
        ),
        "times as texts": listing.assign(updated_at=listing["updated_at"].astype(str)),
        "floats": listing.astype({"email_transform_version": "float64"}),
        "a file": rnb.read_csv(tmp_path / "a.csv"),
        "a plain file": pd.read_csv(tmp_path / "b.csv"),
    }
    for name, df in variants.items():
        other = rnb.audit(df, now=report.now)
        assert same(other, report), name
        assert not set(other.skipped) - set(NEED_COMMENTS), name
        assert other.fixes()["title"].tolist() == report.fixes()["title"].tolist(), name
    # pandas keeps the apostrophe that to_csv puts before an id of digits.
    other = rnb.audit(pd.read_csv(tmp_path / "a.csv"), now=report.now)
    columns = ["rule", "name", "suggestion"]
    assert other.findings[columns].equals(report.findings[columns])


def test_a_part_of_a_listing_has_the_findings_of_its_rows(listing: pd.DataFrame) -> None:
    people = listing[listing["owner"] == "people"].sample(frac=1, random_state=3)
    rules = ["missing-title", "missing-description", "name-pattern", "no-bucket", "stale"]
    whole, part = rnb.audit(listing, rules=rules), rnb.audit(people, rules=rules)
    columns = ["rule", "name", "message"]
    expected = whole.findings[whole.findings["owner"] == "people"]
    assert sorted(part.findings[columns].to_numpy().tolist()) == sorted(
        expected[columns].to_numpy().tolist()
    )
    assert people["name"].iloc[part.positions].tolist() == part.findings["name"].tolist()


def test_rules_with_missing_columns_are_skipped(
    listing: pd.DataFrame, report: rnb.AuditReport
) -> None:
    assert dict(report.skipped) == NEED_COMMENTS
    assert set(report.rules) == set(rnb.audit_rules()["rule"]) - set(NEED_COMMENTS)
    part = rnb.audit(listing[["name", "title"]])
    assert part.skipped["missing-title"] == "needs the column owner"
    assert part.skipped["impossible-times"] == "needs the columns created_at, updated_at"
    assert set(part.rules) == {"name-pattern", "odd-characters"}
    assert part.findings["owner"].isna().all()
    assert part.summary["owner"].isna().tolist() == [True]


def test_counted_comments_are_checked(shared: rnb.Client) -> None:
    df = shared.statistics(shared.sources("people"))
    report = rnb.audit(df, rules=["empty"])
    assert not report.skipped
    assert report.positions.tolist() == np.flatnonzero(df["num_comments"] == 0).tolist()


def test_properties_in_a_file_are_read_in_every_notation() -> None:
    cells = ["['iban']", '["iban"]', "('iban',)", ' ["iban"] ', "", "[]", "()"]
    df = pd.DataFrame({"owner": "a", "name": list("abcdefg"), "sensitive_properties": cells})
    report = rnb.audit(df, rules=["odd-sensitive-properties"], share=0.6)
    assert report.findings["name"].tolist() == ["e", "f", "g"]
    assert set(report.findings["suggestion"]) == {"sensitive_properties = ['iban']"}
    assert report.fixes().equals(df)
    # A plain word is ambiguous: it may be one property or several.
    for word in ("iban", "['iban' 'salary']"):
        with pytest.raises(rnb.InvalidInput, match="not a list of texts"):
            rnb.audit(df.assign(sensitive_properties=word))


def test_identifiers_that_are_numbers_are_shown_as_texts() -> None:
    df = pd.DataFrame({"id": [12, None], "owner": [1, 1], "name": [10, 11], "title": [None, 7]})
    report = rnb.audit(df, rules=["missing-title"])
    assert report.findings[["id", "owner", "name"]].to_numpy().tolist() == [["12", "1", "10"]]
    assert report.fixes()["id"].equals(df["id"])


@pytest.mark.parametrize(
    ("column", "values", "why"),
    [
        (
            "updated_at",
            ["2020-01-01", "yesterday"],
            "a timestamp in each row: row 1 has 'yesterday'",
        ),
        ("updated_at", [5, 6], "a timestamp in each row: row 0 has '5'"),
        ("should_translate", ["maybe", "x"], "True or False in each row"),
        ("email_transform_version", ["one", "two"], r"a whole number \(int\) in each row"),
        ("email_transform_version", [1.5, 2], r"a whole number \(int\) in each row"),
        ("sensitive_properties", ["[a, b]", "[]"], "in each row: '\\[a, b\\]' is not a list"),
    ],
)
def test_a_column_with_unusable_values_is_refused(column: str, values: list[Any], why: str) -> None:
    with pytest.raises(rnb.InvalidInput, match=f"The column {column} is not .*{why}") as caught:
        rnb.audit(pd.DataFrame({column: values}))
    assert "\n" not in str(caught.value)
    assert "rnb.read_csv" in str(caught.value)


def test_other_values_than_a_listing_are_refused(listing: pd.DataFrame) -> None:
    twice = pd.concat([listing, listing[["title"]]], axis=1)
    with pytest.raises(rnb.InvalidInput, match="has the column 'title' twice"):
        rnb.audit(twice)
    for wrong in ([1], None, 5, listing["title"]):
        with pytest.raises(rnb.InvalidInput, match="audit takes a DataFrame"):
            rnb.audit(wrong)  # type: ignore[arg-type] # must be refused


# Rules, options, time


@pytest.mark.slow
def test_rules_are_selected_by_id_or_as_objects(listing: pd.DataFrame) -> None:
    rule = known()["stale"]
    one = rnb.audit(listing, rules="stale")
    assert list(one.rules) == ["stale"]
    assert same(one, rnb.audit(listing, rules=[rule]))
    assert same(one, rnb.audit(listing, rules=["stale", rule, "stale"]))
    assert same(one, rnb.audit(listing, rules=["stale", "no-bucket"], ignore="no-bucket"))
    assert "stale" not in rnb.audit(listing, ignore=iter(["stale"])).rules


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"rules": ["missing-titel"]},
            "Unknown rule 'missing-titel'. Did you mean 'missing-title'?",
        ),
        ({"rules": ["x"]}, "Unknown rule 'x'. Choose from missing-title, .*, declining"),
        ({"rules": [5]}, "Unknown rule 5"),
        ({"rules": [["stale"]]}, r"Unknown rule \['stale'\]"),
        ({"rules": 5}, "rules must be a list of rules or ids, not 5"),
        ({"ignore": None}, "ignore must be a list of rules or ids, not None"),
        ({"ignore": ["stail"]}, "Did you mean 'stale'?"),
        ({"dais": 3}, "Unknown option 'dais'. Did you mean 'days'?"),
        (
            {"weeks": 3},
            "Choose from pattern, letters, silent_days, siblings, share, days, usual_share",
        ),
        ({"rules": ["stale"], "letters": 3}, "Unknown option 'letters'. Choose from days"),
        ({"rules": ["no-bucket"], "days": 3}, "Unknown option 'days'. These rules have no options"),
        ({"days": "3"}, "days= takes a value such as 365, not '3'"),
        ({"days": True}, "days= takes a value such as 365, not True"),
        ({"days": 1.5}, "days= takes a value such as 365, not 1.5"),
        ({"share": "much"}, "share= takes a value such as 0.8, not 'much'"),
        ({"pattern": None}, "pattern= takes a value such as"),
    ],
)
def test_unknown_rules_and_options_are_refused(
    listing: pd.DataFrame, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(rnb.InvalidInput, match=message):
        rnb.audit(listing, **arguments)


def test_a_share_may_be_a_whole_number(listing: pd.DataFrame) -> None:
    assert rnb.audit(listing, rules=["odd-sensitive-properties"], share=1).skipped == {}


@pytest.mark.parametrize(
    "now",
    [
        "2026-03-01",
        "2026-03-01T09:00+09:00",
        date(2026, 3, 1),
        datetime(2026, 3, 1, tzinfo=UTC),
        pd.Timestamp("2026-03-01"),
        np.datetime64("2026-03-01"),
    ],
)
def test_now_may_be_a_text_a_date_or_a_datetime(listing: pd.DataFrame, now: Any) -> None:
    assert rnb.audit(listing, rules=[], now=now).now == pd.Timestamp("2026-03-01", tz="UTC")


def test_an_option_may_be_a_numpy_number(listing: pd.DataFrame) -> None:
    by_numpy = rnb.audit(listing, rules=["stale"], now="2026-03-01", days=np.int64(700))
    by_python = rnb.audit(listing, rules=["stale"], now="2026-03-01", days=700)
    assert by_numpy.findings.equals(by_python.findings)
    assert not by_python.ok


@pytest.mark.parametrize("now", ["", "soon", pd.NaT, 5, True, [], "99999-01-01"])
def test_an_invalid_now_is_refused(listing: pd.DataFrame, now: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"now is .* which is not a date or time\. Give"):
        rnb.audit(listing, now=now)


@pytest.mark.slow
def test_ages_are_counted_to_the_fetch_of_the_listing(listing: pd.DataFrame) -> None:
    fetched_at = pd.Timestamp(listing.attrs["fetched_at"])
    assert rnb.audit(listing).now == rnb.audit(listing.head(3)).now == fetched_at
    old = listing.copy()
    old.attrs["fetched_at"] = pd.Timestamp("2001-01-01")
    assert rnb.audit(old, rules=["stale"]).ok
    assert rnb.audit(old, now="2026-01-01").now.year == 2026


@pytest.mark.parametrize("attrs", [{}, {"fetched_at": None}, {"fetched_at": pd.NaT}])
def test_ages_are_counted_to_the_call_if_the_fetch_is_not_recorded(
    listing: pd.DataFrame, attrs: Any
) -> None:
    df = listing.copy()
    df.attrs = attrs
    before = pd.Timestamp.now("UTC")
    assert before <= rnb.audit(df, rules=[]).now <= pd.Timestamp.now("UTC")


def test_a_listing_with_an_invalid_fetched_at_is_refused(
    listing: pd.DataFrame,
) -> None:
    df = listing.copy()
    df.attrs["fetched_at"] = "soon"
    with pytest.raises(rnb.InvalidInput, match=r'df.attrs\["fetched_at"\] is \'soon\''):
        rnb.audit(df)
    assert rnb.audit(df, now="2026-01-01").now.year == 2026


# Summary and parts


@pytest.mark.slow
def test_the_summary_counts_by_project_and_rule(report: rnb.AuditReport) -> None:
    summary = report.summary
    findings = report.findings.to_dict("records")
    rules = list(dict.fromkeys(row["rule"] for row in findings))
    assert list(summary.columns) == ["owner", *rules]
    assert summary["owner"].tolist() == sorted({row["owner"] for row in findings})
    assert summary.dtypes.astype(str).tolist() == ["str", *["int64"] * len(rules)]
    for row in summary.to_dict("records"):
        for rule in rules:
            pairs = [(finding["owner"], finding["rule"]) for finding in findings]
            assert row[rule] == pairs.count((row["owner"], rule))


def test_the_summary_of_thousands_of_projects_is_sorted() -> None:
    owners = [f"p{number * 7 % 5_000:04}" for number in range(10_000)]
    df = pd.DataFrame({"owner": [*owners, None, None], "name": "x", "title": ""})
    summary = rnb.audit(df, rules=["missing-title", "twin-titles"]).summary
    assert summary["owner"].tolist()[:-1] == sorted(set(owners))
    assert summary["owner"].isna().tolist() == [False] * 5_000 + [True]
    assert summary["missing-title"].tolist() == [2] * 5_001
    assert "twin-titles" not in summary


def test_a_part_has_the_findings_of_some_rules(report: rnb.AuditReport) -> None:
    part = report.only(rules=["stale", "missing-title"])
    assert list(part.rules) == ["missing-title", "stale"]
    wanted = report.findings["rule"].isin(["stale", "missing-title"])
    assert part.findings.equals(report.findings[wanted].reset_index(drop=True))
    assert part.positions.tolist() == report.positions[wanted].tolist()
    assert part.skipped == report.skipped
    assert part.now == report.now
    assert list(part.summary.columns) == ["owner", "missing-title", "stale"]
    assert report.only().findings.equals(report.findings)
    assert report.only(rules=[]).ok


def test_a_part_has_the_findings_of_some_severities(report: rnb.AuditReport) -> None:
    part = report.only(severity="warning")
    assert part.findings.equals(
        report.findings[report.findings["severity"] == "warning"].reset_index(drop=True)
    )
    assert {rule.severity for rule in part.rules.values()} == {"error", "warning"}
    assert report.only(severity="error").ok
    assert report.only(rules="stale", severity="warning").ok
    for wrong in ("fatal", ["info"], None):
        with pytest.raises(rnb.InvalidInput, match="severity must be one of error, warning, info"):
            report.only(severity=wrong)  # type: ignore[arg-type] # must be refused
    with pytest.raises(rnb.InvalidInput, match="Did you mean 'stale'"):
        report.only(rules=["stail"])


# Fixes


def test_only_safe_fixes_are_applied(report: rnb.AuditReport, listing: pd.DataFrame) -> None:
    fixed = report.fixes()
    comparison = rnb.compare(listing, fixed)
    assert set(comparison.changed["field"]) == {"title", "should_translate"}
    assert comparison.added.empty
    assert comparison.removed.empty
    assert comparison.renamed.empty
    changes = [
        f"title = {row.after!r}" if row.field == "title" else f"should_translate = {row.after}"
        for row in comparison.changed.itertuples()
    ]
    safe = report.findings[report.findings["rule"].isin(FIXING)]
    suggestions = [text for text in safe["suggestion"] if " = " in text]
    assert sorted(changes) == sorted(suggestions)
    assert len(suggestions) >= 4
    assert fixed.attrs == listing.attrs


def test_fixes_of_a_part_are_those_of_its_rules(
    report: rnb.AuditReport, listing: pd.DataFrame
) -> None:
    for rule, field in (("missing-title", "title"), ("needless-translation", "should_translate")):
        changed = rnb.compare(listing, report.only(rules=[rule]).fixes()).changed
        assert set(changed["field"]) == {field}
    assert report.only(rules=["stale", "twin-titles"]).fixes().equals(listing)


TITLES = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "Motor", "Mo\u200btor", "\u200b", "a\r\nb", "\u202ex", "Source 0"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
)
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["source-0", "source_0", "motor", "m\u200bx", "-", None]),
        TITLES,
        st.sampled_from(["en", "xlm", None]),
        st.sampled_from([True, False, None]),
    ),
    max_size=6,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from(["typed", "object", "category"]), st.randoms(use_true_random=False))
def test_fixes_change_what_the_suggestions_say_and_nothing_else(
    rows: list[tuple[Any, ...]], dtype: str, dice: Any
) -> None:
    columns = ["owner", "name", "title", "language", "should_translate"]
    df = pd.DataFrame(rows, columns=columns, dtype=object)
    if dtype != "object":
        text = "str" if dtype == "typed" else "category"
        df = df.astype(dict.fromkeys(columns[:-1], text) | {"should_translate": "boolean"})
    df["id"] = [f"{number:016x}" for number in range(len(df))]
    df["more"] = [(dice.random(),) for _ in rows]
    df.index = pd.Index([dice.choice([1, 2, None]) for _ in rows], dtype=object, name="at")
    df.attrs = {"project": "acme"}
    before = df.copy()
    report = rnb.audit(df, rules=FIXING)
    fixed = report.fixes()
    pd.testing.assert_frame_equal(df, before)
    assert fixed.attrs == df.attrs
    assert fixed.index.equals(df.index)
    assert fixed.index.name == "at"
    unchanged = ["owner", "name", "language", "id", "more"]
    pd.testing.assert_frame_equal(fixed[unchanged], df[unchanged])
    for name in ("title", "should_translate"):
        if dtype == "category" and name == "title":
            assert isinstance(fixed[name].dtype, pd.CategoricalDtype)
        else:
            assert fixed[name].dtype == df[name].dtype
    suggestions: dict[tuple[str, str], str] = {}
    for row in report.findings.itertuples():
        field, sign, value = str(row.suggestion).partition(" = ")
        if sign:
            suggestions.setdefault((str(row.id), field), value)
    changed = rnb.compare(df, fixed).changed
    assert {(row.id, row.field): row.after for row in changed.itertuples()} == {
        key: ast.literal_eval(value) for key, value in suggestions.items()
    }
    # No safe fix is left.
    again = rnb.audit(fixed, rules=FIXING)
    assert rnb.compare(fixed, again.fixes()).ok


def test_an_empty_column_takes_fixes() -> None:
    df = pd.DataFrame({"owner": ["a", "a"], "name": ["x", "y"], "title": [np.nan, np.nan]})
    assert rnb.audit(df).fixes()["title"].tolist() == ["X", "Y"]


def test_the_first_of_two_fixes_for_a_cell_is_applied() -> None:
    for word in ("one", "two"):

        @rnb.audit_rule(id=word)
        def rule(df: pd.DataFrame, word: str = word) -> Any:
            """The title must be a word."""
            return pd.DataFrame({"message": "M.", "field": "title", "value": word}, index=df.index)

    df = pd.DataFrame({"name": ["x"], "title": ["y"]})
    assert rnb.audit(df, rules=["two", "one"]).fixes()["title"].tolist() == ["two"]


@pytest.mark.parametrize(
    ("field", "value", "ok"),
    [
        ("email_transform_version", 2**60 + 1, True),
        ("email_transform_version", "x", False),
        ("sensitive_properties", ("a", "b"), True),
        ("sensitive_properties", (), True),
        ("updated_at", pd.Timestamp("2020-01-01", tz="UTC"), True),
        ("updated_at", "\x1b[31msoon", False),
        ("should_translate", True, True),
        ("should_translate", "x", False),
        ("description", "\x00", True),
    ],
)
def test_custom_rules_can_only_set_valid_values(
    listing: pd.DataFrame,
    field: str,
    value: Any,
    ok: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    @rnb.audit_rule
    def other(df: pd.DataFrame) -> pd.DataFrame:
        """Something must be changed."""
        table = pd.DataFrame({"message": "M.", "field": field}, index=df.index[:2])
        return table.assign(value=pd.Series([value] * 2, dtype=object))

    report = rnb.audit(listing, rules=[other])
    if not ok:
        with pytest.raises(rnb.InvalidInput, match=f"the column '{field}' cannot hold") as caught:
            report.fixes()
        assert "\x1b" not in str(caught.value)
        return
    fixed = report.fixes()
    assert fixed.dtypes.equals(listing.dtypes)
    assert fixed[field].tolist()[:2] == [value, value]
    assert fixed.tail(-2).equals(listing.tail(-2))
    assert fixed.drop(columns=field).equals(listing.drop(columns=field))


# Display and CSV


UNSAFE = pd.DataFrame(
    {
        "owner": ["<b>acme</b>", "\x1b[31macme", None, None],
        "name": ["<script>alert(1)</script>", "x\u202ey\nz", "n", None],
        "title": ["", None, "", ""],
    }
)


def test_unsafe_texts_are_escaped() -> None:
    report = rnb.audit(UNSAFE)
    for text in (repr(report), report.to_text(None), report._repr_html_(), report.to_html(None)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31macme/x\\u202ey\\nz" in text
        assert "nan" not in text
    for page in (report._repr_html_(), report.to_html(None)):
        assert "<script>" not in page
        assert "<b>acme" not in page
        assert html.escape("<b>acme</b>/<script>alert(1)</script>") in page
        assert html.escape("title = '<script>alert(1)</script>'") in page
    lines = repr(report).splitlines()
    assert "  <b>acme</b>/<script>alert(1)</script>: It has no title." in lines
    assert "  n: It has no title." in lines
    assert "  a source without a name: It has no title." in lines
    assert lines[0].startswith("Audit: ")
    assert lines[-1].startswith("impossible-times did not run: it needs the columns created_at, ")


@pytest.mark.slow
def test_ten_findings_of_a_rule_are_shown_or_all_on_request(report: rnb.AuditReport) -> None:
    count = int((report.findings["rule"] == "stale").sum())
    short, full = repr(report.only(rules="stale")), report.only(rules="stale").to_text(None)
    assert short.count("Not updated") == 10
    assert f"  ... and {count - 10:,} more" in short
    assert full.count("Not updated") == count
    assert "more" not in full
    page = report.only(rules="stale").to_html()
    assert page.count("Not updated") == 10
    assert f"... and {count - 10:,} more" in page
    assert report.only(rules="stale").to_html(None).count("Not updated") == count


def test_the_headline_counts(report: rnb.AuditReport, listing: pd.DataFrame) -> None:
    counts = report.findings["severity"].value_counts()
    sources = report.findings["id"].nunique()
    assert report.headline == (
        f"{len(report.findings)} findings in {sources} of 130 sources, "
        f"as of {report.now:%Y-%m-%d}: {counts['warning']} warnings, {counts['info']} info."
    )
    one = rnb.audit(listing.head(1), rules=["stale"], now="2030-01-01")
    assert one.headline == "1 finding in 1 of 1 source, as of 2030-01-01: 1 info."
    none = rnb.audit(listing.head(2), rules=[], now="2030-01-01")
    assert none.headline == "0 findings in 0 of 2 sources, as of 2030-01-01."


def test_findings_are_written_and_read(report: rnb.AuditReport, tmp_path: Path) -> None:
    for number, each in enumerate((report, rnb.audit(UNSAFE), report.only(rules=[]))):
        path = each.to_csv(tmp_path / f"{number}.csv")
        findings = rnb.read_csv(path)
        assert list(findings.columns) == COLUMNS
        assert findings.equals(each.findings)
    with pytest.raises(rnb.FileProblem):
        report.to_csv(tmp_path / "0.csv")
    report.to_csv(tmp_path / "0.csv", overwrite=True)

"""The report of an audit: its findings, its parts, its fixes, and how it is shown and kept."""

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
from reinfer_nb.audits.rule import SEVERITIES

COLUMNS = ["rule", "severity", "id", "owner", "name", "message", "suggestion"]
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


def test_findings_say_of_which_source_they_are(
    report: rnb.AuditReport, listing: pd.DataFrame
) -> None:
    findings = report.findings
    assert list(findings.columns) == COLUMNS
    assert set(findings.dtypes.astype(str)) == {"str"}
    assert findings.index.equals(pd.RangeIndex(len(findings)))
    assert report.positions.dtype == np.int64
    for name in ("id", "owner", "name"):
        assert findings[name].tolist() == listing[name].iloc[report.positions].tolist()
    assert not report.ok


def test_the_gravest_come_first_then_as_the_rules_are_listed(report: rnb.AuditReport) -> None:
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


def test_an_error_comes_before_all_else(listing: pd.DataFrame) -> None:
    late = listing.assign(created_at=listing["updated_at"] + pd.Timedelta(days=1))
    assert rnb.audit(late).findings["severity"].iloc[0] == "error"


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
    for found in (rnb.audit(df), rnb.audit(df, rules=[])):
        assert found.ok
        assert list(found.findings.columns) == COLUMNS
        assert set(found.findings.dtypes.astype(str)) == {"str"}
        assert found.positions.tolist() == []
        assert found.positions.dtype == np.int64
        assert list(found.summary.columns) == ["owner"]
        assert found.summary["owner"].dtype == "str"
        assert found.fixes().equals(df)
        assert "0 findings in 0 of" in repr(found)
        assert found.only(severity="error").ok


def test_the_listing_is_not_touched_and_the_report_keeps_what_it_saw() -> None:
    df = pd.DataFrame({"owner": ["a"], "name": ["x"], "title": [""]})
    before = df.copy()
    found = rnb.audit(df)
    assert df.equals(before)
    df.loc[0, "title"] = "Mine"
    df["more"] = 1
    assert found.audited.equals(before)
    assert found.fixes()["title"].tolist() == ["X"]


# What an audit takes


def test_what_pandas_made_of_a_listing_does_not_matter(
    listing: pd.DataFrame, report: rnb.AuditReport, tmp_path: Path
) -> None:
    rnb.to_csv(listing, tmp_path / "a.csv")
    listing.to_csv(tmp_path / "b.csv", index=False)
    texts = ["owner", "name", "title", "description", "language", "kind", "bucket_id"]
    strange = {
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
        "elsewhere": listing.assign(updated_at=listing["updated_at"].dt.tz_convert("Asia/Tokyo")),
        "without a zone": listing.assign(created_at=listing["created_at"].dt.tz_localize(None)),
        "moments as texts": listing.assign(updated_at=listing["updated_at"].astype(str)),
        "floats": listing.astype({"email_transform_version": "float64"}),
        "a file": rnb.read_csv(tmp_path / "a.csv"),
        "a plain file": pd.read_csv(tmp_path / "b.csv"),
    }
    for what, df in strange.items():
        found = rnb.audit(df, now=report.now)
        assert same(found, report), what
        assert not set(found.skipped) - {"no-comments"}, what
        assert found.fixes()["title"].tolist() == report.fixes()["title"].tolist(), what
    # To pandas the apostrophe before an id of digits is a part of it.
    found = rnb.audit(pd.read_csv(tmp_path / "a.csv"), now=report.now)
    columns = ["rule", "name", "suggestion"]
    assert found.findings[columns].equals(report.findings[columns])


def test_a_piece_has_the_findings_of_its_rows(listing: pd.DataFrame) -> None:
    piece = listing[listing["owner"] == "people"].sample(frac=1, random_state=3)
    alone = ["missing-title", "missing-description", "name-pattern", "no-bucket", "stale"]
    whole, part = rnb.audit(listing, rules=alone), rnb.audit(piece, rules=alone)
    columns = ["rule", "name", "message"]
    of_people = whole.findings[whole.findings["owner"] == "people"]
    assert sorted(part.findings[columns].to_numpy().tolist()) == sorted(
        of_people[columns].to_numpy().tolist()
    )
    assert piece["name"].iloc[part.positions].tolist() == part.findings["name"].tolist()


def test_rules_whose_columns_are_not_there_are_passed_over(
    listing: pd.DataFrame, report: rnb.AuditReport
) -> None:
    assert dict(report.skipped) == {"no-comments": "needs the column num_comments"}
    assert set(report.rules) == set(rnb.audit_rules()["rule"]) - {"no-comments"}
    part = rnb.audit(listing[["name", "title"]])
    assert part.skipped["missing-title"] == "needs the column owner"
    assert part.skipped["impossible-times"] == "needs the columns created_at, updated_at"
    assert set(part.rules) == {"name-pattern", "odd-characters"}
    assert part.findings["owner"].isna().all()
    assert part.summary["owner"].isna().tolist() == [True]


def test_counted_comments_are_looked_at(shared: rnb.Client) -> None:
    df = shared.statistics(shared.sources("people"))
    found = rnb.audit(df, rules=["no-comments"])
    assert not found.skipped
    assert found.positions.tolist() == np.flatnonzero(df["num_comments"] == 0).tolist()


def test_properties_in_a_file_are_read_whichever_way_they_are_written() -> None:
    cells = ["['iban']", '["iban"]', "('iban',)", ' ["iban"] ', "", "[]", "()"]
    df = pd.DataFrame({"owner": "a", "name": list("abcdefg"), "sensitive_properties": cells})
    found = rnb.audit(df, rules=["odd-sensitive-properties"], share=0.6)
    assert found.findings["name"].tolist() == ["e", "f", "g"]
    assert set(found.findings["suggestion"]) == {"sensitive_properties = ['iban']"}
    assert found.fixes().equals(df)
    # A word is no list: nobody knows whether it is one property or several.
    for word in ("iban", "['iban' 'salary']"):
        with pytest.raises(rnb.InvalidInput, match="not a list of texts"):
            rnb.audit(df.assign(sensitive_properties=word))


def test_identifiers_that_are_numbers_are_told_as_they_are() -> None:
    df = pd.DataFrame({"id": [12, None], "owner": [1, 1], "name": [10, 11], "title": [None, 7]})
    found = rnb.audit(df, rules=["missing-title"])
    assert found.findings[["id", "owner", "name"]].to_numpy().tolist() == [["12", "1", "10"]]
    assert found.fixes()["id"].equals(df["id"])


@pytest.mark.parametrize(
    ("column", "values", "why"),
    [
        (
            "updated_at",
            ["2020-01-01", "yesterday"],
            "a timestamp in each row: there is 'yesterday'",
        ),
        ("updated_at", [5, 6], "a timestamp in each row: there is '5' in row 0"),
        ("should_translate", ["maybe", "x"], "True or False in each row"),
        ("email_transform_version", ["one", "two"], r"a whole number \(int\) in each row"),
        ("email_transform_version", [1.5, 2], r"a whole number \(int\) in each row"),
        ("sensitive_properties", ["[a, b]", "[]"], "in each row: '\\[a, b\\]' is not a list"),
    ],
)
def test_a_column_that_is_of_no_use_is_refused(column: str, values: list[Any], why: str) -> None:
    with pytest.raises(rnb.InvalidInput, match=f"The column {column} is not .*{why}") as caught:
        rnb.audit(pd.DataFrame({column: values}))
    assert "\n" not in str(caught.value)
    assert "rnb.read_csv" in str(caught.value)


def test_what_is_no_listing_is_refused(listing: pd.DataFrame) -> None:
    twice = pd.concat([listing, listing[["title"]]], axis=1)
    with pytest.raises(rnb.InvalidInput, match="has the column 'title' twice"):
        rnb.audit(twice)
    for wrong in ([1], None, 5, listing["title"]):
        with pytest.raises(rnb.InvalidInput, match="audit takes a DataFrame"):
            rnb.audit(wrong)  # type: ignore[arg-type] # what is refused


# Rules, options, moment


def test_rules_are_chosen_by_id_or_as_they_are(listing: pd.DataFrame) -> None:
    rule = rnb.rules.known()["stale"]
    one = rnb.audit(listing, rules="stale")
    assert list(one.rules) == ["stale"]
    assert same(one, rnb.audit(listing, rules=[rule]))
    assert same(one, rnb.audit(listing, rules=["stale", rule, "stale"]))
    assert same(one, rnb.audit(listing, rules=["stale", "no-bucket"], ignore="no-bucket"))
    assert "stale" not in rnb.audit(listing, ignore=iter(["stale"])).rules


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"rules": ["missing-titel"]}, "'missing-titel' is no rule. Did you mean 'missing-title'?"),
        ({"rules": ["x"]}, "'x' is no rule. Choose from missing-title, .*, no-comments"),
        ({"rules": [5]}, "5 is no rule"),
        ({"rules": [["stale"]]}, r"\['stale'\] is no rule"),
        ({"rules": 5}, "rules is a list of ids or rules, not 5"),
        ({"ignore": None}, "ignore is a list of ids or rules, not None"),
        ({"ignore": ["stail"]}, "Did you mean 'stale'?"),
        ({"dais": 3}, "'dais' is no option of these rules. Did you mean 'days'?"),
        ({"weeks": 3}, "Choose from pattern, letters, siblings, share, days"),
        ({"rules": ["stale"], "letters": 3}, "'letters' is no option .* Choose from days"),
        ({"rules": ["no-bucket"], "days": 3}, "these rules. They have none"),
        ({"days": "3"}, "days= takes a value such as 365, not '3'"),
        ({"days": True}, "days= takes a value such as 365, not True"),
        ({"days": 1.5}, "days= takes a value such as 365, not 1.5"),
        ({"share": "much"}, "share= takes a value such as 0.8, not 'much'"),
        ({"pattern": None}, "pattern= takes a value such as"),
    ],
)
def test_rules_and_options_that_there_are_not_are_refused(
    listing: pd.DataFrame, how: dict[str, Any], why: str
) -> None:
    with pytest.raises(rnb.InvalidInput, match=why):
        rnb.audit(listing, **how)


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
def test_the_moment_may_be_said_in_many_ways(listing: pd.DataFrame, now: Any) -> None:
    assert rnb.audit(listing, rules=[], now=now).now == pd.Timestamp("2026-03-01", tz="UTC")


def test_an_option_may_be_a_number_of_numpy(listing: pd.DataFrame) -> None:
    by_numpy = rnb.audit(listing, rules=["stale"], now="2026-03-01", days=np.int64(700))
    by_python = rnb.audit(listing, rules=["stale"], now="2026-03-01", days=700)
    assert by_numpy.findings.equals(by_python.findings)
    assert not by_python.ok


@pytest.mark.parametrize("now", ["", "soon", pd.NaT, 5, True, [], "99999-01-01"])
def test_what_is_no_moment_is_refused(listing: pd.DataFrame, now: Any) -> None:
    with pytest.raises(rnb.InvalidInput, match=r"now is .* which is not a date or time\. Give"):
        rnb.audit(listing, now=now)


def test_ages_are_counted_to_when_the_listing_was_fetched(listing: pd.DataFrame) -> None:
    fetched_at = pd.Timestamp(listing.attrs["fetched_at"])
    assert rnb.audit(listing).now == rnb.audit(listing.head(3)).now == fetched_at
    old = listing.copy()
    old.attrs["fetched_at"] = pd.Timestamp("2001-01-01")
    assert rnb.audit(old, rules=["stale"]).ok
    assert rnb.audit(old, now="2026-01-01").now.year == 2026


@pytest.mark.parametrize("attrs", [{}, {"fetched_at": None}, {"fetched_at": pd.NaT}])
def test_ages_are_counted_to_the_call_where_the_listing_does_not_say(
    listing: pd.DataFrame, attrs: Any
) -> None:
    df = listing.copy()
    df.attrs = attrs
    before = pd.Timestamp.now("UTC")
    assert before <= rnb.audit(df, rules=[]).now <= pd.Timestamp.now("UTC")


def test_a_listing_that_says_nonsense_of_when_it_was_fetched_is_refused(
    listing: pd.DataFrame,
) -> None:
    df = listing.copy()
    df.attrs["fetched_at"] = "soon"
    with pytest.raises(rnb.InvalidInput, match=r'df.attrs\["fetched_at"\] is \'soon\''):
        rnb.audit(df)
    assert rnb.audit(df, now="2026-01-01").now.year == 2026


# Summary and parts


def test_the_summary_counts_by_project_and_rule(report: rnb.AuditReport) -> None:
    summary = report.summary
    findings = report.findings.to_dict("records")
    rules = list(dict.fromkeys(row["rule"] for row in findings))
    assert list(summary.columns) == ["owner", *rules]
    assert summary["owner"].tolist() == sorted({row["owner"] for row in findings})
    assert summary.dtypes.astype(str).tolist() == ["str", *["int64"] * len(rules)]
    for row in summary.to_dict("records"):
        for rule in rules:
            of_both = [f for f in findings if (f["owner"], f["rule"]) == (row["owner"], rule)]
            assert row[rule] == len(of_both)


def test_the_summary_of_thousands_of_projects_is_in_order() -> None:
    owners = [f"p{number * 7 % 5_000:04}" for number in range(10_000)]
    df = pd.DataFrame({"owner": [*owners, None, None], "name": "x", "title": ""})
    summary = rnb.audit(df, rules=["missing-title", "twin-titles"]).summary
    assert summary["owner"].tolist()[:-1] == sorted(set(owners))
    assert summary["owner"].isna().tolist() == [False] * 5_000 + [True]
    assert summary["missing-title"].tolist() == [2] * 5_001
    assert "twin-titles" not in summary


def test_a_part_is_what_some_rules_found(report: rnb.AuditReport) -> None:
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


def test_a_part_is_what_is_grave_enough(report: rnb.AuditReport) -> None:
    grave = report.only(severity="warning")
    assert grave.findings.equals(
        report.findings[report.findings["severity"] == "warning"].reset_index(drop=True)
    )
    assert {rule.severity for rule in grave.rules.values()} == {"error", "warning"}
    assert report.only(severity="error").ok
    assert report.only(rules="stale", severity="warning").ok
    for wrong in ("fatal", ["info"], None):
        with pytest.raises(rnb.InvalidInput, match="severity must be one of error, warning, info"):
            report.only(severity=wrong)  # type: ignore[arg-type] # what is refused
    with pytest.raises(rnb.InvalidInput, match="Did you mean 'stale'"):
        report.only(rules=["stail"])


# Fixes


def test_what_is_safe_is_put_in_and_nothing_else(
    report: rnb.AuditReport, listing: pd.DataFrame
) -> None:
    fixed = report.fixes()
    changed = rnb.compare(listing, fixed)
    assert set(changed.changed["field"]) == {"title", "should_translate"}
    assert changed.added.empty
    assert changed.removed.empty
    assert changed.renamed.empty
    expected = [
        f"title = {row.after!r}" if row.field == "title" else f"should_translate = {row.after}"
        for row in changed.changed.itertuples()
    ]
    safe = report.findings[report.findings["rule"].isin(FIXING)]
    told = [text for text in safe["suggestion"] if " = " in text]
    assert sorted(expected) == sorted(told)
    assert len(told) >= 4
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


@settings(max_examples=40, deadline=None)
@given(ROWS, st.sampled_from(["typed", "object", "category"]), st.randoms(use_true_random=False))
def test_fixes_change_what_they_say_and_keep_all_else(
    rows: list[tuple[Any, ...]], how: str, dice: Any
) -> None:
    columns = ["owner", "name", "title", "language", "should_translate"]
    df = pd.DataFrame(rows, columns=columns, dtype=object)
    if how != "object":
        text = "str" if how == "typed" else "category"
        df = df.astype(dict.fromkeys(columns[:-1], text) | {"should_translate": "boolean"})
    df["id"] = [f"{number:016x}" for number in range(len(df))]
    df["more"] = [(dice.random(),) for _ in rows]
    df.index = pd.Index([dice.choice([1, 2, None]) for _ in rows], dtype=object, name="at")
    df.attrs = {"project": "acme"}
    before = df.copy()
    found = rnb.audit(df, rules=FIXING)
    fixed = found.fixes()
    pd.testing.assert_frame_equal(df, before)
    assert fixed.attrs == df.attrs
    assert fixed.index.equals(df.index)
    assert fixed.index.name == "at"
    kept = ["owner", "name", "language", "id", "more"]
    pd.testing.assert_frame_equal(fixed[kept], df[kept])
    for name in ("title", "should_translate"):
        if how == "category" and name == "title":
            assert isinstance(fixed[name].dtype, pd.CategoricalDtype)
        else:
            assert fixed[name].dtype == df[name].dtype
    told: dict[tuple[str, str], str] = {}
    for row in found.findings.itertuples():
        field, sign, value = str(row.suggestion).partition(" = ")
        if sign:
            told.setdefault((str(row.id), field), value)
    changed = rnb.compare(df, fixed).changed
    assert {(row.id, row.field): row.after for row in changed.itertuples()} == {
        key: ast.literal_eval(value) for key, value in told.items()
    }
    # Nothing is left that is safe to do.
    again = rnb.audit(fixed, rules=FIXING)
    assert rnb.compare(fixed, again.fixes()).ok


def test_a_column_in_which_nothing_is_takes_what_is_put_in() -> None:
    df = pd.DataFrame({"owner": ["a", "a"], "name": ["x", "y"], "title": [np.nan, np.nan]})
    assert rnb.audit(df).fixes()["title"].tolist() == ["X", "Y"]


def test_of_two_for_one_cell_the_first_is_put_in() -> None:
    for word in ("one", "two"):

        @rnb.audit_rule(id=word)
        def rule(df: pd.DataFrame, word: str = word) -> Any:
            """The title is to be a word."""
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
def test_own_rules_put_in_what_can_be_in_the_column(
    listing: pd.DataFrame,
    field: str,
    value: Any,
    ok: bool,  # noqa: FBT001 - a case
) -> None:
    @rnb.audit_rule
    def other(df: pd.DataFrame) -> pd.DataFrame:
        """Something is to be another."""
        told = pd.DataFrame({"message": "M.", "field": field}, index=df.index[:2])
        return told.assign(value=pd.Series([value] * 2, dtype=object))

    found = rnb.audit(listing, rules=[other])
    if not ok:
        with pytest.raises(rnb.InvalidInput, match=f"cannot be in the column '{field}'") as caught:
            found.fixes()
        assert "\x1b" not in str(caught.value)
        return
    fixed = found.fixes()
    assert fixed.dtypes.equals(listing.dtypes)
    assert fixed[field].tolist()[:2] == [value, value]
    assert fixed.tail(-2).equals(listing.tail(-2))
    assert fixed.drop(columns=field).equals(listing.drop(columns=field))


# Shown and kept


FOREIGN = pd.DataFrame(
    {
        "owner": ["<b>acme</b>", "\x1b[31macme", None, None],
        "name": ["<script>alert(1)</script>", "x\u202ey\nz", "n", None],
        "title": ["", None, "", ""],
    }
)


def test_foreign_texts_are_shown_as_texts() -> None:
    found = rnb.audit(FOREIGN)
    for text in (repr(found), found.to_text(None), found._repr_html_(), found.to_html(None)):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\\x1b[31macme/x\\u202ey\\nz" in text
        assert "nan" not in text
    for page in (found._repr_html_(), found.to_html(None)):
        assert "<script>" not in page
        assert "<b>acme" not in page
        assert html.escape("<b>acme</b>/<script>alert(1)</script>") in page
        assert html.escape("title = '<script>alert(1)</script>'") in page
    lines = repr(found).splitlines()
    assert "  <b>acme</b>/<script>alert(1)</script>: It has no title." in lines
    assert "  n: It has no title." in lines
    assert "  a source without a name: It has no title." in lines
    assert lines[0].startswith("Audit: ")
    assert lines[-1].startswith("impossible-times did not run: it needs the columns created_at, ")


def test_ten_findings_of_a_rule_are_shown_and_all_where_asked(report: rnb.AuditReport) -> None:
    count = int((report.findings["rule"] == "stale").sum())
    few, many = repr(report.only(rules="stale")), report.only(rules="stale").to_text(None)
    assert few.count("Not updated") == 10
    assert f"  ... and {count - 10:,} more" in few
    assert many.count("Not updated") == count
    assert "more" not in many
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


def test_findings_come_back_from_a_file(report: rnb.AuditReport, tmp_path: Path) -> None:
    foreign = rnb.audit(FOREIGN)
    for number, found in enumerate((report, foreign, report.only(rules=[]))):
        path = found.to_csv(tmp_path / f"{number}.csv")
        back = rnb.read_csv(path)
        assert list(back.columns) == COLUMNS
        assert back.equals(found.findings)
    with pytest.raises(rnb.FileProblem):
        report.to_csv(tmp_path / "0.csv")
    report.to_csv(tmp_path / "0.csv", overwrite=True)

"""The built-in rules: what each rule reports and what it does not, on small listings."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import reinfer_nb as rnb
from reinfer_nb.audits import alphabets, text_rules
from reinfer_nb.audits.rule import known
from reinfer_nb.frames.cells import texts_of
from reinfer_nb.schema.added_columns import ADDED
from reinfer_nb.text import replaced, shown, visible

NOW = "2026-01-01"
IDS = [
    "missing-title",
    "missing-description",
    "name-pattern",
    "twin-titles",
    "look-alike-names",
    "odd-characters",
    "shared-bucket",
    "odd-language",
    "odd-sensitive-properties",
    "transform-drift",
    "no-bucket",
    "stale",
    "impossible-times",
    "needless-translation",
    "missing-translation",
    "unknown-kind",
    "empty",
    "silent",
    "declining",
]

Row = dict[str, Any]


def of(rule: str, rows: list[Row], **options: Any) -> pd.DataFrame:
    """Return the findings of one rule in a project of some sources, indexed by row position."""
    named = [{"owner": "acme", "name": f"source-{n}"} | row for n, row in enumerate(rows)]
    report = rnb.audit(pd.DataFrame(named), rules=[rule], now=NOW, **options)
    assert not report.skipped
    return report.findings.set_index(report.positions)


def messages(rule: str, rows: list[Row], **options: Any) -> dict[int, str]:
    return of(rule, rows, **options)["message"].to_dict()  # type: ignore[return-value] # of str


def rows_of(column: str, *values: Any) -> list[Row]:
    return [{column: value} for value in values]


# All rules


def test_audit_rules_lists_each_rule_with_why_severity_and_options() -> None:
    table = rnb.audit_rules()
    assert table["rule"].tolist() == IDS
    assert table.dtypes.astype(str).to_dict() == {
        "rule": "str",
        "severity": "str",
        "why": "str",
        "needs": "object",
        "options": "object",
    }
    assert set(table["severity"]) == {"error", "warning", "info"}
    assert table["why"].str.match(r"[A-Z][^\n]+\.\n\n\S").all()  # a headline and a reason
    pairs = zip(table["rule"], table["options"], strict=True)
    options = {rule: defaults for rule, defaults in pairs if defaults}
    assert options == {
        "name-pattern": {"pattern": "[a-z0-9]+(-[a-z0-9]+)*"},
        "look-alike-names": {"letters": 4},
        "shared-bucket": {"silent_days": 90},
        "odd-language": {"siblings": 3},
        "odd-sensitive-properties": {"siblings": 3, "share": 0.8},
        "stale": {"days": 365, "silent_days": 90},
        "silent": {"silent_days": 90},
        "declining": {"usual_share": 1 / 3, "least_usual": 10},
    }


def test_the_why_of_a_rule_names_each_option() -> None:
    for row in rnb.audit_rules().itertuples():
        assert all(f"`{name}`" in str(row.why) for name in row.options)  # type: ignore[union-attr] # dictionaries


@pytest.mark.slow
@pytest.mark.parametrize("rule", IDS)
def test_a_rule_finds_nothing_in_an_empty_listing(shared: rnb.Client, rule: str) -> None:
    df = shared.contents(shared.sources().head(3), progress=False).head(0)
    report = rnb.audit(df, rules=[rule])
    assert report.ok
    assert not report.skipped
    assert report.fixes().equals(df)


@pytest.mark.slow
@pytest.mark.parametrize("rule", IDS)
@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT])
def test_a_rule_accepts_a_listing_in_which_every_cell_is_missing(
    shared: rnb.Client, rule: str, missing: object
) -> None:
    columns = [*shared.sources().columns, *ADDED]
    df = pd.DataFrame({name: pd.Series([missing] * 5) for name in columns})
    if isinstance(missing, float):
        df = df.astype(float)
    found = rnb.audit(df, rules=[rule], now=NOW).findings
    empty = {"missing-title", "missing-description", "no-bucket", "unknown-kind"}
    assert len(found) == (5 if rule in empty else 0)
    assert found["owner"].isna().all()


@pytest.mark.parametrize("rule", IDS)
def test_a_skipped_rule_names_the_columns_it_needs(rule: str) -> None:
    report = rnb.audit(pd.DataFrame(index=range(3)), rules=[rule])
    assert report.ok
    assert re.fullmatch(r"needs the columns? \w+(, \w+)*", report.skipped[rule])
    assert ("columns" in report.skipped[rule]) == ("," in report.skipped[rule])
    assert not report.rules


@pytest.mark.slow
@pytest.mark.parametrize("rule", IDS)
def test_a_rule_runs_on_only_the_columns_it_needs(shared: rnb.Client, rule: str) -> None:
    df = shared.sources().assign(
        num_comments=0,
        last_comment_at=pd.Timestamp("2020-01-01", tz="UTC"),
        comments_last_month=1,
        comments_usual_month=30.5,
    )
    needed = known()[rule].needs
    report = rnb.audit(df[list(needed)], rules=[rule])
    assert not report.skipped
    full = rnb.audit(df, rules=[rule])
    if rule not in ("unknown-kind", "impossible-times"):  # these also read optional columns
        assert report.positions.tolist() == full.positions.tolist()


# Messages and suggestions


@pytest.mark.slow
def test_messages_are_sentences_and_suggestions_say_what_to_do(shared: rnb.Client) -> None:
    for df in (shared.sources(), pd.DataFrame(BAD)):
        found = rnb.audit(df, now=NOW).findings
        assert len(found)
        assert found["message"].str.fullmatch(r"[A-Z][^\n]*\.").all()
        assert found["suggestion"].notna().all()
        for column in ("message", "suggestion"):
            assert all(visible(text) == text for text in found[column])
            assert not found[column].str.contains(r"\bnan\b|<NA>|None/").any()


BAD: list[Row] = [
    {
        "owner": owner,
        "name": name,
        "title": title,
        "bucket_id": "b1\x1b[31m",
        "language": language,
        "should_translate": True,
        "kind": "\u202efax",
        "email_transform_tag": tag,
        "email_transform_version": version,
        "sensitive_properties": ["<script>"] * (name != "d-\u200b1"),
        "created_at": "2030-01-01T00:00:00Z",
        "updated_at": "2020-01-01T00:00:00Z",
    }
    for owner, name, title, language, tag, version in [
        ("acme", "a-inbox\x1b[2J", "\u202eTwin", "en", "t\x00", 2),
        ("acme", "a_inbox\x1b[2J", "\u202etwin", "en", "t\x00", 1),
        ("acme", "c-1", "\u0430dmin", "en", "t\x00", 2),
        ("acme", "d-\u200b1", "", "de\x07", "u\x07", 2),
        (None, "e-1", None, "xlm", None, None),
    ]
]


# missing-title


def test_a_missing_title_is_found() -> None:
    found = of("missing-title", rows_of("title", "Motor", "", None, "  \t\u00a0"))
    assert found["message"].to_dict() == dict.fromkeys([1, 2, 3], "It has no title.")
    assert found["suggestion"].tolist() == [f"title = 'Source {n}'" for n in (1, 2, 3)]
    assert set(found["severity"]) == {"warning"}


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("motor-inbox", "Motor inbox"),
        ("MotorInbox", "Motor Inbox"),
        ("motor__inbox-", "Motor inbox"),
        ("motorInboxUK2", "Motor Inbox UK2"),
        ("2024-claims", "2024 claims"),
        ("\u00e4rger", "\u00c4rger"),
        ("o'neill", "O'neill"),
        ("motor\u200b-inbox", "Motor inbox"),
        ("x" * 256, "X" + "x" * 255),
    ],
)
def test_the_suggested_title_is_made_from_the_name(name: str, title: str) -> None:
    df = pd.DataFrame({"owner": ["acme"], "name": [name], "title": [""]})
    report = rnb.audit(df, rules=["missing-title"])
    assert report.findings["suggestion"].tolist() == [f"title = {shown(title)}"]
    assert report.fixes()["title"].tolist() == [title]


@pytest.mark.parametrize(
    ("rows", "titles"),
    [
        ([("a", "motor-inbox", ""), ("a", "motor", "MOTOR  Inbox")], ["", "MOTOR  Inbox"]),
        ([("a", "motor-inbox", ""), ("b", "motor", "Motor inbox")], ["Motor inbox"] * 2),
        ([("a", "motor-inbox", ""), ("a", "motor_inbox", "")], ["", ""]),
        ([("a", "motor-inbox", ""), ("b", "motor_inbox", "")], ["Motor inbox"] * 2),
        ([("a", "--", ""), ("a", "_", None)], ["", None]),
        ([("a", None, "")], [""]),
    ],
)
def test_a_title_that_is_not_unique_in_its_project_is_not_suggested(
    rows: list[tuple[str, str, str]], titles: list[str | None]
) -> None:
    df = pd.DataFrame(rows, columns=["owner", "name", "title"], dtype="str")
    report = rnb.audit(df, rules=["missing-title"])
    assert report.fixes()["title"].equals(pd.Series(titles, dtype="str"))
    unfixed = report.findings["suggestion"] == "Give it a title."
    assert [titles[row] in ("", None) for row in report.positions] == unfixed.tolist()


# missing-description, name-pattern


def test_a_missing_description_is_found() -> None:
    found = of("missing-description", rows_of("description", "Tickets.", "", None, " \n"))
    assert found["message"].to_dict() == dict.fromkeys([1, 2, 3], "It has no description.")
    assert set(found["suggestion"]) == {"Say what it contains and who maintains it."}


def test_a_name_that_does_not_match_the_pattern_is_found() -> None:
    names = [
        "motor-inbox",
        "motor",
        "2-2",
        "motor_inbox",
        "Motor",
        "motor-",
        "-",
        "mo\ttor",
        None,
        "",
    ]
    found = messages("name-pattern", rows_of("name", *names))
    assert list(found) == [3, 4, 5, 6, 7, 9]
    assert found[3] == "The name 'motor_inbox' does not match the pattern '[a-z0-9]+(-[a-z0-9]+)*'."
    assert found[7].startswith("The name 'mo\\ttor' does not")


def test_the_pattern_of_names_can_be_set() -> None:
    rows = rows_of("name", "uk-motor", "us-motor", "motor", "uk-motor\n")
    assert list(messages("name-pattern", rows, pattern="(uk|us)-.*")) == [2, 3]
    with pytest.raises(rnb.InvalidInput, match=r"pattern='\(' is not a regular expression"):
        of("name-pattern", rows, pattern="(")


# twin-titles


def test_equal_titles_are_found() -> None:
    titles = ["Motor inbox", "Claims", "MOTOR  inbox ", "motor\u00a0inbox", "Motor  outbox"]
    found = messages("twin-titles", rows_of("title", *titles))
    assert found == {
        0: "Its title 'Motor inbox' is also used by acme/source-2, acme/source-3.",
        2: "Its title 'MOTOR  inbox ' is also used by acme/source-0, acme/source-3.",
        3: "Its title 'motor\\xa0inbox' is also used by acme/source-0, acme/source-2.",
    }


def test_titles_of_two_projects_and_missing_titles_are_no_twins() -> None:
    rows = [{"owner": owner, "title": "Motor"} for owner in ("a", "b", None, None)]
    assert messages("twin-titles", [*rows, *rows_of("title", "", "", None, None, " ", " ")]) == {}


def test_a_finding_names_three_of_many_twins() -> None:
    found = messages("twin-titles", rows_of("title", *["Motor"] * 1_202))
    assert len(found) == 1_202
    assert found[0].endswith("acme/source-1, acme/source-2, acme/source-3 and 1,198 more.")
    assert found[2].endswith("acme/source-0, acme/source-1, acme/source-3 and 1,198 more.")
    assert found[1_201].endswith("acme/source-0, acme/source-1, acme/source-2 and 1,198 more.")


def test_a_source_in_two_rows_is_its_own_twin() -> None:
    found = messages("twin-titles", [{"name": "motor", "title": "Motor"}] * 2)
    assert found == dict.fromkeys([0, 1], "Its title 'Motor' is also used by acme/motor.")


# look-alike-names


def test_names_that_look_alike_are_found() -> None:
    names = ["motor-inbox", "motor_inbox", "claims", "motor-imbox", None]
    # Each name with the next similar one.
    assert messages("look-alike-names", rows_of("name", *names)) == {
        0: "Its name looks like acme/motor_inbox.",
        1: "Its name looks like acme/motor-inbox, acme/motor-imbox.",
        3: "Its name looks like acme/motor_inbox.",
    }


def test_names_look_alike_in_one_project_only() -> None:
    rows = [{"owner": owner, "name": "motor"} for owner in ("a", "b", None)]
    other = [{"owner": owner, "name": "Motor"} for owner in ("c", "d", None)]
    assert messages("look-alike-names", rows + other) == {}


def test_the_minimum_word_length_can_be_set() -> None:
    rows = rows_of("name", "motor-uk", "motor-us")
    assert messages("look-alike-names", rows) == {}
    assert list(messages("look-alike-names", rows, letters=2)) == [0, 1]


# odd-characters


def test_invisible_characters_are_found() -> None:
    titles = [
        "Motor",
        "Mo\u200btor",
        "Motor\r\n",
        "\u202eMotor",
        "Sch\u00e4den",
        "\U0001f468\u200d\U0001f4bb",
    ]
    found = of("odd-characters", rows_of("title", *titles))
    assert found["message"].to_dict() == {
        1: "Its title has invisible characters: Mo\\u200btor.",
        2: "Its title has invisible characters: Motor\\r\\n.",
        3: "Its title has invisible characters: \\u202eMotor.",
    }
    assert set(found["suggestion"]) == {"title = 'Motor'"}


def test_a_title_of_invisible_characters_only_is_not_emptied() -> None:
    df = pd.DataFrame({"owner": ["a"], "name": ["x"], "title": ["\u200b\u200b"]})
    report = rnb.audit(df, rules=["odd-characters"])
    assert report.findings["suggestion"].tolist() == ["Type the title again."]
    assert report.fixes().equals(df)


def test_words_that_mix_alphabets_are_found() -> None:
    rows = rows_of(
        "title", "Motor cl\u0430ims", "\u041c\u043e\u0442\u043e\u0440 claims", "\u0391lpha"
    )
    assert messages("odd-characters", rows) == {
        0: "The word 'cl\u0430ims' in its title mixes Cyrillic and Latin letters.",
        2: "The word '\u0391lpha' in its title mixes Greek and Latin letters.",
    }


def test_odd_characters_of_names_are_found_but_not_changed() -> None:
    df = pd.DataFrame({"owner": ["a"], "name": ["mo\u200bt\u043er"], "title": ["Mo\u200btor"]})
    report = rnb.audit(df, rules=["odd-characters"])
    assert report.findings["message"].str.split().str[:3].str.join(" ").tolist() == [
        "Its name has",
        "The word 't\u043er'",
        "Its title has",
    ]
    assert report.fixes()["title"].tolist() == ["Motor"]
    assert report.fixes()["name"].tolist() == df["name"].tolist()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
@example("a\r\nb")
@example("\u05d0\u200e ")
def test_only_invisible_characters_are_removed(text: str) -> None:
    cleaned = alphabets.without_invisible(text)
    assert alphabets.without_invisible(cleaned) == cleaned
    visible_part = "".join(replaced(text, lambda *_: "").split())
    assert "".join(replaced(cleaned, lambda *_: "").split()) == visible_part
    suspect = alphabets.suspects(texts_of(pd.Series([text], dtype="str")))[0].as_py()
    assert suspect or (cleaned == text and not alphabets.mixed_words(text))


# shared-bucket, no-bucket


def test_a_bucket_that_feeds_several_sources_is_found() -> None:
    rows = rows_of("bucket_id", "aa", "bb", "aa", None, None, "", "", "cc")
    rows += [{"bucket_id": "cc", "owner": "people"}]
    assert messages("shared-bucket", rows) == {
        0: "Its bucket 'aa' also feeds acme/source-2.",
        2: "Its bucket 'aa' also feeds acme/source-0.",
        7: "Its bucket 'cc' also feeds people/source-8.",
        8: "Its bucket 'cc' also feeds acme/source-7.",
    }
    assert list(messages("no-bucket", rows)) == [3, 4, 5, 6]


def test_buckets_that_were_read_as_numbers_are_shown_as_texts() -> None:
    df = pd.DataFrame({"bucket_id": [1234567890123456, None, 1234567890123456]})
    found = rnb.audit(df, rules=["shared-bucket"]).findings
    assert found["message"].tolist() == [
        "Its bucket '1234567890123456' also feeds row 2.",
        "Its bucket '1234567890123456' also feeds row 0.",
    ]


# odd-language


def test_a_language_that_differs_from_that_of_all_siblings_is_found() -> None:
    found = of("odd-language", rows_of("language", "en", "en", "de", None, "en"))
    assert found["message"].to_dict() == {
        2: "Its language is German; that of all its siblings is English."
    }
    assert found["suggestion"].tolist() == ["If this is a mistake: language = 'en'"]
    strange = messages("odd-language", rows_of("language", "fr\x07", *["xlm"] * 3))
    assert strange == {0: "Its language is 'fr\\x07'; that of all its siblings is Multilingual."}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("languages", "options", "found"),
    [
        (["en", "en", "de"], {}, []),
        (["en", "en", "de"], {"siblings": 2}, [2]),
        (["en", "en", "en", "de"], {"siblings": 4}, []),
        (["en", "de"], {"siblings": 1}, []),
        (["en", "en", "en", "de", "de"], {}, []),
        (["en", "en", "en", "de", "xlm"], {}, []),
        (["en"] * 5, {}, []),
    ],
)
def test_languages_in_mixed_or_small_projects_are_not_odd(
    languages: list[str], options: dict[str, int], found: list[int]
) -> None:
    assert list(messages("odd-language", rows_of("language", *languages), **options)) == found
    without_owner = [{"language": language, "owner": None} for language in languages]
    assert messages("odd-language", without_owner, **options) == {}


# odd-sensitive-properties


def test_a_property_that_the_siblings_hide_is_found() -> None:
    rows = rows_of(
        "sensitive_properties",
        ["iban", "salary"],
        ("salary", "iban"),
        ["salary"],
        ["x"],
        ["iban", "salary"],
    )
    found = of("odd-sensitive-properties", rows, share=0.75)
    assert found["message"].to_dict() == {
        2: "It shows 'iban', which 3 of its siblings hide.",
        3: "It shows 'iban', 'salary', which 3 of its siblings hide.",
    }
    assert found["suggestion"].tolist() == [
        "sensitive_properties = ['salary', 'iban']",
        "sensitive_properties = ['x', 'iban', 'salary']",
    ]
    assert list(messages("odd-sensitive-properties", rows)) == [3]
    assert list(messages("odd-sensitive-properties", rows, siblings=4)) == [3]
    assert messages("odd-sensitive-properties", rows, siblings=5) == {}


@pytest.mark.parametrize("share", [0.07, 0.28, 0.55, 0.8, 1.0])
def test_the_share_of_siblings_is_exact(share: float) -> None:
    hiding = round(share * 100)
    for offset, found in ((0, 1), (-1, 0)):
        cells = [["iban"]] * (hiding + offset) + [[]] * (100 - hiding - offset)
        rows = rows_of("sensitive_properties", [], *cells)
        assert (0 in messages("odd-sensitive-properties", rows, share=share)) == found


def test_sources_without_a_project_have_no_siblings() -> None:
    rows = [{"owner": None, "sensitive_properties": cell} for cell in [["iban"]] * 9 + [[]]]
    assert messages("odd-sensitive-properties", rows) == {}


# transform-drift


def test_another_transform_or_an_older_version_is_found() -> None:
    transforms = [("mail", 3), ("mail", 2), ("fax", 1), ("mail", None), (None, 1), ("fax", 2)]
    rows = [
        {"email_transform_tag": tag, "email_transform_version": version}
        for tag, version in transforms
    ]
    found = of("transform-drift", rows)
    assert list(zip(found.index, found["message"], strict=True)) == [
        (1, "Its email transform is version 2; a sibling has version 3."),
        (2, "Its email transform is 'fax'; the usual one in its project is 'mail'."),
        (2, "Its email transform is version 1; a sibling has version 2."),
        (5, "Its email transform is 'fax'; the usual one in its project is 'mail'."),
    ]


def test_transforms_of_two_projects_are_not_compared() -> None:
    rows = [
        {"owner": owner, "email_transform_tag": tag, "email_transform_version": version}
        for owner, tag, version in [
            ("a", "mail", 1),
            ("b", "fax", 1),
            ("c", "fax", 2),
            (None, "x", 1),
        ]
    ]
    assert messages("transform-drift", rows) == {}


# stale, impossible-times


def test_sources_that_were_not_updated_for_long_are_found() -> None:
    moments = [
        "2025-01-01T00:00:00Z",
        "2025-01-01T00:00:01Z",
        "2024-12-31T23:59:59Z",
        None,
        "2030-01-01",
    ]
    rows = rows_of("updated_at", *moments)
    assert messages("stale", rows) == {
        0: "Not updated for 365 days, since 2025-01-01.",
        2: "Not updated for 365 days, since 2024-12-31.",
    }
    assert list(messages("stale", rows, days=364)) == [0, 1, 2]
    assert messages("stale", rows, days=366) == {}
    assert messages("stale", rows_of("updated_at", "2025-12-31"), days=1) == {
        0: "Not updated for 1 day, since 2025-12-31."
    }
    assert messages("stale", rows_of("updated_at", "1999-01-01"))[0].startswith(
        "Not updated for 9,862 days"
    )


def test_impossible_times_are_found() -> None:
    times = [
        ("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"),
        ("2026-01-01T00:06:00Z", "2026-01-01T00:06:00Z"),
        ("2026-01-01T00:05:00Z", "2026-01-01T00:05:00Z"),
        ("2025-01-02T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2025-01-01T00:05:00Z", "2025-01-01T00:00:00Z"),
        (None, "2025-01-01T00:00:00Z"),
        ("2025-01-01T00:00:00Z", None),
        ("9000-01-01T00:00:00Z", None),
    ]
    rows = [{"created_at": created, "updated_at": updated} for created, updated in times]
    found = of("impossible-times", rows)
    assert list(zip(found.index, found["message"], strict=True)) == [
        (1, "Its created_at, 2026-01-01 00:06, is in the future."),
        (1, "Its updated_at, 2026-01-01 00:06, is in the future."),
        (3, "Its updated_at, 2025-01-01 00:00, is before its created_at, 2025-01-02 00:00."),
        (7, "Its created_at, 9000-01-01 00:00, is in the future."),
    ]
    assert set(found["severity"]) == {"error"}


def test_last_modified_is_checked_if_the_listing_has_it() -> None:
    rows = [{"created_at": "2025-01-01", "updated_at": "2025-01-01", "last_modified": "2024-01-01"}]
    assert messages("impossible-times", rows) == {
        0: "Its last_modified, 2024-01-01 00:00, is before its created_at, 2025-01-01 00:00."
    }


# Translation


def test_translation_is_needless_for_english_and_missing_for_multilingual() -> None:
    rows = [
        {"language": language, "should_translate": on}
        for language in ("en", "xlm", "de", None)
        for on in (True, False, None)
    ]
    assert messages("needless-translation", rows) == {
        0: "It is translated although its language is English."
    }
    # A missing should_translate is no finding.
    assert messages("missing-translation", rows) == {
        4: "It is not translated although its language is multilingual."
    }
    df = pd.DataFrame(rows)
    fixed = rnb.audit(df, rules=["needless-translation", "missing-translation"]).fixes()
    assert fixed["should_translate"].tolist() == [False, *df["should_translate"].tolist()[1:]]


# unknown-kind, empty


def test_an_unknown_kind_is_found() -> None:
    rows: list[Row] = [
        {"kind": "chat"},
        {"kind": "unknown"},
        {"kind": "unknown", "bucket_id": "aa"},
        {"kind": "unknown", "email_transform_tag": "mail"},
        {"kind": "unknown", "bucket_id": "", "email_transform_tag": ""},
        {"kind": None, "bucket_id": "aa"},
        {"kind": "fax\n", "bucket_id": "aa"},
    ]
    unknown = 'Its kind is "unknown", and nothing else shows what its comments are.'
    assert messages("unknown-kind", rows) == {
        1: unknown,
        4: unknown,
        5: "Its kind is missing.",
        6: "Its kind 'fax\\n' is not known.",
    }
    found = of("unknown-kind", rows_of("kind", "unknown", "call"))
    assert found["suggestion"].tolist() == [
        "Set kind to one of call, chat, ixp_design, ixp_runtime."
    ]


@pytest.mark.parametrize("dtype", ["Int64", "float64", "object", "str", "int64[pyarrow]"])
def test_sources_without_comments_are_found(dtype: Any) -> None:
    counts = pd.Series([0, 3, None, 0], dtype="Int64").astype(dtype)
    df = pd.DataFrame({"name": list("abcd"), "num_comments": counts})
    report = rnb.audit(df, rules=["empty"])
    assert report.positions.tolist() == [0, 3]
    assert set(report.findings["message"]) == {"It has no comments."}


# silent, declining, and what they say beside stale and shared-bucket

# `NOW` is 2026-01-01.
LAST = ["2025-12-31T23:00:00Z", "2025-10-04T00:00:01Z", "2025-10-03T00:00:00Z", None]
DTYPES = {
    "dtype": lambda times: times,
    "texts": lambda times: times.astype("str"),
    "objects": lambda times: times.astype(object),
    "no zone": lambda times: times.dt.tz_localize(None),
    "nanoseconds": lambda times: times.dt.as_unit("ns"),
    "another zone": lambda times: times.dt.tz_convert("Asia/Tokyo"),
    "categories": lambda times: times.astype("category"),
    "arrow": lambda times: times.astype("timestamp[us, tz=UTC][pyarrow]"),
    "texts of arrow": lambda times: times.astype("str").astype("string[pyarrow]"),
}


@pytest.mark.parametrize("change", DTYPES.values(), ids=DTYPES)
def test_silent_sources_are_found(change: Any) -> None:
    times = change(pd.to_datetime(pd.Series(LAST), utc=True).dt.as_unit("us"))
    df = pd.DataFrame({"name": list("abcd"), "last_comment_at": times})
    report = rnb.audit(df, rules=["silent"], now=NOW)
    assert report.findings["message"].tolist() == [
        "No comments for 90 days; the newest was sent on 2025-10-03."
    ]
    assert report.positions.tolist() == [2]
    assert rnb.audit(df, rules=["silent"], now=NOW, silent_days=1).positions.tolist() == [1, 2]
    later = rnb.audit(df, rules=["silent"], now="2026-01-01T23:00", silent_days=1)
    assert later.findings["message"].iloc[0] == (
        "No comments for 1 day; the newest was sent on 2025-12-31."
    )


def test_unreadable_times_are_no_finding() -> None:
    rows = rows_of("last_comment_at", "x", "", "2019", 5, "2020-01-01 00:00:00+00:00")
    assert list(messages("silent", rows)) == [2, 4]


NUMBERS = ["Int64", "float64", "object", "str", "double[pyarrow]", "category", "Float64"]


@pytest.mark.parametrize("dtype", NUMBERS)
def test_declining_sources_are_found(dtype: Any) -> None:
    pairs = [(3, 10), (4, 10), (0, 9), (0, 9.5), (1, 1234.5), (None, 30), (3, None), (10, 30)]
    last, usual = (
        pd.Series(numbers, dtype="Float64").astype(
            dtype if not (dtype == "Int64" and place) else "Float64"
        )
        for place, numbers in enumerate(zip(*pairs, strict=True))
    )
    df = pd.DataFrame({"comments_last_month": last, "comments_usual_month": usual})
    report = rnb.audit(df, rules=["declining"])
    assert dict(zip(report.positions.tolist(), report.findings["message"], strict=True)) == {
        0: "It got 3 comments in the last full month; 10 are usual.",
        4: "It got 1 comment in the last full month; 1,234.5 are usual.",
    }
    more = rnb.audit(df, rules=["declining"], usual_share=0.5, least_usual=9)
    assert more.positions.tolist() == [0, 1, 2, 3, 4, 7]
    with pytest.raises(rnb.InvalidInput, match="least_usual= takes a value such as 10"):
        rnb.audit(df, rules=["declining"], least_usual="9")


def test_endless_numbers_are_no_finding() -> None:
    infinite = float("inf")
    pairs = [(1, infinite), (-infinite, 30), (-1, 30), (infinite, infinite)]
    names = "comments_last_month", "comments_usual_month"
    rows: list[Row] = [dict(zip(names, pair, strict=True)) for pair in pairs]
    assert messages("declining", rows) == {}


def test_old_settings_are_no_finding_where_comments_arrive() -> None:
    rows = [{"updated_at": "2020-01-01T00:00:00Z", "last_comment_at": last} for last in LAST]
    assert list(messages("stale", rows)) == [2, 3]
    assert list(messages("stale", rows, silent_days=1)) == [1, 2, 3]
    assert list(messages("stale", rows_of("updated_at", "2020-01-01T00:00:00Z"))) == [0]


def test_a_shared_bucket_names_the_sources_that_get_comments() -> None:
    recent, old = LAST[0], LAST[2]
    rows = [
        {"bucket_id": bucket, "last_comment_at": last}
        for bucket, last in [
            *(("aa", recent), ("aa", old), ("aa", None), ("bb", recent), ("bb", recent)),
            *(("cc", old), ("cc", None), ("dd", None), ("dd", None)),
            *([("ee", recent)] * 6),
        ]
    ]
    found = messages("shared-bucket", rows)
    others = "acme/source-10, acme/source-11, acme/source-12"
    assert [found[n].partition(". ")[2] for n in range(10)] == [
        "Comments in the last 90 days came to this source.",
        "Comments in the last 90 days came to acme/source-0.",
        "Comments in the last 90 days came to acme/source-0.",
        "Comments in the last 90 days came to this source and acme/source-4.",
        "Comments in the last 90 days came to this source and acme/source-3.",
        "No source of this bucket is known to have got comments in the last 90 days.",
        "No source of this bucket is known to have got comments in the last 90 days.",
        "",
        "",
        f"Comments in the last 90 days came to this source and {others} and 2 more.",
    ]
    assert found[7] == "Its bucket 'dd' also feeds acme/source-8."
    found = messages("shared-bucket", rows, silent_days=100)
    assert found[2].endswith("came to acme/source-0, acme/source-1.")


@pytest.fixture(scope="module")
def contents() -> pd.DataFrame:
    """Sources with what their comments are, one of them without a comment."""
    with rnb.sandbox() as client:
        client.create_source("claims/nothing")
        return client.contents(client.sources(["claims", "people"]), progress=False)


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet", "pandas"])
def test_rules_about_comments_take_files(
    contents: pd.DataFrame, tmp_path: Any, suffix: str
) -> None:
    df = contents.copy()
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        back = rnb.read_csv(rnb.to_csv(df, path))
    elif suffix == "xlsx":
        back = rnb.read_excel(rnb.to_excel(df, path))
    elif suffix == "parquet":
        df.to_parquet(path)
        back = pd.read_parquet(path)
    else:
        df.to_csv(path, index=False)
        back = pd.read_csv(path)
    if suffix != "pandas":
        assert back[list(ADDED)].equals(df[list(ADDED)])
        assert back[list(ADDED)].dtypes.equals(df[list(ADDED)].dtypes)
    rules = ["empty", "silent", "declining", "stale", "shared-bucket"]
    expected = rnb.audit(df, rules=rules)
    assert set(expected.findings["rule"]) >= {"empty", "silent", "declining"}
    found = rnb.audit(back, rules=rules, now=expected.now).findings
    assert found["message"].tolist() == expected.findings["message"].tolist()
    by_hand = {
        "empty": (df["num_comments"] == 0).sum(),
        "silent": sum((expected.now - time).days >= 90 for time in df["last_comment_at"].dropna()),
        "declining": sum(
            usual >= 10 and last * 3 < usual
            for last, usual in zip(
                df["comments_last_month"], df["comments_usual_month"].fillna(0), strict=True
            )
        ),
    }
    numbers = found["rule"].value_counts()
    assert {rule: numbers.get(rule, 0) for rule in by_hand} == by_hand


# The fast version of `shown`


@pytest.mark.slow
@given(st.lists(st.one_of(st.text(max_size=5), st.text("a'\"\\ ~\n", max_size=100))))
def test_all_shown_equals_shown_of_each_text(texts: list[str]) -> None:
    texts = [text for text in texts if text.isascii()] + ["a" * n for n in (77, 78, 79)]
    array = texts_of(pd.Series(texts, dtype="str"))
    assert text_rules._all_shown(array).to_pylist() == [shown(text) for text in texts]


# The sample data, against plain loops


@pytest.fixture(scope="module")
def sample(shared: rnb.Client) -> pd.DataFrame:
    return shared.sources()


def projects(rows: list[Row]) -> Iterator[list[Row]]:
    groups: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["owner"]].append(row)
    yield from groups.values()


def counted_by_hand(rows: list[Row], now: pd.Timestamp) -> dict[str, int]:
    """Count the findings of each rule by plain loops; every row must have a project."""
    buckets = Counter(row["bucket_id"] for row in rows if isinstance(row["bucket_id"], str))
    counts: Counter[str] = Counter()
    for row in rows:
        has_bucket = isinstance(row["bucket_id"], str)
        is_mail = has_bucket or isinstance(row["email_transform_tag"], str)
        counts["missing-title"] += not row["title"]
        counts["missing-description"] += not row["description"]
        counts["name-pattern"] += bool(
            set(row["name"]) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
        )
        counts["shared-bucket"] += has_bucket and buckets[row["bucket_id"]] > 1
        counts["no-bucket"] += not has_bucket
        counts["stale"] += (now - row["updated_at"]).days >= 365
        counts["needless-translation"] += (
            row["language"] == "en" and row["should_translate"] is True
        )
        counts["missing-translation"] += (
            row["language"] == "xlm" and row["should_translate"] is False
        )
        counts["unknown-kind"] += row["kind"] == "unknown" and not is_mail
        counts["impossible-times"] += not row["created_at"] <= row["updated_at"] <= now
    for project in projects(rows):
        titles = Counter(row["title"] for row in project if row["title"])
        names = Counter(row["name"].lower().replace("_", "").replace("-", "") for row in project)
        languages = Counter(row["language"] for row in project)
        counts["twin-titles"] += sum(n for n in titles.values() if n > 1)
        counts["look-alike-names"] += sum(n for n in names.values() if n > 1)
        counts["odd-language"] += sorted(languages.values())[:-1] == [1]
        for row in project:
            others = [other["sensitive_properties"] for other in project if other is not row]
            usual = {p for cell in others for p in cell}
            counts["odd-sensitive-properties"] += any(
                p not in row["sensitive_properties"]
                and sum(p in cell for cell in others) >= 0.8 * len(others)
                for p in usual
            )
        emails = [row for row in project if isinstance(row["email_transform_tag"], str)]
        assert len({row["email_transform_tag"] for row in emails}) <= 1
        newest = max(row["email_transform_version"] for row in emails)
        counts["transform-drift"] += sum(row["email_transform_version"] < newest for row in emails)
    return {rule: count for rule, count in counts.items() if count}


@pytest.mark.slow
def test_the_findings_in_the_sample_equal_those_of_a_loop(sample: pd.DataFrame) -> None:
    report = rnb.audit(sample)
    by_hand = counted_by_hand(sample.to_dict("records"), report.now)  # type: ignore[arg-type] # keys are str
    assert report.findings["rule"].value_counts().to_dict() == by_hand
    assert len(by_hand) >= 12

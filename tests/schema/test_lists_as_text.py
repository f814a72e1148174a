"""Lists written as text in cells are read in the same way everywhere."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import reinfer_nb as rnb
from reinfer_nb import cli
from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Names
from reinfer_nb.widgets.controls import control_for

Captured = pytest.CaptureFixture[str]
NAME = "claims/motor-inbox"
GOOD: dict[str, tuple[str, ...]] = {
    '["salary", "iban"]': ("salary", "iban"),
    '["salary","iban"]': ("salary", "iban"),
    ' [ "salary" , "iban" ] ': ("salary", "iban"),
    "['salary', 'iban']": ("salary", "iban"),
    "('salary', 'iban')": ("salary", "iban"),
    "('salary',)": ("salary",),
    "['salary']": ("salary",),
    r'["a\u00e4\ud83d\ude00\n\"\\"]': ('aä\N{GRINNING FACE}\n"\\',),
    str(('aä\N{GRINNING FACE}\n"\\', "\x00\xad\u2028'", "it's", "")): (
        'aä\N{GRINNING FACE}\n"\\',
        "\x00\xad\u2028'",
        "it's",
        "",
    ),
    # Another version of Python escapes this character in a `repr`.
    r"('\U0001f600',)": ("\N{GRINNING FACE}",),
    r"['a, b', '], [', '\\n']": ("a, b", "], [", r"\n"),
}
BAD = [
    '["salary" "iban"]',
    "['salary' 'iban']",
    "('salary' 'iban',)",
    "('salary')",
    "('salary', 'iban',)",
    "['salary', ]",
    "['salary'",
    "['salary']]",
    "['salary'] + ['iban']",
    "['salary', iban]",
    '["salary", 5]',
    "['salary', 5]",
    "['salary', None]",
    "['salary', ['iban']]",
    "{'salary', 'iban'}",
    '{"salary": "iban"}',
    "['salary', b'iban']",
    "[r'salary']",
    "[f'{1+1}']",
    "('salary', *('iban',))",
    "['a'.upper()]",
    "['a' * 3]",
    r"['\x41']",
    r"['\x5cn']",
    r"['\a']",
    r"['\N{DEGREE SIGN}']",
    r"['\U00110000']",
    r"['\xzz']",
    "salary",
    "salary, iban",
    "'salary'",
    '"salary"',
    "5",
    "None",
    "nan",
    "[" * 100_000 + "]" * 100_000,
    "(" * 5_000,
    "[" + "'a', " * 5_000,
    "['" + "\\\\" * 50_000,
]
IDS = [text[:24] for text in BAD]
(FIELD,) = (field for field in fields_of(Source) if field.type is Names)


def edited(client: rnb.Client, cell: Any) -> pd.DataFrame:
    """Return the row of a source with `cell` as its sensitive properties."""
    claims = client.sources("claims")
    row = claims[claims["name"] == "motor-inbox"]
    return row.assign(sensitive_properties=pd.Series([cell], index=row.index, dtype=object))


@pytest.mark.slow
@pytest.mark.parametrize(("text", "names"), GOOD.items())
def test_a_list_is_read_the_same_everywhere(
    shared: rnb.Client, tmp_path: Path, text: str, names: tuple[str, ...]
) -> None:
    frame = edited(shared, text)
    (step,) = shared.plan(frame).steps
    assert step.settings == {"sensitive_properties": names}
    file = tmp_path / "edited.csv"
    frame.to_csv(file, index=False)
    assert rnb.read_csv(file)["sensitive_properties"].tolist() == [names]
    with rnb.sandbox(data=frame) as copy:
        assert copy.sources()["sensitive_properties"].tolist() == [names]
    assert rnb.compare(frame, edited(shared, names)).ok
    audited = [rnb.audit(df).findings for df in (frame, edited(shared, names))]
    assert audited[0].equals(audited[1])
    control = control_for(FIELD)
    control.input.value = text
    assert control.entry().value == names


@pytest.mark.slow
@pytest.mark.parametrize("text", BAD, ids=IDS)
def test_what_is_no_list_is_a_problem_everywhere(
    shared: rnb.Client, tmp_path: Path, text: str
) -> None:
    frame = edited(shared, text)
    plan = shared.plan(frame)
    assert plan.steps == ()
    (problem,) = plan.problems.itertuples()
    assert (problem.column, problem.row) == ("sensitive_properties", 0)
    assert 'In a file, write ["salary"]' in str(problem.reason)
    file = tmp_path / "edited.csv"
    frame.to_csv(file, index=False)
    if text != "nan":
        with pytest.raises(rnb.ReinferError, match="is not a list of texts"):
            rnb.read_csv(file)
    with pytest.raises(rnb.InvalidInput, match="is not a list of texts"), rnb.sandbox(data=frame):
        pass
    with pytest.raises(rnb.InvalidInput, match="is not a list of texts"):
        rnb.audit(frame)


@pytest.mark.parametrize("text", ['["salary" "iban"]', "('salary' 'iban')", "['a'"])
def test_a_form_takes_no_broken_list_for_a_name(text: str) -> None:
    control = control_for(FIELD)
    control.input.value = text
    assert "is not a list of texts" in (control.entry().flaw or "")
    control.input.value = "[internal]\n(old) name"
    assert control.entry().value == ("[internal]", "(old) name")


def test_the_command_line_lists_it(
    configured: rnb.Client, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "edited.csv"
    edited(configured, "('salary' 'iban')").to_csv(file, index=False)
    assert cli.main(["plan", str(file)]) == 2
    assert "is not a list of texts" in capsys.readouterr().err
    edited(configured, "('salary', 'iban')").to_csv(file, index=False)
    assert cli.main(["plan", str(file)]) == 0
    assert '["salary", "iban"]' in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell", [("a\ud800",), ["a\ud800"], "['a\\ud800']", '["\\udc00", "b"]', {"x", "\udfff"}]
)
@pytest.mark.parametrize("new", [False, True])
def test_half_a_character_in_a_list_is_a_problem(
    shared: rnb.Client, cell: Any, *, new: bool
) -> None:
    frame = edited(shared, cell)
    if new:
        frame = frame.drop(columns="id").assign(name="new")
    plan = shared.plan(frame)
    (problem,) = plan.problems.itertuples()
    assert problem.column == "sensitive_properties"
    assert "half a character" in str(problem.reason)


def test_half_a_character_of_the_tenant_is_shown_as_one_that_can_be_written() -> None:
    body = rb'{"sources": [{"id": "%s", "owner": "a", "name": "b", "sensitive_properties": '
    body = body % (b"0" * 16) + rb'["x\ud800", "y"]}]}'
    from reinfer_nb.frames.convert import from_listing

    with pytest.warns(rnb.UnreadableWarning, match="half a character"):
        _, frame = from_listing(body)
    assert frame is not None
    assert frame["sensitive_properties"].tolist() == [("x\ufffd", "y")]


@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_cell_is_a_missing_one(shared: rnb.Client, empty: str) -> None:
    row = edited(shared, empty)
    for name in ("should_translate", "email_transform_version", "updated_at", "created_at"):
        row[name] = pd.Series([empty], index=row.index, dtype=object)
    row["bucket_id"] = shared.sources("claims")["bucket_id"]
    plan = shared.plan(row)
    reasons = {line.column: line.reason for line in plan.problems.itertuples()}
    assert all("is missing, but the tenant has" in reason for reason in map(str, reasons.values()))
    assert plan.steps == ()


@pytest.mark.slow
def test_what_python_and_json_print_of_random_lists_is_read() -> None:
    """Parse the `repr` and the JSON of random lists of texts."""
    dice = random.Random(9)
    letters = "ab'\"\\,[]() \n\r\t\x00\x1b\x7f\xa0\xad\u200b\u2028\ud800\ufffeé\U0001f600\U000e0001"
    for _ in range(5_000):
        names = tuple(
            "".join(dice.choice(letters) for _ in range(dice.randrange(6)))
            for _ in range(dice.randrange(5))
        )
        for text in (repr(names), repr(list(names)), json.dumps(names)):
            assert Names.parse(text) == names, text
        assert Names.parse(json.dumps(names, ensure_ascii=False, indent=1)) == names


@pytest.mark.slow
def test_no_text_is_read_as_another_list_than_python_has() -> None:
    """Compare randomly damaged lists with `ast.literal_eval`."""
    import ast

    dice = random.Random(10)
    accepted = 0
    for _ in range(20_000):
        text = list(repr(tuple(dice.sample(["a", "it's", "x\\y", "b\n", "ü", "\x00"], 2))))
        for _ in range(dice.randrange(1, 3)):
            place = dice.randrange(len(text))
            text[place : place + dice.randrange(2)] = dice.choice("'\"\\,()[] ax05n#")
        try:
            names = Names.parse("".join(text))
        except ValueError:
            continue
        accepted += 1
        assert names == tuple(ast.literal_eval("".join(text).strip()))
    assert accepted > 100


def test_pandas_own_file_of_a_listing_is_no_change(shared: rnb.Client) -> None:
    listing = shared.sources()
    again = pd.read_csv(io.StringIO(listing.to_csv(index=False)), dtype=str)
    plan = shared.plan(again, listing, delete_missing=True)
    assert plan.ok, plan
    assert plan.steps == ()

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
(FIELD,) = (field for field in fields_of(Source) if field.type is Names)


def edited(client: rnb.Client, cell: Any) -> pd.DataFrame:
    """Return the row of a source with `cell` as its sensitive properties."""
    claims = client.sources("claims")
    row = claims[claims["name"] == "motor-inbox"]
    return row.assign(sensitive_properties=pd.Series([cell], index=row.index, dtype=object))


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

"""The columns that the toolkit adds to listings: what is in the sources."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa

from reinfer_nb.schema.fields import fields_of
from reinfer_nb.schema.records import Source
from reinfer_nb.schema.value_types import Moment, ValueType, Whole


class Number(ValueType):
    """A number, such as a median."""

    noun = "a number (float)"
    schema: ClassVar[Mapping[str, Any]] = {"type": "number"}
    json = pa.float64()
    dtype = pd.Float64Dtype()
    absent = pd.NA

    @classmethod
    def read(cls, value: Any, /) -> float:
        """Return a number as a float; raise `ValueError` if it is none."""
        if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
            raise ValueError("not a number")
        return float(value)


# Of `Client.statistics`.
COMMENTS = "num_comments"
# Of `Client.contents`, which also adds COMMENTS.
LAST_COMMENT, LAST_MONTH = "last_comment_at", "comments_last_month"
USUAL_MONTH = "comments_usual_month"
# Of the explorer: a small chart of the last thirteen full months, as a text.
ACTIVITY = "activity"
ADDED: Mapping[str, type[ValueType]] = {
    COMMENTS: Whole,
    LAST_COMMENT: Moment,
    LAST_MONTH: Whole,
    USUAL_MONTH: Number,
}


def listing_types() -> dict[str, type[ValueType]]:
    """Return the types of the columns of a listing by name: fields, then added columns."""
    return {**{field.name: field.type for field in fields_of(Source)}, **ADDED}

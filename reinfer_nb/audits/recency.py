"""Which sources of a listing got comments lately, where that is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb.frames.cells import instants_of
from reinfer_nb.schema.added_columns import LAST_COMMENT
from reinfer_nb.schema.value_types import Moment

# A source is silent after so many days without comments.
SILENT_DAYS = 90


def last_comments(df: pd.DataFrame) -> pd.Series:
    """Return when the newest comment of each source was sent; missing where that is not known."""
    if LAST_COMMENT not in df:
        return pd.Series(pd.NaT, index=df.index, dtype=Moment.dtype)
    times = pd.DatetimeIndex(instants_of(df[LAST_COMMENT])).tz_localize("UTC")
    return pd.Series(times, index=df.index)


def got_comments(df: pd.DataFrame, now: pd.Timestamp, days: int) -> npt.NDArray[np.bool_]:
    """Return a mask of the sources that are known to have got comments in the last days."""
    return np.asarray((now - last_comments(df)).dt.days < days, dtype=np.bool_)

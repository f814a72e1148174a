"""The rules of a report as a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb.audits.rule import Rule
from reinfer_nb.constants import SEVERITIES
from reinfer_nb.frames.tables import table

_COLUMNS = {
    **dict.fromkeys(["rule", "severity"], "str"),
    **dict.fromkeys(["findings", "sources"], "Int64"),
    **dict.fromkeys(["finds", "skipped"], "str"),
}


def rule_counts(
    rules: Mapping[str, Rule],
    skipped: Mapping[str, str],
    found_by: pd.Series,
    positions: npt.NDArray[np.int64],
) -> pd.DataFrame:
    """Return one row per rule, the most severe first, and the skipped rules last.

    Args:
        rules: The rules that ran, by id.
        skipped: The reason for each rule that did not run, by id.
        found_by: The rule of each finding.
        positions: The position of the row of each finding in the listing.

    Returns:
        Columns: `rule`, `severity`, `findings` and `sources` (`Int64`, counts), `finds`, and
        `skipped`, the reason.
    """
    groups = pd.Series(positions).groupby(found_by.to_numpy())
    findings, sources = groups.count(), groups.nunique()
    ordered = sorted(rules.values(), key=lambda rule: SEVERITIES.index(rule.severity))
    ran = [
        (r.id, r.severity, findings.get(r.id, 0), sources.get(r.id, 0), r.headline, None)
        for r in ordered
    ]
    others = [(key, None, None, None, None, f"It {reason}.") for key, reason in skipped.items()]
    return table(_COLUMNS, [*ran, *others])

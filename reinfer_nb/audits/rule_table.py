"""The table of all audit rules, which shows itself so that it can be read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import pandas as pd

from reinfer_nb import markup
from reinfer_nb.audits.rule import heading, known, options_text
from reinfer_nb.text import visible

_COLUMNS = ["rule", "severity", "why", "needs", "options"]
# Characters of a line of text.
_WIDTH = 100


class RuleTable(pd.DataFrame):
    """The frame that `audit_rules` returns; a selection from it is a plain `DataFrame`.

    pandas would cut the texts, and leave out columns.
    """

    def _rules(self) -> Iterator[tuple[str, str, str, list[str], dict[str, Any]]]:
        """Yield id, severity, why in one line, needed columns and options of each rule."""
        cells: list[list[Any]] = [self[name].tolist() for name in _COLUMNS]
        for rule, severity, why, needs, options in zip(*cells, strict=True):
            yield str(rule), str(severity), str(why).split("\n", 1)[0], list(needs), dict(options)

    def _is_whole(self) -> bool:
        return list(self.columns) == _COLUMNS

    def __repr__(self) -> str:
        if not self._is_whole():
            return super().__repr__()
        lines = []
        for rule, severity, why, needs, options in self._rules():
            head = heading(rule, severity, needs, options)
            lines += textwrap.wrap(head, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)
            lines += (f"  {line}" for line in textwrap.wrap(visible(why), _WIDTH - 2))
        return "\n".join(lines)

    def _repr_html_(self) -> str | None:
        if not self._is_whole():
            return pd.DataFrame(self)._repr_html_()  # type: ignore[operator, no-any-return]
        heads = ("Rule", "Severity", "Why", "Columns needed", "Options")
        rows = (
            (rule, severity, why, ", ".join(needs), options_text(options))
            for rule, severity, why, needs, options in self._rules()
        )
        return str(markup.table(heads, rows))


def audit_rules() -> pd.DataFrame:
    """Return the rules of `audit`: built-in rules, then custom ones.

    >>> audit_rules()[["rule", "severity"]].head(2)
                      rule severity
    0        missing-title  warning
    1  missing-description     info

    The whole table shows the first line of each `why`, the needed columns, and the options with
    their defaults.

    Returns:
        `rule`, `severity`, `why` (`str`), `needs` (`object`: tuples of the columns that the rule
        needs to run), `options` (`object`: dictionaries of the defaults).
    """
    rules = list(known().values())
    texts = {
        "rule": [rule.id for rule in rules],
        "severity": [rule.severity for rule in rules],
        "why": [rule.why for rule in rules],
    }
    table = pd.DataFrame(texts, dtype="str")
    table["needs"] = pd.Series([rule.needs for rule in rules], dtype=object)
    table["options"] = pd.Series([dict(rule.options) for rule in rules], dtype=object)
    return RuleTable(table)

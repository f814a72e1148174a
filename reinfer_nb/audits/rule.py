"""What an audit looks for: rules, each a function of a listing, and how own ones are added.

Knows nothing of reports; `auditing` runs the rules, and those of the toolkit are in `_rules_texts`,
`_rules_siblings` and `_rules_settings`.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, NoReturn, Self, get_args, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb.docstrings import docstring
from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import hint, shown

Severity = Literal["error", "warning", "info"]
# The gravest first.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

# What a rule may return, as `audit_rule` tells.
Found = pd.DataFrame | pd.Series | npt.NDArray[np.bool_]
Find = Callable[..., Found]

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_MODULES = ("text_rules", "sibling_rules", "setting_rules")
# What `audit` takes besides options.
_TAKEN = ("df", "rules", "ignore")


@dataclass(frozen=True, eq=False)
class Rule:
    """One thing that an audit looks for; `audit_rule` makes one of a function, and calls as it.

    Attributes:
        id: What it is called, such as "missing-title".
        severity: How grave a finding is: "error", "warning" or "info".
        why: What it finds and why that matters.
        needs: The columns without which it does not run.
        options: What can be set of it, with defaults.
    """

    id: str
    severity: Severity
    why: str
    needs: tuple[str, ...]
    options: Mapping[str, Any]
    _find: Find = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        # The function of a rule is not what its module has under that name: the rule is.
        return _unpickled, (self.id, self.severity, self.why, self.needs, dict(self.options))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    @property
    def module(self) -> str:
        """The module that the function is of."""
        return self._find.__module__

    @property
    def headline(self) -> str:
        """The first line of `why`."""
        return self.why.split("\n", 1)[0]

    def __call__(self, df: pd.DataFrame, *args: Any, **options: Any) -> Found:
        """Return what the function returns, for tests of own rules."""
        return self._find(df, *args, **options)

    def find(self, df: pd.DataFrame, now: pd.Timestamp, options: Mapping[str, Any]) -> pd.DataFrame:
        """Return what it finds in a prepared listing.

        Args:
            df: The listing, over a `RangeIndex`.
            now: The moment that ages are counted to.
            options: Values for those of its options that are not to be the default.

        Returns:
            `message`, `suggestion`, `field` (`str`) and `value` (`object`), over the rows' labels.

        Raises:
            InvalidInput: The function returned something else than a rule may.
        """
        given = {name: value for name, value in options.items() if name in self.options}
        if "now" in inspect.signature(self._find).parameters:
            given["now"] = now
        # What a rule puts into the listing is not there for the next one.
        try:
            found = self._find(df.copy(deep=False), **given)
        except Exception as error:
            error.add_note(f"It was raised by the audit rule {self.id}.")
            raise
        return self._table(found, df)

    def _table(self, found: object, df: pd.DataFrame) -> pd.DataFrame:
        if isinstance(found, pd.DataFrame):
            if "message" not in found or not found.columns.is_unique:
                raise self._wrong()
            table = found.reindex(columns=["message", "suggestion", "field", "value"])
            if not (_all_texts(table["message"]) and table.index.isin(df.index).all()):
                raise self._wrong()
            if not table["field"].dropna().isin(df.columns).all():
                raise self._wrong()
            return table
        if isinstance(found, np.ndarray) and found.shape == (len(df),):
            found = pd.Series(found, index=df.index)
        if not isinstance(found, pd.Series) or not found.index.equals(df.index):
            raise self._wrong()
        # Also those with missing ones among them, which pandas keeps as objects.
        if pd.api.types.infer_dtype(found, skipna=True) == "boolean":
            rows = found.index[found.astype("boolean").fillna(value=False).to_numpy(dtype=bool)]
            return findings(rows, self.headline.rstrip("."))
        messages = found.dropna()
        if not _all_texts(messages):
            raise self._wrong()
        return findings(messages.index, messages)

    def _wrong(self) -> InvalidInput:
        return InvalidInput(
            f"What the rule {self.id} returned are no findings. A rule returns truth values or "
            "messages over the listing's index, or a DataFrame with a column message over the "
            "labels of the rows that are meant; see help(rnb.audit_rule)."
        )


def _all_texts(column: pd.Series) -> bool:
    kind = pd.api.types.infer_dtype(column)
    return column.empty or (kind == "string" and bool(column.notna().all()))


def findings(
    rows: Any,
    message: Any,
    suggestion: Any = None,
    *,
    field: str | None = None,
    value: Any = None,
) -> pd.DataFrame:
    """Return findings as a rule returns them.

    Args:
        rows: The labels of the rows, one a finding.
        message: What is wrong: one text for all, or one each.
        suggestion: What to do about it; likewise.
        field: The field that a safe fix would set.
        value: What it would set it to; one each.
    """
    index = pd.Index(np.asarray(rows))
    columns = {"message": message, "suggestion": suggestion, "field": field, "value": value}
    table = pd.DataFrame(index=index)
    for name, given in columns.items():
        dtype = object if name == "value" else "str"
        if given is None or isinstance(given, str):
            table[name] = pd.Series(given, index=index, dtype=dtype)
        else:
            table[name] = pd.Series(pd.array(given, dtype=dtype), index=index)
    return table


# Where rules are kept

_toolkit: dict[str, Rule] = {}
_own: dict[str, Rule] = {}


@overload
def audit_rule(find: Find) -> Rule: ...


@overload
def audit_rule(
    *,
    id: str | None = None,
    severity: Severity = "warning",
    needs: Iterable[str] = (),
) -> Callable[[Find], Rule]: ...


def audit_rule(
    find: Find | None = None,
    *,
    id: str | None = None,  # noqa: A002 - what it is called everywhere else
    severity: Severity = "warning",
    needs: Iterable[str] = (),
) -> Rule | Callable[[Find], Rule]:
    '''Make a rule of a function, which `audit` runs from then on.

    >>> @audit_rule(severity="info", needs=["title"])
    ... def long_title(df, *, longest=60):
    ...     """Long titles are cut in reports."""
    ...     return df["title"].str.len() > longest
    >>> from reinfer_nb.audits.report import audit
    >>> audit(client.sources(), rules=[long_title], longest=32).findings["name"].to_list()
    ['recovery-postfach']

    The function is given the listing, over an index from 0, with the dtypes of `Client.sources`;
    and, where it has a parameter `now`, the moment that ages are counted to. What it takes by
    keyword alone are its options, which `audit` takes by the same names. Its docstring says what
    it finds and why that matters. It returns one of

    - truth values, one a row: true is a finding, whose message is the docstring's first line;
    - messages, one a row, missing where nothing is found;
    - a frame with a column `message` and perhaps `suggestion`, over the labels of the rows that
      are meant, which may repeat. With `field` and `value` as well, what is safe to set without
      another look, which `AuditReport.fixes` does.

    Args:
        find: The function, where the decorator stands without parentheses.
        id: What the rule is called; by default the function's name with hyphens.
        severity: How grave a finding is: "error", "warning" or "info".
        needs: Columns without which the rule is passed over.

    Returns:
        The rule, which can be called as the function can.

    Raises:
        InvalidInput: The id is one of the toolkit's, there is no docstring, or no such severity.
    '''

    def made(function: Find) -> Rule:
        rule = _made(function, id, severity, needs)
        if rule.id in known() and rule.id not in _own:
            raise InvalidInput(f"{rule.id} is a rule of the toolkit; give yours another id.")
        # Written again where it was there: a cell is run more than once.
        _own[rule.id] = rule
        return rule

    return made if find is None else made(find)


def toolkit_rule(severity: Severity, *needs: str) -> Callable[[Find], Rule]:
    """Make a rule of the toolkit of a function, as `audit_rule` makes an own one."""

    def made(function: Find) -> Rule:
        rule = _made(function, None, severity, needs)
        _toolkit[rule.id] = rule
        return rule

    return made


def _made(find: Find, name: str | None, severity: Severity, needs: Iterable[str]) -> Rule:
    if not callable(find):
        raise InvalidInput(f"A rule is made of a function, not of {shown(find)}.")
    if name is None:
        name = str(getattr(find, "__name__", "")).strip("_").replace("_", "-")
    if not _ID.fullmatch(str(name)):
        raise InvalidInput(
            f"{shown(name)} cannot be the id of a rule: lower case words with hyphens, such as "
            '"long-title"; give one as id=.'
        )
    if name == "owner":
        raise InvalidInput("owner is a column of AuditReport.summary; give the rule another id=.")
    if severity not in SEVERITIES:
        raise InvalidInput(f"severity is one of {', '.join(SEVERITIES)}, not {shown(severity)}.")
    # Lines as the reader's window breaks them, not as the source code does.
    paragraphs = [" ".join(text.split()) for text in (docstring(find) or "").split("\n\n")]
    why = "\n\n".join(filter(None, paragraphs))
    if not why and sys.flags.optimize >= 2:
        # The docstring was dropped, and there is no source to read it from.
        why = f"{name[:1].upper()}{name[1:].replace('-', ' ')}."
    if not why:
        raise InvalidInput(f"The rule {name} needs a docstring that says what it finds and why.")
    columns = (needs,) if isinstance(needs, str) else tuple(needs)
    return Rule(name, severity, why, columns, types.MappingProxyType(_options(find, name)), find)


def _options(find: Find, name: str) -> dict[str, Any]:
    """Return what can be set of a rule, with defaults."""
    signature = inspect.signature(find)
    options = {
        parameter.name: parameter.default
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "now"
    }
    for option, default in options.items():
        if default is inspect.Parameter.empty:
            raise InvalidInput(f"The option {option} of the rule {name} needs a default.")
        if option in _TAKEN:
            raise InvalidInput(
                f"The rule {name} cannot have an option {option}, which audit takes itself."
            )
    now = {"now": None} if "now" in signature.parameters else {}
    try:
        signature.bind(None, **now)
    except TypeError:
        raise InvalidInput(
            f"The rule {name} is to take the listing, perhaps now, and options by keyword alone, "
            f"such as def {name.replace('-', '_')}(df, now, *, days=30); it takes {signature}."
        ) from None
    return options


def _unpickled(name: str, *content: Any) -> Rule:
    """Return the rule of this process that a pickled rule was, or one that only describes it."""
    rule = known().get(name)
    severity, why, needs, options = content
    if rule is not None and (rule.severity, rule.why, rule.needs) == (severity, why, needs):
        return rule
    return Rule(name, severity, why, needs, types.MappingProxyType(options), _NotDefined(name))


@dataclass(frozen=True)
class _NotDefined:
    """Takes the place of the function of a rule that this process does not define."""

    name: str

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise InvalidInput(
            f"This process does not define the rule {self.name}: run the code that makes it with "
            "rnb.audit_rule first."
        )


def known() -> Mapping[str, Rule]:
    """Return all rules by id: the toolkit's, then own ones."""
    modules = [import_module(f"reinfer_nb.audits.{name}").__name__ for name in _MODULES]
    # Whichever of them was imported first.
    ours = sorted(_toolkit.values(), key=lambda rule: modules.index(rule.module))
    return {**{rule.id: rule for rule in ours}, **_own}


def audit_rules() -> pd.DataFrame:
    """Return what `audit` looks for: the toolkit's rules, then own ones.

    >>> audit_rules()[["rule", "severity"]].head(2)
                      rule severity
    0        missing-title  warning
    1  missing-description     info

    Returns:
        `rule`, `severity`, `why` (`str`), `options` (`object`, a dictionary of their defaults).
    """
    rules = list(known().values())
    table = pd.DataFrame(
        {
            "rule": [rule.id for rule in rules],
            "severity": [rule.severity for rule in rules],
            "why": [rule.why for rule in rules],
        },
        dtype="str",
    )
    table["options"] = pd.Series([dict(rule.options) for rule in rules], dtype=object)
    return table


def chosen(rules: Iterable[str | Rule] | None, ignore: Iterable[str | Rule] = ()) -> list[Rule]:
    """Return the rules that are meant, in their order.

    Args:
        rules: Ids or rules; None for all.
        ignore: Those that are left out; ids or rules.

    Raises:
        InvalidInput: There is no such rule.
    """
    out = {_one(rule).id for rule in _several(ignore, "ignore")}
    wanted = known().values() if rules is None else map(_one, _several(rules, "rules"))
    # Of two of one id the later one: a cell was run again.
    return [rule for rule in {rule.id: rule for rule in wanted}.values() if rule.id not in out]


def _several(rules: Iterable[str | Rule], name: str) -> list[str | Rule]:
    if isinstance(rules, str | Rule):
        return [rules]
    try:
        return list(rules)
    except TypeError:
        raise InvalidInput(f"{name} is a list of ids or rules, not {shown(rules)}.") from None


def _one(rule: object) -> Rule:
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, str) or rule not in known():
        raise InvalidInput(f"{shown(rule)} is no rule. {hint(rule, known(), 40)}")
    return known()[rule]

"""Define audit rules, and register built-in and custom ones.

A rule is a function of a listing. `report` runs the rules; the built-in ones are in `text_rules`,
`sibling_rules` and `setting_rules`.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, Self, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from reinfer_nb import arguments, markup
from reinfer_nb.constants import SEVERITIES
from reinfer_nb.docstrings import docstring
from reinfer_nb.errors import InvalidInput
from reinfer_nb.text import hint, shown, visible

# What a rule may return; see `audit_rule`.
Found = pd.DataFrame | pd.Series | npt.NDArray[np.bool_]
Find = Callable[..., Found]
# One of `SEVERITIES`.
Severity = Literal["error", "warning", "info"]

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

# Parameters of `audit`, which no option may be named after.
_RESERVED = ("df", "rules", "ignore")


@dataclass(frozen=True, eq=False, repr=False)
class Rule:
    """An audit rule, made from a function by `audit_rule`, and callable like that function.

    Attributes:
        id: The id, such as "missing-title".
        severity: The severity of its findings: "error", "warning" or "info".
        why: What the rule finds and why that matters.
        needs: The columns that the rule needs to run.
        options: The options and their defaults.
        function: The function that finds the rows.
    """

    id: str
    severity: Severity
    why: str
    needs: tuple[str, ...]
    options: Mapping[str, Any]
    function: Find

    def __reduce__(self) -> tuple[Any, ...]:
        # `function` cannot be pickled: in its module, its name refers to the rule.
        return _unpickled, (self.id, self.severity, self.why, self.needs, dict(self.options))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __repr__(self) -> str:
        head = heading(self.id, self.severity, self.needs, self.options)
        return f"<Rule {head}: {visible(self.headline)}>"

    def _repr_html_(self) -> str:
        facts = {
            "Rule": self.id,
            "Severity": self.severity,
            "Why": self.why,
            "Columns needed": ", ".join(self.needs),
            "Options": options_text(self.options),
        }
        return str(markup.facts({name: text for name, text in facts.items() if text}))

    @property
    def module(self) -> str:
        """The module in which the function is defined."""
        return self.function.__module__

    @property
    def headline(self) -> str:
        """The first line of `why`."""
        return self.why.split("\n", 1)[0]

    def __call__(self, df: pd.DataFrame, *args: Any, **options: Any) -> Found:
        """Call the function and return its result; for tests of custom rules."""
        return self.function(df, *args, **options)


def options_text(options: Mapping[str, Any]) -> str:
    """Return options and their values as a person writes them, such as "days=365"."""
    short = {name: round(v, 3) if isinstance(v, float) else v for name, v in options.items()}
    return ", ".join(f"{visible(name)}={shown(value)}" for name, value in short.items())


def heading(name: str, severity: str, needs: Sequence[str], options: Mapping[str, Any]) -> str:
    """Return a rule in one line: severity, id, needed columns and options."""
    remarks = [f"needs {', '.join(needs)}"] if needs else []
    remarks += [f"options {options_text(options)}"] if options else []
    return visible(f"{severity}: {name}" + (f" ({'; '.join(remarks)})" if remarks else ""))


def findings_of(
    rule: Rule, df: pd.DataFrame, now: pd.Timestamp, options: Mapping[str, Any]
) -> pd.DataFrame:
    """Run the rule on a prepared listing and return its findings.

    Args:
        rule: The rule.
        df: The listing, with a `RangeIndex`.
        now: The time that ages are counted to.
        options: Values of options; those of other rules are ignored.

    Returns:
        `message`, `suggestion`, `field` (`str`) and `value` (`object`), indexed by the labels
        of the rows.

    Raises:
        InvalidInput: The result of the function has an unsupported form.
    """
    keywords = {name: value for name, value in options.items() if name in rule.options}
    if "now" in inspect.signature(rule.function).parameters:
        keywords["now"] = now
    try:
        # A copy, so that no rule sees what another one assigns to the listing.
        result = rule.function(df.copy(deep=False), **keywords)
    except Exception as error:
        error.add_note(f"This error was raised by the audit rule {rule.id}.")
        raise
    return _table_of(rule, result, df)


def _table_of(rule: Rule, result: object, df: pd.DataFrame) -> pd.DataFrame:
    if isinstance(result, pd.DataFrame):
        if "message" not in result or not result.columns.is_unique:
            raise _invalid_result(rule)
        table = result.reindex(columns=["message", "suggestion", "field", "value"])
        if not (_all_strings(table["message"]) and table.index.isin(df.index).all()):
            raise _invalid_result(rule)
        if not table["field"].dropna().isin(df.columns).all():
            raise _invalid_result(rule)
        return table
    if isinstance(result, np.ndarray) and result.shape == (len(df),):
        result = pd.Series(result, index=df.index)
    if not isinstance(result, pd.Series) or not result.index.equals(df.index):
        raise _invalid_result(rule)
    # Booleans with missing values may be of dtype object.
    if pd.api.types.infer_dtype(result, skipna=True) == "boolean":
        rows = result.index[result.astype("boolean").fillna(value=False).to_numpy(dtype=bool)]
        return findings(rows, rule.headline.rstrip("."))
    messages = result.dropna()
    if not _all_strings(messages):
        raise _invalid_result(rule)
    return findings(messages.index, messages)


def _invalid_result(rule: Rule) -> InvalidInput:
    return InvalidInput(
        f"The rule {rule.id} returned no valid findings. A rule returns booleans or messages "
        "with the listing's index, or a DataFrame with a column message, indexed by the labels "
        "of the rows that have findings; see help(rnb.audit_rule)."
    )


def _all_strings(column: pd.Series) -> bool:
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
    """Build the table of findings that a rule returns.

    Args:
        rows: The label of each finding's row.
        message: What is wrong: one text for all findings, or one per finding.
        suggestion: What to do about it: one text for all findings, or one per finding.
        field: The field that a safe fix would set.
        value: The value that the fix would set, one per finding.
    """
    index = pd.Index(np.asarray(rows))
    columns = {"message": message, "suggestion": suggestion, "field": field, "value": value}
    table = pd.DataFrame(index=index)
    for name, values in columns.items():
        dtype = object if name == "value" else "str"
        if values is None or isinstance(values, str):
            table[name] = pd.Series(values, index=index, dtype=dtype)
        else:
            table[name] = pd.Series(pd.array(values, dtype=dtype), index=index)
    return table


# The registry

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
    id: str | None = None,  # noqa: A002 - the name used everywhere
    severity: Severity = "warning",
    needs: Iterable[str] = (),
) -> Rule | Callable[[Find], Rule]:
    '''Make a custom audit rule from a function and register it, so that `audit` runs it.

    >>> @audit_rule(severity="info", needs=["title"])
    ... def long_title(df, *, longest=60):
    ...     """Long titles are cut in reports."""
    ...     return df["title"].str.len() > longest
    >>> from reinfer_nb.audits.report import audit
    >>> audit(client.sources(), rules=[long_title], longest=32).findings["name"].to_list()
    ['recovery-postfach']

    The function is called with the listing, which has a `RangeIndex` and the dtypes of
    `Client.sources`. If it has a parameter `now`, it also gets the time that ages are counted to.
    Its keyword-only parameters are options, which `audit` takes by the same names. Its docstring
    says what it finds and why that matters. It returns one of

    - booleans, one per row: True is a finding, whose message is the first line of the docstring;
    - messages, one per row, missing where there is no finding;
    - a frame with a column `message` and optionally `suggestion`, indexed by the labels of the rows
      that have findings; labels may repeat. Optional columns `field` and `value` hold a fix that
      is safe without review, for `AuditReport.fixes` to apply.

    Args:
        find: The function, when the decorator is used without parentheses.
        id: The id of the rule; by default the function's name with hyphens.
        severity: The severity of its findings: "error", "warning" or "info".
        needs: Columns that the rule needs; it is skipped if the listing lacks one.

    Returns:
        The rule, which can be called like the function.

    Raises:
        InvalidInput: The id is that of a built-in rule, the docstring is missing, or the severity
            is unknown.
    '''

    def register(function: Find) -> Rule:
        rule = _make(function, id, severity, needs)
        if rule.id in known() and rule.id not in _own:
            raise InvalidInput(f"{rule.id} is a built-in rule; give your rule another id.")
        # Replace an earlier rule of this id: notebook cells are run more than once.
        _own[rule.id] = rule
        return rule

    return register if find is None else register(find)


def toolkit_rule(severity: Severity, *needs: str) -> Callable[[Find], Rule]:
    """Make a built-in rule from a function and register it; compare `audit_rule`."""

    def register(function: Find) -> Rule:
        rule = _make(function, None, severity, needs)
        _toolkit[rule.id] = rule
        return rule

    return register


def _make(find: Find, name: str | None, severity: Severity, needs: Iterable[str]) -> Rule:
    if not callable(find):
        raise InvalidInput(f"A rule is made from a function, not from {shown(find)}.")
    if name is None:
        name = str(getattr(find, "__name__", "")).strip("_").replace("_", "-")
    if not _ID.fullmatch(str(name)):
        raise InvalidInput(
            f"{shown(name)} cannot be the id of a rule. Pass an id of lower case words with "
            'hyphens, such as id="long-title".'
        )
    if name == "owner":
        raise InvalidInput("owner is a column of AuditReport.summary; give the rule another id=.")
    arguments.choice(severity, "severity", SEVERITIES)
    # One line per paragraph, so that the line breaks of the source code are not shown.
    paragraphs = [" ".join(text.split()) for text in (docstring(find) or "").split("\n\n")]
    why = "\n\n".join(filter(None, paragraphs))
    if not why and sys.flags.optimize >= 2:
        # Python dropped the docstring (-OO), and the source file is not available.
        why = f"{name[:1].upper()}{name[1:].replace('-', ' ')}."
    if not why:
        raise InvalidInput(f"The rule {name} needs a docstring that says what it finds and why.")
    columns = (needs,) if isinstance(needs, str) else tuple(needs)
    return Rule(name, severity, why, columns, types.MappingProxyType(_options(find, name)), find)


def _options(find: Find, name: str) -> dict[str, Any]:
    """Return the options of a rule and their defaults."""
    signature = inspect.signature(find)
    options = {
        parameter.name: parameter.default
        for parameter in signature.parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name != "now"
    }
    for option, default in options.items():
        if default is inspect.Parameter.empty:
            raise InvalidInput(f"The option {option} of the rule {name} needs a default.")
        if option in _RESERVED:
            raise InvalidInput(
                f"The rule {name} cannot have an option {option}: audit has a parameter "
                "of that name."
            )
    now = {"now": None} if "now" in signature.parameters else {}
    try:
        signature.bind(None, **now)
    except TypeError:
        raise InvalidInput(
            f"The rule {name} must take the listing, optionally now, and keyword-only options, "
            f"such as def {name.replace('-', '_')}(df, now, *, days=30); it takes {signature}."
        ) from None
    return options


def _unpickled(name: str, *content: Any) -> Rule:
    """Return the rule that equals a pickled one, or else a copy that cannot run."""
    rule = known().get(name)
    severity, why, needs, options = content
    if rule is not None and (rule.severity, rule.why, rule.needs) == (severity, why, needs):
        return rule
    return Rule(name, severity, why, needs, types.MappingProxyType(options), _NotDefined(name))


@dataclass(frozen=True)
class _NotDefined:
    """Placeholder for the function of a rule that this process does not define."""

    name: str

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise InvalidInput(
            f"The rule {self.name} is not defined in this process. Run the code that defines it "
            "with rnb.audit_rule first."
        )


def known() -> Mapping[str, Rule]:
    """Return all rules by id: built-in rules, then custom ones."""
    return {**_toolkit, **_own}


def chosen(rules: Iterable[str | Rule] | None, ignore: Iterable[str | Rule] = ()) -> list[Rule]:
    """Return the selected rules, in the order given.

    Args:
        rules: Rules or their ids; None for all.
        ignore: Rules, or their ids, to leave out.

    Raises:
        InvalidInput: A rule is unknown.
    """
    ignored = {_rule(rule).id for rule in _as_list(ignore, "ignore")}
    selected = known().values() if rules is None else map(_rule, _as_list(rules, "rules"))
    # The last rule of an id wins: its notebook cell was run again.
    by_id = {rule.id: rule for rule in selected}
    return [rule for rule in by_id.values() if rule.id not in ignored]


def _as_list(rules: Iterable[str | Rule], name: str) -> list[str | Rule]:
    if isinstance(rules, str | Rule):
        return [rules]
    try:
        return list(rules)
    except TypeError:
        raise InvalidInput(f"{name} must be a list of rules or ids, not {shown(rules)}.") from None


def _rule(rule: object) -> Rule:
    if isinstance(rule, Rule):
        return rule
    if not isinstance(rule, str) or rule not in known():
        raise InvalidInput(f"Unknown rule {shown(rule)}. {hint(rule, known(), 40)}")
    return known()[rule]

"""Close widgets with all they contain: ipywidgets keeps each widget until it is closed itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ipywidgets as ui

_PACKAGE = __package__ or "reinfer_nb.widgets"
# Most values of traits; nothing is in them.
_LEAVES = frozenset({str, int, float, bool, type(None)})


def can_close(widget: ui.Widget) -> bool:
    """True if a widget is open and the interpreter is not shutting down.

    At shutdown ipywidgets closes each deleted widget, when modules it needs are already unloaded.
    """
    return widget.comm is not None and not sys.is_finalizing()


def close_all_in(owner: object) -> None:
    """Close all widgets that an object refers to, with layouts and styles; remove their observers.

    Args:
        owner: A widget, which is closed too, or an object of this package that has widgets.
    """
    _close(_widgets_of(owner))


@contextmanager
def dropping(owner: object) -> Iterator[None]:
    """Context manager that closes the widgets that an object no longer refers to after the block.

    Args:
        owner: A widget or an object of this package that has widgets.
    """
    before = _widgets_of(owner)
    yield
    after = _widgets_of(owner)
    _close({key: widget for key, widget in before.items() if key not in after})


def _close(widgets: Mapping[int, ui.Widget]) -> None:
    for widget in widgets.values():
        # The widget's own `close` would search for widgets again.
        ui.Widget.close(widget)
        widget.unobserve_all()


def _widgets_of(owner: object) -> dict[int, ui.Widget]:
    """Return the widgets that an object reaches through traits and attributes, by `id`."""
    visited: dict[int, object] = {}
    stack: list[object] = [owner]
    while stack:
        value = stack.pop()
        if type(value) in _LEAVES or id(value) in visited:
            continue
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list | tuple):
            stack += value
        elif isinstance(value, ui.Widget) or type(value).__module__.startswith(_PACKAGE):
            stack += getattr(value, "__dict__", {}).values()
        else:
            continue
        visited[id(value)] = value
    return {key: value for key, value in visited.items() if isinstance(value, ui.Widget)}

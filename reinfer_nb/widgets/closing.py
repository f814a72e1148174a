"""Closing widgets: ipywidgets keeps every widget until it is closed, children on their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ipywidgets as ui

_OURS = __package__ or "reinfer_nb.widgets"


def can_close(widget: ui.Widget) -> bool:
    """Return whether a widget is open, in a process that goes on.

    An interpreter that ends deletes what is left, and ipywidgets closes each deleted widget: too
    late, as modules are gone by then.
    """
    return widget.comm is not None and not sys.is_finalizing()


def close_all_in(owner: object) -> None:
    """Close every widget in an object, with its layout and style, and let go of its observers.

    Args:
        owner: A widget, which is closed too, or an object of this package that holds widgets.
    """
    _close(_widgets_of(owner))


@contextmanager
def dropping(owner: object) -> Iterator[None]:
    """Close the widgets that an object holds before the block and no longer after it.

    Args:
        owner: A widget or an object of this package that holds widgets.
    """
    before = _widgets_of(owner)
    yield
    after = _widgets_of(owner)
    _close({key: widget for key, widget in before.items() if key not in after})


def _close(widgets: Mapping[int, ui.Widget]) -> None:
    for widget in widgets.values():
        # Not the widget's own `close`, which would look for widgets again.
        ui.Widget.close(widget)
        widget.unobserve_all()


def _widgets_of(owner: object) -> dict[int, ui.Widget]:
    """Return the widgets that an object reaches by traits and attributes, by `id`."""
    seen: dict[int, object] = {}
    waiting: list[object] = [owner]
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen:
            continue
        if isinstance(thing, dict):
            waiting += thing.values()
        elif isinstance(thing, list | tuple):
            waiting += thing
        elif isinstance(thing, ui.Widget) or type(thing).__module__.startswith(_OURS):
            waiting += getattr(thing, "__dict__", {}).values()
        else:
            continue
        seen[id(thing)] = thing
    return {key: thing for key, thing in seen.items() if isinstance(thing, ui.Widget)}

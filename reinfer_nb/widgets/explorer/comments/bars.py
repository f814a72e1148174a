"""A small chart of numbers over time, as SVG in the colours of the page."""

from __future__ import annotations

from collections.abc import Sequence

from reinfer_nb import markup

_WIDTH, _HEIGHT, _GAP = 14, 56, 3


def bars(numbers: Sequence[int], labels: Sequence[str], summary: str) -> markup.Markup:
    """Return a chart with a bar for each number.

    Args:
        numbers: The numbers, not negative.
        labels: What each of them is of; a pointer on a bar shows it with its number.
        summary: What the chart shows, for screen readers.
    """
    most = max(numbers, default=0) or 1
    columns = []
    for place, (number, label) in enumerate(zip(numbers, labels, strict=True)):
        # A number above 0 is seen, however small.
        height = max(round(number / most * _HEIGHT), 2) if number else 0
        columns.append(
            markup.tag(
                "rect",
                markup.tag("title", f"{label}: {number:,}"),
                x=str(place * (_WIDTH + _GAP)),
                y=str(_HEIGHT - height),
                width=str(_WIDTH),
                height=str(height),
                fill="var(--jp-brand-color1, #1976d2)",
            )
        )
    width = len(numbers) * (_WIDTH + _GAP)
    line = markup.tag(
        "line",
        x1="0",
        x2=str(width),
        y1=str(_HEIGHT),
        y2=str(_HEIGHT),
        stroke="currentColor",
    )
    picture = markup.tag(
        "svg",
        [*columns, line],
        viewBox=f"0 0 {width} {_HEIGHT + 1}",
        width=str(width),
        height=str(_HEIGHT + 1),
        role="img",
        aria_label=summary,
        style="max-width:100%;display:block",
    )
    ends = [labels[0], labels[-1]] if labels else ["", ""]
    foot = markup.tag(
        "div",
        [markup.tag("span", ends[0]), markup.tag("span", ends[1])],
        style=f"display:flex;justify-content:space-between;max-width:{width}px;font-size:85%",
    )
    return markup.block([picture, foot])

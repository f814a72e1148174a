"""Reads the worksheets of an .xlsx file.

Libraries that read workbooks round times to milliseconds, and return an error of a formula, or a
formula without a computed value, as an empty cell. Neither may happen to a listing.
"""

from __future__ import annotations

from zipfile import ZipFile

from reinfer_nb.excelfile.parts import Attributes, Strings, relations, styles, walk
from reinfer_nb.excelfile.sheet import Cells

_SHIFT_1904 = 1462  # days between the two calendars of Excel


class Workbook:
    """The worksheets of an .xlsx file.

    Attributes:
        sheets: The names of the worksheets, in their order.
        first: The first worksheet that is not hidden.

    Args:
        archive: The file.

    Raises:
        KeyError: The file has no workbook; other errors for a damaged file.
    """

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        kinds = dict(relations(archive, "").values())
        book = kinds["officeDocument"]
        self._targets = relations(archive, book)
        self._parts: dict[str, str] = {}
        self._shift = 0
        hidden = set()

        def properties(attributes: Attributes) -> None:
            if attributes.get("date1904") in ("1", "true"):
                self._shift = _SHIFT_1904

        def sheet(attributes: Attributes) -> None:
            key = next(value for name, value in attributes.items() if name.endswith(":id"))
            kind, part = self._targets[key]
            if kind == "worksheet":
                self._parts[attributes["name"]] = part
                if attributes.get("state", "visible") != "visible":
                    hidden.add(attributes["name"])

        walk(archive, book, {"workbookPr": properties, "sheet": sheet})
        self.sheets = list(self._parts)
        self.first = next((name for name in self.sheets if name not in hidden), None)

    def cells(self, sheet: str) -> Cells:
        """Return the cells of a worksheet."""
        parts = dict(self._targets.values())
        strings = Strings(self._archive, parts.get("sharedStrings")).texts
        dates, marks = styles(self._archive, parts.get("styles"))
        cells = Cells(strings, dates, marks, self._shift)
        cells.read(self._archive, self._parts[sheet])
        return cells

"""Reads the XML parts of an .xlsx file that cells refer to: relations, texts and number formats."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from xml.parsers import expat
from zipfile import ZipFile

from reinfer_nb.frames.columns import whole_text

Attributes = dict[str, str]
# The number format of a blank cell in a row that has no values but belongs to the listing.
MARK = '"";"";"";""'
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")
# The parts of a number format that are shown as they are, and its colours, currencies and such.
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_DATE_LETTERS = re.compile("[dmyhs]", re.IGNORECASE)
# Numbers of Excel's own formats for dates and times.
_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}


def walk(
    archive: ZipFile,
    part: str,
    starts: Mapping[str, Callable[[Attributes], None]],
    ends: Mapping[str, Callable[[], None]] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Parse the XML of a part, and call functions for its elements and texts.

    Args:
        archive: The file.
        part: The name of the part.
        starts: For the start of elements: functions by name, called with the attributes.
        ends: For the end of elements: functions by name.
        text: Called with all texts between elements.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def root(tag: str, attributes: Attributes) -> None:
        # Some programs write all names with a prefix, such as "x:row".
        prefix = tag[: tag.rfind(":") + 1]
        begin = {prefix + name: function for name, function in starts.items()}.get
        finish = {prefix + name: function for name, function in (ends or {}).items()}.get

        def start(tag: str, attributes: Attributes) -> None:
            function = begin(tag)
            if function:
                function(attributes)

        def end(tag: str) -> None:
            function = finish(tag)
            if function:
                function()

        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = text
        start(tag, attributes)

    def refuse(*_: object) -> None:
        raise ValueError("its XML has a document type")

    parser.StartElementHandler = root
    parser.StartDoctypeDeclHandler = refuse
    with archive.open(part) as file:
        while chunk := file.read(1 << 16):
            parser.Parse(chunk, False)  # noqa: FBT003 - takes no keywords
    parser.Parse(b"", True)  # noqa: FBT003


def relations(archive: ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the parts that a part refers to, by id: the last word of the type, and the name."""
    folder, name = posixpath.split(part)
    targets: dict[str, tuple[str, str]] = {}

    def add(attributes: Attributes) -> None:
        kind = attributes["Type"].rpartition("/")[2]
        target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"]))
        targets[attributes["Id"]] = kind, target.lstrip("/")

    index = f"{folder}/_rels/{name}.rels".lstrip("/")
    if index in archive.namelist():
        walk(archive, index, {"Relationship": add})
    return targets


class Strings:
    """The texts that cells refer to by number."""

    def __init__(self, archive: ZipFile, part: str | None) -> None:
        self.texts: list[str] = []
        self._runs: list[str] | None = None
        if part is not None:
            starts = {"si": self._begin, "t": self._open, "rPh": self._open_phonetic}
            ends = {"si": self._add, "t": self._close, "rPh": self._close_phonetic}
            self._open_text = self._phonetic = False
            walk(archive, part, starts, ends, self._text)

    def _begin(self, _: Attributes) -> None:
        self._runs = []

    def _add(self) -> None:
        self.texts.append(unescaped("".join(self._runs or [])))

    def _open(self, _: Attributes) -> None:
        self._open_text = not self._phonetic

    def _close(self) -> None:
        self._open_text = False

    def _open_phonetic(self, _: Attributes) -> None:
        # How Japanese is pronounced; not a part of the text.
        self._phonetic = True

    def _close_phonetic(self) -> None:
        self._phonetic = False

    def _text(self, text: str) -> None:
        if self._open_text and self._runs is not None:
            self._runs.append(text)


def unescaped(text: str) -> str:
    """Return a text with the escapes for characters that XML cannot hold, such as `_x000D_`."""
    if "_x" not in text:
        return text
    return whole_text(_ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)) or ""


def styles(archive: ZipFile, part: str | None) -> tuple[set[str], set[str]]:
    """Return the numbers of the styles that show dates, and of those that mark an empty row."""
    codes: dict[int, str] = {}
    formats: list[int] = []
    in_cells = False

    def number_format(attributes: Attributes) -> None:
        codes[int(attributes["numFmtId"])] = attributes.get("formatCode", "")

    def begin(_: Attributes) -> None:
        nonlocal in_cells
        in_cells = True

    def end() -> None:
        nonlocal in_cells
        in_cells = False

    def cell_format(attributes: Attributes) -> None:
        if in_cells:
            formats.append(int(attributes.get("numFmtId", 0)))

    if part is not None:
        starts = {"numFmt": number_format, "cellXfs": begin, "xf": cell_format}
        walk(archive, part, starts, {"cellXfs": end})
    dates, marks = set(), set()
    for number, key in enumerate(formats):
        code = codes.get(key)
        if _is_date(code) if code is not None else key in _DATES:
            dates.add(str(number))
        if code == MARK:
            marks.add(str(number))
    return dates, marks


def _is_date(code: str) -> bool:
    return _DATE_LETTERS.search(_LITERAL.sub("", code)) is not None

"""Recognizes files that are not Excel workbooks, and says what to do with them."""

from __future__ import annotations

import io
from zipfile import BadZipFile, ZipFile

from reinfer_nb.wording import spelled

_OLE = b"\xd0\xcf\x11\xe0"
# How the directory of an encrypted workbook names its content.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_LOCKED = "protected by a password. Open it in Excel and save it without one"
_SAVE = "Open it in a spreadsheet program and save it as .xlsx"
_ZIP = b"PK\x03\x04"
# Parts of other files that are zip archives, and their kinds.
_ARCHIVES = {
    "xl/workbook.bin": f"a binary workbook (.xlsb). {_SAVE}",
    "word/document.xml": "a Word document, not a workbook",
    "ppt/presentation.xml": "a presentation, not a workbook",
    "Index/Document.iwa": "a file of Numbers. Export it as Excel (.xlsx)",
    "content.xml": f"an OpenDocument file (.ods). {_SAVE}",
}


def other_kind(content: bytes) -> str | None:
    """Return what a file is if it is not an .xlsx workbook, and what to do; None if it may be one.

    The text completes "x.xlsx is ...", without a full stop.
    """
    if content.startswith(_ZIP):
        return _archive_kind(content)
    if content.startswith(_OLE):
        return _LOCKED if _ENCRYPTED in content else f"an old workbook (.xls). {_SAVE}"
    if content.startswith(b"PAR1"):
        return "Parquet, not a workbook" + spelled(". Read it with pd.read_parquet", "")
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return f"HTML or XML, whatever its name is. {_SAVE}"
    if b"\0" not in content[:1000] or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        advice = spelled(". Read CSV with rnb.read_csv", "")
        return f"a text such as CSV, not a workbook{advice}" if text else "empty"
    return "not a workbook. If a spreadsheet program can open it, do so and save it as .xlsx"


def _archive_kind(content: bytes) -> str | None:
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist())
    except BadZipFile:
        return "cut off or damaged. Get the file again"
    if "[Content_Types].xml" in names and "xl/workbook.bin" not in names:
        names.discard("content.xml")
    for part, kind in _ARCHIVES.items():
        if part in names:
            return kind
    return None if "_rels/.rels" in names else "a zip archive, but not a workbook. Unpack it"

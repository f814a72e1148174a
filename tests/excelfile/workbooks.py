"""Makes workbooks part by part, as programs write them, and reads the parts of workbooks."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OF = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
# Styles 0: none, 1: the format 22 of Excel for dates, 2: a format of one's own, 3: hours.
STYLES = f"""<styleSheet xmlns="{_MAIN}"><numFmts count="2">
<numFmt numFmtId="164" formatCode="[$-409]d\\.m\\.yyyy &quot;at&quot; h:mm;@"/>
<numFmt numFmtId="165" formatCode="0.00 &quot;days&quot;"/></numFmts>
<cellStyleXfs count="1"><xf numFmtId="14"/></cellStyleXfs>
<cellXfs count="5"><xf numFmtId="0"/><xf numFmtId="22"/><xf numFmtId="164"/><xf numFmtId="165"/>
<xf numFmtId="20"/></cellXfs></styleSheet>"""


def workbook(
    path: Path,
    rows: str,
    *,
    strings: str = "",
    properties: str = "",
    others: str = "",
    doctype: str = "",
) -> Path:
    """Write a workbook with one worksheet, and return its path.

    Args:
        path: The file.
        rows: The XML in `sheetData`.
        strings: The XML in `sst`.
        properties: The attributes of `workbookPr`.
        others: The XML of further `sheet` elements before the worksheet's.
        doctype: The document type of the worksheet.
    """
    kinds = {"1": "worksheet", "2": "sharedStrings", "3": "styles", "4": "chartsheet"}
    parts = {"1": "worksheets/sheet1.xml", "2": "sharedStrings.xml", "3": "/xl/styles.xml"}
    relations = "".join(
        f'<Relationship Id="r{key}" Type="{_OF}/{kind}" Target="{parts.get(key, "none.xml")}"/>'
        for key, kind in kinds.items()
    )
    content = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}"><Relationship Id="r1" '
        f'Type="{_OF}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OF}"><workbookPr {properties}/>'
        f'<sheets>{others}<sheet name="Data" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">{relations}'
        "</Relationships>",
        "xl/styles.xml": STYLES,
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{strings}</sst>',
        "xl/worksheets/sheet1.xml": f'{doctype}<worksheet xmlns="{_MAIN}"><sheetData>{rows}'
        "</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def sheet_xml(path: Path, number: int = 1) -> str:
    """Return the XML of a worksheet."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"xl/worksheets/sheet{number}.xml").decode()


def cell_types(path: Path) -> set[str]:
    """Return the types of all cells in the XML of the first worksheet; "n" for numbers."""
    cells = re.findall(r"<c ([^>]*)>", sheet_xml(path))
    return {match[1] if (match := re.search(r't="(\w+)"', cell)) else "n" for cell in cells}

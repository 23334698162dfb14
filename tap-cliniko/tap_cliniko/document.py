"""Writes sections as Markdown and as one HTML page that works offline and prints well."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_cliniko.rebuild.parts import Section, Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1, h2, h3 { line-height: 1.2; } h1 { overflow-wrap: anywhere; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; padding-bottom: .3rem; }
h3 { margin: 1.8rem 0 .5rem; } nav ol { columns: 18rem; }
table { border-collapse: collapse; width: 100%; font-size: .9em; } .wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #e4e4e4;
  overflow-wrap: break-word; white-space: pre-line; }
.pairs td:first-child { font-weight: 600; width: 10rem; }
th { background: #f5f5f5; } .how { background: #eef5ff; padding: .6rem 1rem; border-left: 4px solid #4a7fc1; }
@media (max-width: 40rem) { body { margin: 1rem auto; } nav ol { columns: auto; }
  .pairs td { display: block; } .pairs td:first-child { width: auto; border-bottom: 0; padding-bottom: 0; }
  .pairs thead { display: none; } }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } .wide { overflow: visible; }
  h2, h3, .how { break-after: avoid; } tr { break-inside: avoid; } thead { display: table-header-group; }
  .how, th { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
_PAIR = 2
_NOTHING = "Nothing of this kind in the account."


def as_markdown(title: str, sections: list[Section]) -> str:
    """Write the document as Markdown."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", f"*{section.how}*"]
        parts += [_markdown_table(table) for table in section.tables]
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    title = f"### {table.title}\n\n" if table.title else ""
    if not table.rows:
        return title + _NOTHING
    lines = [_markdown_row(table.columns), _markdown_row(tuple("---" for _ in table.columns))]
    return title + "\n".join([*lines, *map(_markdown_row, table.rows)])


def _markdown_row(cells: tuple[str, ...]) -> str:
    escaped = (html.escape(" ".join(cell.split()), quote=False).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def as_html(title: str, sections: list[Section]) -> str:
    """Write the document as one HTML page."""
    contents = "".join(f'<li><a href="#s{n}">{_safe(each.title)}</a></li>' for n, each in enumerate(sections))
    body = "".join(_html_section(f"s{number}", section) for number, section in enumerate(sections))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><h1>{_safe(title)}</h1><nav><ol>{contents}</ol></nav>{body}</body></html>\n"
    )


def _html_section(anchor: str, section: Section) -> str:
    tables = "".join(map(_html_table, section.tables))
    how = f'<p class="how">{_safe(section.how)}</p>'
    return f'<section id="{anchor}"><h2>{_safe(section.title)}</h2>{how}{tables}</section>'


def _html_table(table: Table) -> str:
    title = f"<h3>{_safe(table.title)}</h3>" if table.title else ""
    if not table.rows:
        return f"{title}<p>{_NOTHING}</p>"
    head = "".join(f'<th scope="col">{_safe(cell)}</th>' for cell in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    kind = ' class="pairs"' if len(table.columns) == _PAIR else ""
    return f'{title}<div class="wide"><table{kind}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _safe(text: str) -> str:
    return html.escape(text)

"""Writes sections as Markdown and as one HTML page that works offline and prints well."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_cliniko.rebuild import Section, Table

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; padding-bottom: .3rem; }
table { border-collapse: collapse; width: 100%; font-size: .9em; } .wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #e4e4e4; }
th { background: #f5f5f5; } .how { background: #eef5ff; padding: .6rem 1rem; border-left: 4px solid #4a7fc1; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""
_NOTHING = "Nothing of this kind in the account."


def as_markdown(title: str, sections: list[Section]) -> str:
    """Write the document as Markdown."""
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.title}", f"*{section.how}*"]
        parts += [_markdown_table(table) for table in section.tables]
    return "\n\n".join(parts) + "\n"


def _markdown_table(table: Table) -> str:
    if not table.rows:
        return _NOTHING
    lines = [_markdown_row(table.columns), _markdown_row(tuple("---" for _ in table.columns))]
    return "\n".join([*lines, *map(_markdown_row, table.rows)])


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
    if not table.rows:
        return f"<p>{_NOTHING}</p>"
    head = "".join(f'<th scope="col">{_safe(cell)}</th>' for cell in table.columns)
    rows = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in table.rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _safe(text: str) -> str:
    return html.escape(text)

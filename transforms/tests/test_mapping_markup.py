"""What formatting says in a note is still said in plain text, and nothing in it can be run or blow up."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_runs import mapped, one

from cliniko_to_highlevel.markup import harmless, plain_text

LIVE = "<img src=x onerror=alert(1)>"
ESCAPED = "&lt;img src=x onerror=alert(1)&gt;"
DEAD = "< img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("10<sup>9</sup>/L", "10^9/L"),
        ("10<sup>-3</sup> and x<sup>a b</sup>", "10^-3 and x^(a b)"),
        ("H<sub>2</sub>O", "H_2O"),
        ("<p>1<sup>st</sup> visit</p>", "1st visit"),
        ("allergic to <strike>penicillin </strike> latex", "allergic to [struck out: penicillin] latex"),
        ("<del>a <s>b</s></del> c", "[struck out: a b] c"),
        ('<span style="text-decoration: line-through">old</span> new', "[struck out: old] new"),
        ('5<span style="vertical-align: super">2</span>', "5^2"),
        ("<p><s>one</p><p>two</s></p>", "[struck out: one\n\ntwo]"),
        ("<s></s>nothing", "nothing"),
        ("a<s>b<sup>c</s>d</sup>e", "a[struck out: b^c]de"),
        ("<strike>never ends", "[struck out: never ends]"),
        ('<ol start="3"><li>a</li><li value="7">b</li><li>c</li></ol>', "3. a\n7. b\n8. c"),
        ("<ol reversed><li>a<ol><li>x</li></ol></li><li>b</li></ol>", "2. a\n  1. x\n1. b"),
        ('<ol type="a"><li>x</li></ol><ol type="I" start=4><li>y</li></ol>', "a. x\n\nIV. y"),
        ('<ol style="list-style-type: lower-roman" start="9"><li>x</li></ol>', "ix. x"),
        ('<ol type="A" start="27"><li>x</li></ol>', "AA. x"),
        ('<ol type="i" start="999999999"><li>x</li></ol>', "999999999. x"),
        ('<img alt="wound day 3" src="x.png"> healing', "[picture: wound day 3] healing"),
        ('<img title="left knee" src="x.png">', "[picture: left knee]"),
        ("<del><p>one</p><p>two</p></del>three", "[struck out: one\n\ntwo]\n\nthree"),
        ("<pre>ROM  90\nSLR 60\n</pre>next", "ROM  90\nSLR 60\nnext"),
        ("<ul><li><pre>a\nb</pre></li></ul>", "- a\n  b"),
        ('<p hidden>x</p><abbr title="blood pressure">BP</abbr>', "x\n\nBP"),
        ("<p>Before <img src=x> after</p>", "Before [picture] after"),
        ("<p><input type=checkbox checked> done</p><p><input type=radio> open</p>", "[x] done\n\n[ ] open"),
        ('<ul><li data-checked="true">a</li><li data-list="unchecked">b</li></ul>', "[x] a\n[ ] b"),
        ('<a href="mailto:a@example.com">a@example.com</a>', "a@example.com"),
        ('see <a href="www.example.com/x">here</a>', "see here (www.example.com/x)"),
        ("<table><tr><th>Test</th><th>L</th></tr><tr><td>SLR</td><td>60</td></tr></table>", "Test | L\nSLR | 60"),
        ("<dl><dt>Pain</dt><dd>4/10</dd></dl>", "Pain\n4/10"),
        ("above<hr>below", "above\n---\nbelow"),
        ("<p>above</p><hr></hr><p>below</p>", "above\n\n---\n\nbelow"),
        ("be<noscript><p>no</p><div>no</div></noscript>low", "below"),
        ("he said <q>worse</q>", 'he said "worse"'),
        ("10<sup>9</sup>5 and 10<sup>9</sup>10<sup>12</sup>", "10^9 5 and 10^9 10^12"),
        ("x<sub>1</sub><sub>2</sub>", "x_1_2"),
        ("1<sup>1</sup>/<sub>2</sub> tablets, BP <sup>120</sup>/<sub>80</sub>", "1 1/2 tablets, BP 120/80"),
        ("37<sup>\u00b0</sup>C, Na<sup>+</sup>", "37\u00b0C, Na^(+)"),
        ('<p style="text-decoration: line-through">a</p><p>b</p>', "[struck out: a]\n\nb"),
        ('<ul><li style="text-decoration:line-through">a</li><li>b</li></ul>', "- [struck out: a]\n- b"),
        ('<b style="text-decoration: underline line-through">a</b> b', "[struck out: a] b"),
        ('<span class="ql-strike">a</span> b', "[struck out: a] b"),
        ('<td style="vertical-align: top">a superb<td>b', "a superb | b"),
        ('<ol><li type="A">x</li></ol>', "A. x"),
        ('<ul data-checked="true"><li>a</li></ul><li aria-checked="false">b</li>', "[x] a\n\n[ ] b"),
        ("<pre>Date   ROM\n1/2    90</pre>", "Date   ROM\n1/2    90"),
        ("S:\n<b>Pain</b> 5/10\nO: <i>ok</i>", "S:\nPain 5/10\nO: ok"),
        ("<table><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td>c</td><td><p></p></td></tr><tr><td>d", "a | b\nc |\nd"),
        ("<table><tr><td><p>a</p></td><td><p>b</p></td></tr><tr><td><p>c</p></td><td><p>d</p></td></tr></table>", "a | b\nc | d"),
        ("<table><tr><td>a</td><td><table><tr><td>b</td></tr></table></td><td>c</td></tr></table>d", "a | b | c\n\nd"),
        ("<table><tr><td><table><tr><td><p>Hello</p><p>you</p></td></tr></table></td></tr></table>", "Hello\n\nyou"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td></td><td>c</td></tr></table>", "a | b\n| c"),
        ("<p>x</p><table><tr><td></td><td>a</td></tr><tr><td></td><td>b</td></tr></table>y", "x\n\n| a\n| b\n\ny"),
        ("<table><tr><td></td><td><p>a</p></td></tr><tr><td><p></p></td><td><p>b</p></td><td>c", "| a\n| b | c"),
        ("<p>x</p><table><tr><td><br></td><td>a</td></tr></table>", "x\n\n| a"),
        ("<blockquote>x<table><tr><td></td><td>a</td></tr></table></blockquote>", "> x\n\n> | a"),
        ("<table><tr><td>a<td><table><tr><td></td><td>b</td></tr></table><td>c</td></tr><tr><td></td><td>d", "a | | b | c\n| d"),
        ("<ul><li><table><tr><td></td><td>a</td></tr><tr><td></td><td>b</td></tr></table></li></ul>", "- | a\n| b"),
        ("<table><tr><th rowspan=2>Knee<td>L<td>90<tr><td>R<td>100</table>", "Knee | L | 90\n| R | 100"),
        ("<table><tr><th colspan=2>ROM<th>Pain<tr><td>90<td>100<td>4/10</table>", "ROM | | Pain\n90 | 100 | 4/10"),
        ('<table><tr><td>a<td rowspan="2">b<td>c<tr><td>d<td>e<tr><td>f<td>g<td>h', "a | b | c\nd | | e\nf | g | h"),
        ("<table><tr><td colspan=99999999999>a<td rowspan=x colspan=0>b<td>c", "a |" + " |" * 11 + " b | c"),
        ('<a href="https://example.com/a b?x=1&copy=2">x</a>', "x (https://example.com/a%20b?x=1&copy=2)"),
        ('<a href="mailto:a@example.com?subject=Hi">a@example.com</a>', "a@example.com"),
        ('<iframe src="https://example.com/embed"></iframe>', "[embedded: https://example.com/embed]"),
        ("<svg><path/></svg> <video controls></video>", "[drawing] [video]"),
        ("<svg><title>Knee</title><path/><text x='1'>left</text></svg>", "[drawing: Knee left]"),
        ("<svg aria-label='knee'><style>.a{}</style><text>30&#176;</text></svg>", "[drawing: knee 30\u00b0]"),
        ("<script>a<style>RED FLAG", "a RED FLAG"),
        ("<select><option>L</option><option selected>R</option></select>", "[ ] L\n[x] R"),
        ("<code>x</code> <time datetime=2020>y</time> <textarea>z</textarea>", "x y\nz"),
        ("<p>Dear <title> <address></p> use <code>", "Dear <title> <address>\n\nuse <code>"),
        ('<![if !supportLists]>-<![endif]><st1:place w:st="on">Perth</st1:place><o:p></o:p>', "-Perth"),
        ("<?xml version='1.0'?><xml><w:View>x</w:View></xml><p class= id=a>Hi</p>", "Hi"),
        ("exercise&region, &notanentity; R&amp;D &#39;x&#39; &lt 5", "exercise&region, &notanentity; R&D 'x' < 5"),
        # an empty one parts no number, and a blank inside of one is none of its text
        ("10<sup></sup>9 and 10<sup> </sup>9", "109 and 10 9"),
        ("10<sup> 9 </sup>/L", "10^9 /L"),
        ("1<sup>1</sup>&frasl;<sub>2</sub> and <sup>3</sup>&#8260;<sub>4</sub>", "1 1/2 and 3/4"),
        # raised and lowered by a distance
        ('10<span style="position:relative;top:-3.0pt;mso-text-raise:3.0pt">9</span>/L', "10^9/L"),
        ('10<span style="vertical-align:50%">9</span>, H<font style="vertical-align: -2px">2</font>O', "10^9, H_2O"),
        ('1<span style="vertical-align:0.0pt">2</span>3<span style="border-top:1px;margin-top:-3px">4</span>', "1234"),
        ('10<span style="position:relative;top:-3pt"><b>9</b> </span>/L', "10^9 /L"),
        ('<span style="position:relative;top:-3pt"><b>Knee</b> pain</span>', "Knee pain"),
        ('<span style="left:12%;top:34%">Knee pain since May</span>', "Knee pain since May"),
        ('a<span style="position:absolute;top:20px">9</span>', "a9"),
        ('a<span style="top:20px">9</span>', "a9"),
        ('a<span style="vertical-align:1px">9</span>', "a9"),
        ('a <span style="vertical-align:4px">Knee pain since May</span>', "a Knee pain since May"),
        ('a<span style="vertical-align:text-top">9</span><span style="vertical-align:text-bottom">8</span>', "a98"),
        # what ends by itself
        ('<ul><li style="text-decoration:line-through">a<li>b</ul>c', "- [struck out: a]\n- b\n\nc"),
        ('<ul><li style="text-decoration:line-through">a<ul><li>x</ul>y<li>b</ul>c', "- [struck out: a\n  - x\n  y]\n- b\n\nc"),
        ('<ul><li style="text-decoration:line-through">a</ul>b', "- [struck out: a]\n\nb"),
        ('<p style="text-decoration:line-through">a<p>b', "[struck out: a]\n\nb"),
        ('<div><p style="text-decoration:line-through">a</div>b', "[struck out: a]\nb"),
        ('<table><tr><td style="text-decoration:line-through">a<td>b<tr><td>c</table>d', "[struck out: a] | b\nc\n\nd"),
        ('<table><tr style="text-decoration:line-through"><td>a<td>b<tr><td>c</table>d', "[struck out: a | b]\nc\n\nd"),
        ('<dl><dt style="text-decoration:line-through">a<dd>b</dl>c', "[struck out: a]\nb\n\nc"),
        # lists whose numbers a style tells
        ('<ol style="list-style: lower-latin"><li>x</ol><ul style="list-style: decimal"><li>y<li>z</ul>', "a. x\n\n1. y\n2. z"),
        ('<ul style="list-style: url(disc.png) decimal"><li>x</ul>', "1. x"),
        ('<ol style="list-style: url(disc.png) decimal"><li>x</ol>', "1. x"),
        ('<ol style="list-style: disc; color: decimal"><li>x</ol>', "- x"),
        ('<ol start="+3"><li>x</ol><ol style="list-style: disc"><li>y</ol>', "3. x\n\n- y"),
        ('<img src="x" alt> <img aria-label="left knee">', "[picture] [picture: left knee]"),
        ("<center>PLAN</center>rest &lt5 days", "PLAN\nrest <5 days"),
    ],
)  # fmt: skip
def test_the_meaning_of_formatting_is_kept(markup: str, text: str) -> None:
    """Powers, indices, struck out words, numbers of lists, pictures, boxes and links are told in words and signs."""
    assert plain_text(markup) == text


def _content(answer: str) -> dict[str, Any]:
    return {"sections": [{"name": "S", "questions": [{"name": "Q", "type": "paragraph", "answer": answer}]}]}


@pytest.mark.parametrize("answer", [ESCAPED, f"<p>{ESCAPED}</p>", f"<p>&lt;svg/onload=x&gt; {ESCAPED}</p>"])
def test_escaped_markup_stays_harmless(answer: str) -> None:
    """Whether HighLevel shows a note as text or as HTML, what a clinician wrote about a tag is read, not run."""
    body = one("treatment_notes", "hl_notes", content=_content(answer))["body"]
    assert DEAD in body
    assert harmless(body) == body


def test_no_text_of_a_note_or_visit_can_begin_a_tag() -> None:
    """Titles, authors and notes of bookings are typed by people too."""
    live = LIVE.replace("<img", "<svg")
    note = one("treatment_notes", "hl_notes", title=live, author_name=live)
    visit = one("individual_appointments", "hl_appointments", notes=live)
    for text in (note["title"], note["body"], visit["body"], visit["title"]):
        assert "<svg" not in text
    assert "< svg src=x" in note["title"]
    assert "< svg src=x" in visit["body"]


@given(st.text(alphabet="<>/!?ab &;lt", max_size=60))
def test_harmless_text_begins_no_tag_and_stays_itself(text: str) -> None:
    """Only blanks are added, and once is enough."""
    made = harmless(text)
    assert "".join(made.split()) == "".join(text.split())
    assert harmless(made) == made


def test_pictures_are_counted() -> None:
    """A note tells how many pictures are in Cliniko only."""
    answer = '<p><img alt="wound" src="a"></p><p><img src="b"></p>'
    assert (
        "\nPictures: 2 (in Cliniko only)\n"
        in one("treatment_notes", "hl_notes", content=_content(answer))["body"]
    )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("10<sup>9</sup>/L", "10^9/L"),
        ("a &amp; b < c", "a & b < c"),
        ("SpO2 &lt; 90 &amp; falling", "SpO2 < 90 & falling"),
        ("written &amp;lt;", "written &lt;"),
        ("<b>written</b> &amp;lt;", "written &lt;"),
        (ESCAPED, DEAD),
        ("fish&chips", "fish&chips"),
        ("<b>&lt;svg onload=x&gt;</b>", "< svg onload=x>"),
    ],
)
def test_formatting_in_a_short_answer_is_read_too(answer: str, told: str) -> None:
    """A question of one line holds what was typed; what was pasted or encoded there is read, once, and stays harmless."""
    content = {"sections": [{"name": "S", "questions": [{"name": "Q", "type": "text", "answer": answer}]}]}
    assert f"\nQ: {told}\n" in one("treatment_notes", "hl_notes", content=content)["body"]


def test_a_line_of_any_length_stays_whole() -> None:
    """A long line is put together again, with every sign where it belongs."""
    assert plain_text(
        "<p>x</p><s>old</s> new " * 2000 + "<p>end"
    ) == "x\n\n" + "[struck out: old] new\n\nx\n\n" * 1999 + ("[struck out: old] new\n\nend")
    assert plain_text("<s>old</s> new " * 2000 + "<br>end") == "[struck out: old] new " * 1999 + (
        "[struck out: old] new\nend"
    )


def test_formatted_fields_of_a_person_are_harmless_too() -> None:
    """A field that is made of rich text says what the tag said that somebody wrote about; one without tags is as typed."""
    found = one("patients", "hl_patient_profiles", notes=f"<p>{ESCAPED}</p>", appointment_notes="a<b &lt;")
    assert (found["notes"], found["appointment_notes"]) == (DEAD, "a<b &lt;")


@pytest.mark.parametrize(
    "unit",
    [
        "<table><tr><td>a",
        "<p a=  ",
        "<p class= checked ",
        "<sup>1</sup>/<sub>2</sub>",
        "<blockquote>a",
        "<ul><li>a",
        "<ol reversed><li>a",
        "<s>a",
        "<sup>a",
        "<li style='text-decoration:line-through'>a<ul>",
        "<p style='text-decoration:line-through'>a",
        "<img>",
        "<li>",
        "<td>",
        "<td colspan=99>",
        "<tr><td rowspan=99 colspan=99>",
        "<hr>",
    ],
)
def test_a_long_text_of_nested_markup_makes_few_notes(unit: str) -> None:
    """65 KB of any element inside itself become about as many notes as 65 KB of text, in moments."""
    begun = time.process_time()
    answer = unit * (65_536 // len(unit))
    assert len(mapped("treatment_notes", content=_content(answer))) <= 30
    assert time.process_time() - begun < 10


@pytest.mark.parametrize(
    "style",
    [
        "vertical-align:" + "0" * 600_000,
        "position:relative;top:" + "." * 600_000,
        "list-style:" * 55_000,
        "list-style:" + "url(" * 150_000,
    ],
)
def test_a_style_of_any_length_is_read_once(style: str) -> None:
    """Searched again from every sign, such a style would take longer than any test may."""
    assert plain_text(f'x<span style="{style}">9</span><ul style="{style}"><li>a</ul>') == "x9\n\n- a"


def test_blanks_before_a_tag_are_read_once() -> None:
    """A number may stand before a fraction, and so may any number of blanks."""
    assert plain_text(f"x{' ' * 600_000}<b>y</b>") == "x y"


def test_only_tags_with_attributes_are_for_pythons_parser() -> None:
    """Most tags of a note have none: they are found once, by our own expression, and a text without any is not parsed."""
    calls = Counter[object]()
    sys.setprofile(lambda frame, event, _: calls.update([frame.f_code] if event == "call" else ()))
    try:
        text = plain_text("<p>Knee<br>sore &lt; 3 days<br/><b>better</b></p>" + "<p class='x'>1</p>" * 3)
    finally:
        sys.setprofile(None)
    assert text == "Knee\nsore < 3 days\nbetter\n\n1\n\n1\n\n1"
    assert calls[HTMLParser.feed.__code__] == 3


#: Elements that show their text, and pieces between them that are no words.
_SHOWING = [
    "p", "div", "b", "i", "u", "em", "span", "ul", "ol", "li", "blockquote", "h2", "table", "tr", "td", "th", "pre", "sup", "sub",
    "s", "del", "ins", "mark", "font", "dl", "dt", "dd", "q", "a", "code", "label", "details", "summary", "math", "svg", "select",
    "option", "textarea", "ruby", "rt", "title", "video", "object",
]  # fmt: skip
_NO_WORDS = [
    "<br>",
    "<hr>",
    "<img src=x>",
    "<input type=checkbox>",
    " ",
    "\n",
    "&nbsp;",
    "<!-- c -->",
    "&lt;",
    "&amp;",
]


@given(
    st.lists(
        st.one_of(
            st.sampled_from([f"<{name}>" for name in _SHOWING]),
            st.sampled_from([f"</{name}>" for name in _SHOWING]),
            st.sampled_from(_NO_WORDS),
            st.just("word"),
        ),
        max_size=14,
    )
)
def test_every_word_of_a_note_is_kept_in_its_place(pieces: list[str]) -> None:
    """However elements are nested, left open or closed for nothing, no word is lost, doubled or moved."""
    words = [f"w{number}x" if piece == "word" else piece for number, piece in enumerate(pieces)]
    told = re.findall(r"w\d+x", plain_text("".join(words)) or "")
    assert told == [word for word in words if re.fullmatch(r"w\d+x", word)]

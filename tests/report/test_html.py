"""A table as a page of HTML."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pandas as pd
import pytest

from benchmark.report.html import _text, render
from benchmark.report.latex import Block, Table, escape, spanning
from benchmark.report.markdown import plain
from benchmark.report.tables.draw import draw_table
from tests.report.test_tables import RETRAIN, fill


class Cells(HTMLParser):
    """The text of every cell of every row, and that no tag is left open."""

    def __init__(self, text: str):
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        if tag in ("meta", "br"):
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"99.0$\pm$1.0\phantom{0}(1.0)", "99.0±1.0(1.0)"),
        (r"\textbf{0.38}", "<strong>0.38</strong>"),
        (r"\emph{diverged} \textbf{x}", "<em>diverged</em> <strong>x</strong>"),
        (r"$R[\varepsilon]$ (\%)", "R[ε] (%)"),
        (r"FT$^\ast$ and a$^\ast$", "FT* and a*"),
        (r"$\max\mu_l\mu_k$", "<em>max μ<sub>l</sub>μ<sub>k</sub></em>"),
        (r"$\Delta_\mu$ of $D_r$", "<em>Δ<sub>μ</sub></em> of <em>D<sub>r</sub></em>"),
        (r"random 10~\% of a\textbar{}b", "random 10 % of a|b"),
        ("---", "—"),
    ],
)
def test_latex_becomes_html(latex, expected) -> None:
    assert _text(latex) == expected


def test_nothing_that_a_study_names_is_taken_for_html_or_markdown() -> None:
    assert _text(escape("a_b * c|d <script> & [g] ~ \\ { } ^ $")) == "a_b * c|d &lt;script&gt; &amp; [g] ~ \\ { } ^ $"


def test_a_small_table_as_a_whole() -> None:
    columns = pd.MultiIndex.from_tuples([("", "Method"), ("Cost", "paper"), ("Cost", "executed")])
    rows = pd.DataFrame([["FT", "1.0", "2.0"], ["CoUn", *spanning(r"\emph{diverged}", 2)]], columns=columns)
    text = render(Table([Block(rows, "random 10 \\%")], "Gaps of A \\& B.", pd.DataFrame()), "tiny", "table2")
    assert Cells(text).open == []
    assert Cells(text).rows == [["Method", "Costpaper", "Costexecuted"], ["FT", "1.0", "2.0"], ["CoUn", "diverged", ""]]
    assert "<p>Gaps of A &amp; B.</p>" in text and "<caption>random 10 %</caption>" in text
    assert '<th class="l" scope="row">FT</th><td class="r">1.0</td>' in text
    assert '<th class="l" scope="col">Method</th><th class="r" scope="col">Cost<br>paper</th>' in text
    assert "table2 --config study=tiny</code>" in text
    assert not re.search(r"https?://|<script", text)


def test_the_columns_on_the_left_head_rows_and_an_empty_cell_heads_nothing() -> None:
    rows = pd.DataFrame([["FT", "ours", "1.0"], ["", "paper", "2.0"]], columns=["Method", "", "RA"])
    text = render(Table([Block(rows)], "", pd.DataFrame(), left=2), "tiny", "table2")
    assert re.findall(r'scope="(\w+)">(\w+)<', text) == [
        *(("col", "Method"), ("col", "RA")),
        *(("row", "FT"), ("row", "ours"), ("row", "paper")),
    ]


def test_it_says_what_the_markdown_says(study) -> None:
    fill(study, {"retrain": RETRAIN})
    *_, md, html = draw_table(study, "gaps")
    rows = [line.split(" | ") for line in md.read_text().splitlines() if line.startswith("|")]
    told = Cells(html.read_text()).rows
    assert len(told) == len(rows) - 1 == 8
    marked = [re.sub(r"[*|\\]", "", cell).strip() for row in [rows[0], *rows[2:]] for cell in row]
    assert [cell.replace(": ", "") for cell in marked] == [cell for row in told for cell in row]
    assert plain(r"\%") in html.read_text() and "noise floor" in html.read_text()

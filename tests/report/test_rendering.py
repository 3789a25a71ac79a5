"""A table of plain text in LaTeX, Markdown and HTML."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.errors import BadInput
from benchmark.methods import METHODS
from benchmark.report import html, latex, markdown
from benchmark.report.style import method_label
from benchmark.report.tabular import METHOD, THIN, Block, Column, Entry, Table, formula, interval, number
from tests.report.conftest import GIVEN

ROOT = Path(__file__).parents[2]


class ParsedPage(HTMLParser):
    """The text of every cell, row by row, and the tags that are left open."""

    def __init__(self, text: str):
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open += [tag] * (tag not in ("meta", "br"))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


TEXTS = {
    "—, −0.50 ± 1": (r"---, $-$0.50 $\pm$ 1", "—, −0.50 ± 1", "—, −0.50 ± 1"),
    "Avg. Gap ↓": (r"Avg.\ Gap $\downarrow$", "Avg. Gap ↓", "Avg. Gap ↓"),
    f"†{THIN}collapsed": (r"$^\dagger$\,collapsed", f"†{THIN}collapsed", f"†{THIN}collapsed"),
    "λ 0.5 [0.1, 6]": (r"$\lambda$ 0.5 [0.1, 6]", r"λ 0.5 \[0.1, 6\]", "λ 0.5 [0.1, 6]"),
    "it's ‘8’, 1–2": ("it's `8', 1--2", "it’s ‘8’, 1–2", "it’s ‘8’, 1–2"),
    "A&T &lt; &#60;": (r"A\&T \&lt; \&\#60;", r"A&T \&lt; \&#60;", "A&amp;T &amp;lt; &amp;#60;"),
    formula("5·10⁻⁴"): (r"$5\!\cdot\!10^{-4}$", "5·10⁻⁴", "5·10⁻⁴"),
    f"{formula('R[ε]')} (%)": (r"$R[\varepsilon]$ (\%)", r"R\[ε\] (%)", "R[ε] (%)"),
    formula("max μ_lμ_k"): (*[r"$\max\mu_l\mu_k$"] * 2, "<em>max μ<sub>l</sub>μ<sub>k</sub></em>"),
    r"50 % of a_b & #1 $x$ {y} ~ ^ \ | < > [z] * `q`": (
        r"50~\% of a\_b \& \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{} \textbar{} $<$ $>$"
        " [z] $^*$ `q`",
        r"50 % of a\_b & #1 \$x\$ {y} \~ ^ \\ \| \< \> \[z\] \* ‘q‘",
        r"50 % of a_b &amp; #1 $x$ {y} ~ ^ \ | &lt; &gt; [z] * ‘q‘",
    ),
}


def test_a_table_with_letters_that_pdflatex_lacks_names_them() -> None:
    small = Table([METHOD], [Block([["FT"]])], "汽车, 飞机 and café.", "", pd.DataFrame())
    assert latex.render(small, "tiny", "a").startswith("% Needs LuaLaTeX or XeLaTeX, and a font that has: 机汽车飞\n")
    assert latex.render(replace(small, caption="Cafés, τ."), "tiny", "a").startswith("% Study tiny")


def test_texts_numbers_and_labels_survive_in_every_format() -> None:
    values = (1.005, -0.001, -2.5, float("nan"))
    assert [number(value) for value in values] == ["1.00", "0.00", "−2.50", "—"]
    assert [number(value, signed=True) for value in values] == ["+1.00", "0.00", "−2.50", "—"]
    assert [number(value) for value in (5.375, 5.3749999999999964, 5.3750000000000036)] == ["5.38"] * 3
    assert [interval(-1, 2), interval(float("nan"), 2)] == ["[−1.00, 2.00]", "—"]
    for plain, rendered in TEXTS.items():
        assert (latex.text(plain), markdown.text(plain), html.text(plain)) == rendered
    for label in ["".join(latex.SPECIAL), *(method_label(f"{method}@tau=0.2") for method in METHODS)]:
        assert latex.text(label).isascii()
        assert markdown.text(label).replace("\\", "") == label.replace("\\", "")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Co"))))
def test_no_text_is_taken_for_markup(plain) -> None:
    expected = plain.replace("'", "’").replace("`", "‘")
    page = ParsedPage(html.text(plain))
    assert page.text == expected and not page.open
    assert re.sub(r"\\([\\|*_<>`~\[\]$&])", r"\1", markdown.text(plain)) == expected
    # Nothing in the LaTeX is a bare special character.
    in_latex = latex.text(plain)
    assert not re.search(r"(?<!\\)[%&#_]", in_latex) and in_latex.count("$") % 2 == plain.count("$") % 2


COLUMNS = [METHOD, Column("paper", "Cost"), Column("executed", "Cost", centred=True), Column("What", text=True)]
FIRST = [["FT", "1.00±0.10 (2.00)", Entry("2.0", bold=True), "a & b"], ["NoT", Entry("diverged", spans=True)]]
SECOND = [
    ["", "22.00±10.00 (12.00)", Entry("+3.0", after="*"), Entry("yes", bold=True, after="*")],
    ["SSD", "3.00", "—", ""],
]
BLOCKS = [Block(FIRST, "A 10 %", "floor 1"), Block(SECOND, "B")]
SMALL = Table(COLUMNS, BLOCKS, "What it is.", "At 10 %.", pd.DataFrame())


@pytest.mark.parametrize("kind", [latex, markdown])
def test_a_small_table_is_rendered_as_expected(kind) -> None:
    # In LaTeX, all after a number is padded to one width.
    expected = GIVEN / {latex: "small.tex", markdown: "small.md"}[kind]
    assert kind.render(SMALL, "tiny", "small") == expected.read_text(encoding="utf-8")


def render_latex(columns: list[Column], *rows: list[str]) -> str:
    return latex.render(Table(columns, [Block(rows)], "What it is.", "", pd.DataFrame()), "tiny", "wide")


def test_a_wide_table_has_smaller_type_then_fewer_columns_then_wrapped_lines() -> None:
    columns = [METHOD, *(Column("RA", centred=True) for _ in range(4)), Column("executed", "Cost", optional=True)]
    numbers = ["99.71±0.05 (10.00)"] * 4
    small = render_latex(columns, ["FT", *numbers, "1.0"])
    assert r"\scriptsize" in small and r"\begin{tabular*}{\linewidth}" in small and "Cost" in small
    fewer = render_latex(columns, ["NegGrad+ + CL (lr=0.0183)", *numbers, "1.0"])
    assert "Only in the .csv: Cost: executed." in fewer and r"{@{\extracolsep{\fill}}lrrrr@{}}" in fewer
    wrapped = render_latex(columns, ["CoUn (batch=256, epochs=20, lr=0.2)", *numbers, "1.0"])
    assert r"\begin{tabularx}{\linewidth}{@{}>{\raggedright\arraybackslash}Xrrrrr@{}}" in wrapped
    # A heading wider than its column is broken, and so is one that is alone in its group.
    heads = render_latex([METHOD, Column("Avg. Gap ↓"), Column("paper", "PFLOPs")], ["FT", "1.0", "2.0"])
    assert r"Method & \shortstack{Avg.\\Gap $\downarrow$} & \shortstack{PFLOPs\\paper} \\" in heads


DOCUMENT = r"""
\documentclass[10pt%s]{article}
\usepackage[letterpaper,textwidth=%sin,textheight=9in,columnsep=0.25in]{geometry}
\usepackage{booktabs,tabularx,amssymb,graphicx}
\begin{document}%s\end{document}
"""


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex")
@pytest.mark.parametrize(("options", "inches"), [("", "5.5"), (",twocolumn", "6.75")])
def test_committed_tables_fit_the_text_width_of_a_paper(tmp_path, options, inches) -> None:
    tables = sorted(
        path.read_text()
        for path in (ROOT / "paper_tables").glob("*/*.tex")
        if path.parent.name in ("cifar10-small", "scale")
    )
    assert len(tables) > 20
    (tmp_path / "all.tex").write_text(DOCUMENT % (options, inches, "\n\\clearpage\n".join(tables)))
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    log = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert log.returncode == 0 and not re.findall(r"Overfull.*|Float too large.*", log.stdout), log.stdout[-2000:]


def test_a_small_table_in_html_has_its_texts_headings_and_alignment() -> None:
    text = html.render(SMALL, "tiny", "small")
    page = ParsedPage(text)
    assert not page.open and not re.search(r"https?://|<script", text)
    head = ["Method", "Costpaper", "Costexecuted", "What"]
    first = [head, ["FT", "1.00±0.10 (2.00)", "2.0", "a & b"], ["NoT", "diverged", "", ""]]
    assert page.rows == [*first, head, ["", "22.00±10.00 (12.00)", "+3.0*", "yes*"], ["SSD", "3.00", "—", ""]]
    for part in (
        "<p>What it is. At 10 %.</p>",
        "<caption>A 10 % (floor 1)</caption>",
        '<th class="l" scope="row">FT</th><td class="r">1.00±0.10 (2.00)</td><td class="r"><strong>2.0</strong></td>',
        '<th class="l" scope="col">Method</th><th class="r" scope="col">Cost<br>paper</th>',
        '<tr><td class="l"></td><td class="r">22.00',  # an empty cell heads nothing
        "small --config study=tiny</code>",
    ):
        assert part in text


def test_long_tables_continue_on_further_pages(monkeypatch) -> None:
    monkeypatch.setattr("benchmark.report.latex.ROWS_PER_PAGE", 6)
    columns = [Column("Method", heads=True), Column("What", wrapped=True), Column("Gap")]
    rows = [[f"M{number}", "ten words " * 12, "1.0"] for number in range(4)]
    table = Table(columns, [Block(rows)], "", "Notes.", pd.DataFrame())
    pages = latex.render(table, "tiny", "long").split(r"\begin{table*}")[1:]
    # A wrapped cell counts as many lines as it takes.
    assert [re.findall("^M[0-9]", page, re.MULTILINE) for page in pages] == [["M0", "M1", "M2"], ["M3"]]
    assert all(r"\begin{tabularx}{\linewidth}{@{}l>{\raggedright\arraybackslash}Xr@{}}" in page for page in pages)
    assert [page.count(r"\caption{") for page in pages] == [1, 0] and "continued." in pages[1]
    assert ["Notes." in page for page in pages] == [False, True]
    with pytest.raises(BadInput, match="table 'none' of study 'tiny' has no rows"):
        latex.render(Table(columns, [Block([])], "", "", pd.DataFrame()), "tiny", "none")

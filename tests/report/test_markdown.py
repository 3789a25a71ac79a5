from __future__ import annotations

import re

import pandas as pd
import pytest

from benchmark.report.latex import GREEK, Block, Table, escape, spanning
from benchmark.report.markdown import plain, render
from benchmark.report.style import METHODS, method_label
from benchmark.report.tables.draw import draw_table
from benchmark.results import records as results
from tests.report.conftest import write_distances, write_run


def lines(text: str) -> list[list[str]]:
    """The cells of every row of every pipe table."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


@pytest.mark.parametrize(
    ("latex", "expected"),
    [
        (r"99.0$\pm$1.0\phantom{0}(1.0)", "99.0±1.0(1.0)"),
        (r"\textbf{0.38}", "**0.38**"),
        (r"\multicolumn{1}{c}{RA}", "RA"),
        (r"\multicolumn{7}{c}{\emph{diverged}}", "*diverged*"),
        (r"class 8 \textup{(noise floor 0.10)}", "class 8 (noise floor 0.10)"),
        (r"Avg.\ Gap $\downarrow$", "Avg. Gap ↓"),
        ("---", "—"),
        ("$-$0.50", "−0.50"),
        (r"$+$0.12\rlap{$^\ast$}\phantom{$\pm$0.10}", r"+0.12\*"),
        (r"FT$^\dagger$", "FT†"),
        (r"$5\!\cdot\!10^{-4}$", "5·10⁻⁴"),
        (r"$\lambda$ 0.5 [0.1, 6]", r"λ 0.5 \[0.1, 6\]"),
        (r"$\max\mu_l\mu_k$", r"$\max\mu_l\mu_k$"),
        (r"$R[\varepsilon]$ (\%)", r"R\[ε\] (%)"),
        (r"$|a_1|$ and $|b_1|$", r"$\vert a_1\vert $ and $\vert b_1\vert $"),
        (r"random 10~\% of a\textbar{}b", r"random 10 % of a\|b"),
        ("Original's ‘8’, pages 1--2", "Original’s ‘8’, pages 1–2"),
    ],
)
def test_latex_becomes_plain(latex, expected) -> None:
    assert plain(latex) == expected


def test_what_means_something_to_markdown_is_escaped() -> None:
    assert plain(escape("a_b * c|d <e> `f` [g] ~ \\ { } ^ $ & # %")) == (
        r"a\_b \* c\|d \<e\> ‘f‘ \[g\] \~ \\ { } ^ \$ & # %"
    )


def test_every_label_survives() -> None:
    assert plain(escape("".join(GREEK))) == "".join(GREEK)
    for method in (*METHODS, "not+cl"):
        label = method_label(f"{method}@tau=0.2")
        assert plain(escape(label)) == label


def test_a_small_table_as_a_whole() -> None:
    columns = pd.MultiIndex.from_tuples([("", "Method"), ("Cost (GFLOPs)", "paper"), ("Cost (GFLOPs)", "executed")])
    rows = pd.DataFrame([["FT", "1.0", r"\textbf{2.0}"], ["NoT", *spanning("diverged", 2)]], columns=columns)
    table = Table(
        [Block(rows, r"Digits, 10 \%"), Block(rows.head(1), "Class")], r"What it is. At 10 \%.", pd.DataFrame()
    )
    assert render(table, "tiny", "small") == (
        "What it is. At 10 %.\n"
        "\n"
        "**Digits, 10 %**\n"
        "\n"
        "| Method | Cost (GFLOPs): paper | Cost (GFLOPs): executed |\n"
        "| :-- | --: | --: |\n"
        "| FT | 1.0 | **2.0** |\n"
        "| NoT | diverged |  |\n"
        "\n"
        "**Class**\n"
        "\n"
        "| Method | Cost (GFLOPs): paper | Cost (GFLOPs): executed |\n"
        "| :-- | --: | --: |\n"
        "| FT | 1.0 | **2.0** |\n"
        "\n"
        "Remade by `snakemake --cores all small --config study=tiny`; its numbers at full precision: "
        "`paper_tables/tiny/small.csv`.\n"
    )


def test_a_column_that_paper_wraps_is_aligned_left() -> None:
    rows = pd.DataFrame([["FT", "lr 0.05", "1.0"]], columns=["Method", "Changed", "Gap"])
    text = render(Table([Block(rows)], "", pd.DataFrame(), wrap=1), "tiny", "small")
    assert "| :-- | :-- | --: |\n| FT | lr 0.05 | 1.0 |" in text


def test_every_table_says_in_markdown_what_it_says_in_latex(study, runs) -> None:
    for name in ("gaps", "two", "taken", "far"):
        runs(study, name)
    for one in study.derived_of("far"):
        write_distances(study, str(one.run.name), one.scenario, {8: {1: 2.0, 3: 3.0, 9: 4.0}})
    write_run(study, "digits/convnet/random-10/not/trial-1", status=results.DIVERGED)
    for name in study.tables:
        tex, csv, md, _ = draw_table(study, name)
        text = md.read_text()
        told = text.splitlines()
        assert told[0] and not told[0].startswith("|") and not told[1]
        assert f"snakemake --cores all {name} --config study=tiny" in told[-1] and str(csv) in told[-1]
        # No command is left, and every row has a cell a column.
        assert not re.search(r"\\[A-Za-z]|\$", text)
        rows = lines(text)
        assert len({len(row) for row in rows}) == 1
        assert [row[0] for row in rows if row[0] in ("FT", "CoUn")] == [
            label for label in re.findall(r"^([A-Za-z]+) &", tex.read_text(), re.MULTILINE) if label in ("FT", "CoUn")
        ]


def test_the_best_gap_is_bold_and_what_is_missing_a_dash(study, runs) -> None:
    runs(study, "two")
    write_run(study, "digits/convnet/class-8/ft/trial-0", status=results.DIVERGED)
    csv, md = draw_table(study, "two")[1:3]
    rows = {row[0]: row for row in lines(md.read_text())}  # of the second cell, where names repeat
    data = pd.read_csv(csv).query("scenario == 'class-8'").set_index("method")
    best = data.loc[["neggrad-plus", "neggrad-plus+cl"], "avg_gap"].min()
    assert [cell for row in rows.values() for cell in row if "**" in cell] == [f"**{best:.2f}**"]
    assert rows["FT"] == ["FT", "diverged", *[""] * 6]
    mean, sd, gap = data.loc["neggrad-plus", ["ra_mean", "ra_sd", "ra_gap"]]
    assert rows["NegGrad+"][1].replace("\\", "") == f"{mean:.2f}±{sd:.2f} ({gap:.2f})"
    empty = draw_table(study, "gaps", partial=True)[2].read_text()
    assert ["NoT", *["—"] * 7] in lines(empty)

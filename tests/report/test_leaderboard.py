"""The leaderboard: authors' claims against our results, and the committed board."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.metrics.samples import METRICS
from benchmark.report import leaderboard
from benchmark.study.study import Study
from tests.project import ROOT, call

TABLES = ("rows.csv", "settings.csv")
CELL = {"dataset": "cifar10", "arch": "resnet18-w16-s2", "scenario": "random-10"}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """A board of five methods with chosen gaps to Retrain, which vary a little with the trial."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "paper_tables" / "reported", "paper_tables/reported")
    for method, gap in {"retrain": 0.0, "ft": 5.0, "coun": 6.0, "salun": 4.0, "mine": 4.0, "theirs": 4.0}.items():
        folder = paths.LEADERBOARD / method
        folder.mkdir(parents=True)
        rows = [
            CELL
            | {"study": "s", "trial": trial, "status": "finished", "collapsed": False}
            | dict.fromkeys(METRICS, 50 + gap + trial / 100 * len(method))
            for trial in range(4)
        ]
        pd.DataFrame(rows).to_csv(folder / "rows.csv", index=False)
        if method != "retrain":
            (folder / "entry.yaml").write_text("authors: A\nreference: B\n")
    return paths.LEADERBOARD


def claim(folders, method, **claim):
    content = {"cell": "cifar10/resnet18/random-10", "avg_gap": 1, "ft": 2, "source": "Table 1"} | claim
    lines = "".join(f"    {key}: {value}\n" for key, value in content.items())
    (folders / method / "entry.yaml").write_text(f"authors: A\nreference: B\nclaims:\n  -\n{lines}")


def test_a_claim_agrees_if_our_results_put_the_method_on_the_same_side_of_ft(folders):
    claim(folders, "theirs", avg_gap=3)
    board = leaderboard.board()
    verdicts = board.data.set_index("method")["verdict"]
    # The paper prints CoUn and SalUn nearer to Retrain than FT.
    assert verdicts.to_dict() == {
        **{"salun": "agrees", "coun": "disagrees", "theirs": "disagrees"},
        **{"mine": "no claim", "ft": "no claim"},
    }
    # Corrected for the three claims, and starred where that changes nothing.
    claimed, others = (board.data[(board.data["verdict"] == "no claim") == unclaimed] for unclaimed in (False, True))
    assert others["p_holm"].isna().all()
    assert (claimed["p"] < claimed["p_holm"]).any() and (claimed["p_holm"] < 0.05).all()
    stars = {method: row[-2].after for method, row in zip(board.data["method"], board.blocks[0].rows, strict=True)}
    assert stars == {"salun": "*", "coun": "*", "theirs": "*", "mine": "", "ft": ""}


def diverge(folders, method, *trials):
    rows = pd.read_csv(folders / method / "rows.csv")
    rows.loc[rows["trial"].isin(trials), ["status", *METRICS]] = ["diverged", *[float("nan")] * 4]
    rows.to_csv(folders / method / "rows.csv", index=False)


def test_a_method_that_diverged_stands_last_without_numbers(folders):
    diverge(folders, "salun", 1)
    diverge(folders, "mine", 0, 1, 2, 3)
    table = leaderboard.board()
    rows = [[str(getattr(entry, "text", entry)) for entry in row] for row in table.blocks[0].rows]
    assert [row[:2] for row in rows[:3]] == [["1", "theirs"], ["2", "FT"], ["3", "CoUn"]]
    assert rows[3:] == [["—", "mine", "diverged"], ["—", "SalUn", "diverged"]]
    data = table.data.set_index("method")
    assert data.loc[["mine", "salun", "ft"], ["trials", "diverged"]].to_numpy().tolist() == [[4, 4], [4, 1], [4, 0]]
    assert data.loc["salun", "verdict"] == "undecided"


def test_a_trial_in_which_ft_diverged_still_counts_for_other_methods(folders):
    before = leaderboard.board().data.set_index("method")
    diverge(folders, "ft", 1)
    after, own = leaderboard.board().data.set_index("method"), ["trials", "avg_gap", "low", "high"]
    assert after.loc["coun", own].tolist() == before.loc["coun", own].tolist()
    assert pd.isna(after.loc["coun", "above_ft"]) and after.loc["coun", "verdict"] == "undecided"


def test_rows_of_a_study_are_there_once_and_keep_names_and_digests_of_digits(folders):
    path, digests = folders / "new" / "rows.csv", {"commit": "012345678901", "fingerprint": "1234567890123e45"}
    for study in ("2024", "2024", "2025"):
        leaderboard._replace(path, study, pd.DataFrame([CELL | {"study": study, "trial": 0} | digests]))
    rows = pd.read_csv(path, dtype=str)[["study", *digests]]
    assert rows.to_numpy().tolist() == [[study, *digests.values()] for study in ("2024", "2025")]


def test_a_bad_or_missing_field_of_an_entry_is_named(folders):
    claim(folders, "mine", ft="high")
    assert "entry.yaml: claims.0.ft" in call("leaderboard").stderr
    claim(folders, "mine", cell="resnet18")
    with pytest.raises(BadInput, match=r"mine/entry.yaml: claims.0.cell: 'resnet18': cell 'resnet18': accepted is"):
        leaderboard.entries()
    (folders / "mine" / "entry.yaml").write_text("authors: A\n")
    with pytest.raises(BadInput, match=r"mine/entry.yaml: reference: missing"):
        leaderboard.entries()
    (folders / "mine").rename(folders / "retrain+cl")
    with pytest.raises(BadInput, match=r"'retrain\+cl' is not an entry: accepted is a method that unlearns"):
        leaderboard.entries()


@pytest.mark.parametrize("text", ["", "garbage\n"])
def test_a_file_of_rows_that_is_none_is_named(folders, text):
    claim(folders, "mine")
    (folders / "mine" / "rows.csv").write_text(text)
    assert "mine/rows.csv: " in call("leaderboard").stderr


def test_the_committed_board_follows_from_the_committed_results(tmp_path, monkeypatch):
    for name in ("config", "paper_tables"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("local"))
    (tmp_path / "results").symlink_to(ROOT / "results")
    monkeypatch.chdir(tmp_path)
    committed = {path: path.read_text() for path in paths.LEADERBOARD.rglob("*.*")}
    # Rows of a method that the study has no more, from an earlier call.
    earlier = [Path(shutil.copy(paths.LEADERBOARD / "ft" / name, paths.LEADERBOARD / "ft2")) for name in TABLES]
    written = leaderboard.refresh(Study.load("cifar10-small"))
    assert [len(path.read_text().splitlines()) for path in earlier] == [1, 1]  # their columns
    kept = {path: path.read_text() for path in written if path not in earlier}
    assert kept == {path: committed[path] for path in kept} and len(kept) > 20

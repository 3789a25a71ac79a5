import shutil
from pathlib import Path

import pandas as pd
import pytest

from benchmark import paths
from benchmark.metrics import arithmetic
from benchmark.metrics.reported import reported_summary

REPORTED = paths.REPORTED


def rows_of(slips: pd.DataFrame) -> list[tuple[int, str, str, str, str]]:
    columns = ["table", "dataset", "arch", "method", "what"]
    return list(slips[columns].itertuples(index=False, name=None))


def test_the_known_slips_of_the_paper_are_found_and_no_others():
    slips = arithmetic.slips()
    assert sorted(rows_of(slips)) == sorted(
        [
            (2, "cifar100", "resnet18", "salun", "mia_gap"),
            (2, "cifar100", "resnet18", "salun", "avg_gap"),
            *((3, "cifar10", "resnet18", "neggrad-plus", f"{gap}_gap") for gap in ("ua", "ta", "mia", "avg")),
            *((10, "cifar10", "resnet18", "neggrad-plus+cl", f"{gap}_gap") for gap in ("ua", "ta", "mia", "avg")),
            (2, "tinyimagenet", "resnet18", "not", "pflops"),
            (3, "tinyimagenet", "resnet18", "neggrad-plus", "pflops"),
            (9, "cifar10", "resnet18", "not+cl", "pflops"),
            (2, "cifar100", "resnet18", "salun", "pflops"),
            (2, "tinyimagenet", "resnet18", "salun", "pflops"),
            (2, "cifar100", "vgg16", "salun", "pflops"),
            (2, "cifar100", "vit", "salun", "pflops"),
        ]
    )
    averages = slips[slips["what"] == "avg_gap"].set_index("table")
    assert averages["recomputed"].round(2).to_dict() == {2: 3.20, 3: 3.26, 10: 2.42}
    assert averages["printed"].to_dict() == {2: 2.95, 3: 0.90, 10: 0.45}
    epochs = slips[(slips["what"] == "pflops") & (slips["method"] != "salun")]
    assert [note.split()[2] for note in epochs["note"]] == ["66.7", "37.5", "37.5"]


def test_implied_epochs_equal_a_hand_computation():
    printed = pd.read_csv(REPORTED / "unlearning.csv")
    means = arithmetic.reported_means()
    implied = printed["implied_epochs"].dropna()
    rows = [row for _, row in means.loc[implied.index].iterrows()]
    epochs = [arithmetic.implied_epochs(row, *arithmetic.UNITS[row["method"]])[0] for row in rows]
    assert len(epochs) == 95 and epochs == pytest.approx(implied.tolist(), abs=0.06)
    salun = means[(means["method"] == "salun") & (means["scenario"] == "random-50")]
    epochs = [arithmetic.implied_epochs(row, 3, 4)[0] for _, row in salun.iterrows()]
    assert epochs == pytest.approx([40, 10, 16, 22, 32], abs=0.05)


def test_a_new_slip_is_found_beyond_what_rounding_allows(tmp_path: Path, monkeypatch):
    known = set(rows_of(arithmetic.slips()))
    monkeypatch.setattr(paths, "REPORTED", tmp_path)
    for before, after, slip in [
        ("1.05,94.70", "1.06,94.70", None),  # within rounding
        ("1.05,94.70", "1.07,94.70", "ua_gap"),
        ("0.65,6.32", "0.67,6.32", "avg_gap"),
        ("0.65,6.32", "0.65,6.39", "pflops"),  # 42.5 epochs
    ]:
        shutil.copytree(REPORTED, tmp_path, dirs_exist_ok=True)
        text = (tmp_path / "unlearning.csv").read_text()
        assert text.count(before) == 1
        (tmp_path / "unlearning.csv").write_text(text.replace(before, after))
        added = set(rows_of(arithmetic.slips())) - known
        assert added == ({(2, "cifar10", "resnet18", "ft", slip)} if slip else set())


def test_only_average_gaps_with_slips_are_corrected() -> None:
    printed, corrected = reported_summary(), arithmetic.corrected_summary()
    slips = [slip for slip in arithmetic.gap_slips() if slip["what"] == "avg_gap"]
    changed = printed["avg_gap"] != corrected["avg_gap"]
    assert list(corrected.loc[changed, "avg_gap"].round(4)) == [slip["recomputed"] for slip in slips]
    assert ("neggrad-plus", 0.9, 3.26) in {(slip["method"], slip["printed"], slip["recomputed"]) for slip in slips}

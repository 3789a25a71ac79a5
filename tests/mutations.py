"""Faults that a test must notice, each a change of one line. Not a part of the quick tests::

    python -m tests.mutations

Each is made in a copy of the project, where the named tests must then fail. They are in the default suite, so that what
they notice here they notice on every commit. ``--only N`` repeats one.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("benchmark", "bench", "tests", "config", "docs", "paper_tables/reported")


class Mutation(NamedTuple):
    """A fault: a file of the package, text that occurs there once, its replacement, and the tests that must notice."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = [
    Mutation(
        "a fingerprint without the choice of members",
        *("study/resolve.py", '            "members": self.members,\n', "", "test_fingerprints.py"),
    ),
    Mutation(
        "splits of a study that do not nest",
        "study/prepare.py",
        "    rng = _split_stream(study, dataset, trial)\n",
        '    rng = _split_stream(study, f"{dataset} {scenario}", trial)\n',
        "data/test_splits.py",
    ),
    Mutation(
        "a fingerprint without keep_twins",
        *(
            "study/resolve.py",
            '            content["keep_twins"] = True\n',
            "            pass\n",
            "test_fingerprints.py",
        ),
    ),
    Mutation(
        "copies of forgotten images that stay",
        *("data/splits.py", "np.isin(groups, groups[end])", "np.isin(groups, -1)", "data/test_splits.py"),
    ),
    Mutation(
        "arrays of an archive that somebody vouched for, in the place of the published one's",
        "data/store.py",
        "if chosen.get(key) is None:",
        'if key == "checksum" or chosen.get(key) is None:',
        "data/test_official.py",
    ),
    Mutation(
        "an image of any number of pixels",
        *("data/images.py", "MOST_PIXELS = 50_000_000", "MOST_PIXELS = 50_000_000_000", "data/test_hostile.py"),
    ),
    Mutation(
        "the commit of whatever repository Python runs in",
        *("stamp.py", '"-C", str(root), *arguments', "*arguments", "test_stamp.py"),
    ),
    Mutation(
        "a clean commit beside files that were never committed",
        *("stamp.py", "--untracked-files=all", "--untracked-files=no", "test_stamp.py"),
    ),
    Mutation(
        "other code by another comment",
        *("stamp.py", '("COMMENT", "NL", "ENDMARKER")', '("NL", "ENDMARKER")', "test_stamp.py"),
    ),
    Mutation(
        "a plugin that replaces a metric in silence",
        *("study/plugins.py", "*sorted(replaced)]", "]", "report/test_code.py"),
    ),
    Mutation(
        "a study of one code that shows several",
        *("results/frames.py", "if results.study.one_code and", "if False and", "report/test_code.py"),
    ),
    Mutation(
        "a study that is whole although files are missing",
        *("workflow/verify.py", "absent = missing(study)", "absent: list[Path] = []", "test_verify.py"),
    ),
    Mutation(
        "a membership attack that nothing derives again",
        *(
            "report/recompute.py",
            "for metric in METRICS if",
            "for metric in METRICS[:3] if",
            "report/test_recompute.py",
        ),
    ),
    Mutation(
        "a learning rate of yes",
        *("settings.py", "if isinstance(leaf, bool) or (", "if (", "test_reading.py"),
    ),
    Mutation(
        "a run that is taken from another checkout as it lies there",
        "workflow/pool.py",
        "if sha256(file) != digests[file.name] if file.is_file()",
        "if False if file.is_file()",
        "workflow/test_merge.py",
    ),
    Mutation(
        "a run in tables that started from another Original than those beside it",
        *("workflow/merge.py", " and aside.isdisjoint(piece.made_from)", "", "workflow/test_merge.py"),
    ),
    Mutation(
        "a difference that is smaller than the noise",
        *("results/differences.py", " and not abs(result.value) <= floor", "", "report/test_comparison.py"),
    ),
    Mutation(
        "equal metrics taken for equal samples",
        "results/differences.py",
        ' & (~have_digests | (first["samples"] == second["samples"]))',
        "",
        "report/test_comparison.py",
    ),
    Mutation(
        "one augmentation for all epochs",
        *("training/loop.py", 'f"augment-{name}", self.epoch', 'f"augment-{name}", 0', "training/test_loop.py"),
    ),
    Mutation(
        "one dropout for all epochs",
        *("training/loop.py", 'integer("model", self.epoch)', 'integer("model")', "training/test_loop.py"),
    ),
    Mutation(
        "a loss that adds up over epochs",
        *("training/loop.py", "self._loss.zero_()", "pass", "training/test_loop.py"),
    ),
    Mutation(
        "an evaluation in another precision",
        *("training/batches.py", "device.autocast()", "torch.no_grad()", "training/test_evaluate.py"),
    ),
    Mutation(
        "an interval twice too wide",
        *("report/tables/audit_table.py", ") / 2, decimals", "), decimals", "report/test_audits.py"),
    ),
    Mutation(
        "half of the trials that a difference needs",
        "report/tables/power_table.py",
        "trials_needed(size, sd)",
        "trials_needed(size, sd / 2)",
        "report/test_evidence.py",
    ),
    Mutation(
        "random non-members that are the first ones",
        *("metrics/mia.py", "rng.permutation(nonmembers)[:size]", "nonmembers[:size]", "metrics/test_mia.py"),
    ),
    Mutation(
        "a method that can change the labels by which it is judged",
        "training/job.py",
        'labels = self.images.labels["train"].clone()',
        'labels = self.images.labels["train"]',
        "training/test_job.py",
    ),
    Mutation(
        "a key without a value that removes what is inherited",
        "study/reading.py",
        "not value.value and not value.style:",
        "value.value is None:",
        "test_reading.py",
    ),
    Mutation(
        "a paper's value for a test that the paper does not print",
        *("metrics/verdicts.py", "math.nan if same_otherwise else", "math.nan if False else", "metrics/test_claims.py"),
    ),
]


def mutated(root: Path, mutation: Mutation) -> str:
    """Make a fault in a copy of the project and return the file's text as it was."""
    file = root / "benchmark" / mutation.file
    text = file.read_text(encoding="utf-8")
    if text.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.name}: benchmark/{mutation.file} has {mutation.old!r} {text.count(mutation.old)} times"
        )
    file.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    return text


def fails(root: Path, tests: list[str]) -> bool:
    """Return whether any of these files of tests fails."""
    command = [sys.executable, "-m", "pytest", "-n", "0", "-x", "-q", *(f"tests/{name}" for name in tests)]
    return subprocess.run(command, cwd=root, capture_output=True).returncode == 1


def main() -> None:
    """Make each fault and say whether it was noticed; exit status 1 where one was not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--only", type=int, nargs="*", help="the numbers of faults to repeat")
    numbers = parser.parse_args().only or range(len(MUTATIONS))
    missed = 0
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        root = Path(folder)
        for name in COPIED:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "local"))
        shutil.copy(ROOT / "pyproject.toml", root)
        if fails(root, sorted({MUTATIONS[number].tests for number in numbers})):
            raise SystemExit("the tests fail without a fault as well")
        for number in numbers:
            before = mutated(root, MUTATIONS[number])
            noticed = fails(root, [MUTATIONS[number].tests])
            missed += not noticed
            print(f"{number:4d} {'noticed' if noticed else 'MISSED'}: {MUTATIONS[number].name}", flush=True)
            (root / "benchmark" / MUTATIONS[number].file).write_text(before, encoding="utf-8")
    print(f"{len(numbers)} faults: {len(numbers) - missed} noticed, {missed} missed")
    sys.exit(missed > 0)


if __name__ == "__main__":
    main()

"""How a study's file is read: its YAML, what it takes over from others, and the file that a fault is reported of."""

import contextlib
from pathlib import Path

import pytest
import yaml

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.study.reading import read
from benchmark.study.study import Study
from tests.project import CELL, STUDY, call, mistake, without_new_plugins


def write(text: str, name: str = "tiny") -> None:
    paths.CONFIG.mkdir(exist_ok=True)
    paths.study_file(name).write_text(text, encoding="utf-8")


def test_a_fault_is_reported_of_the_file_that_has_it(empty):
    empty.study(name="base")
    base, local, tuned = paths.study_file("base"), paths.LOCAL_DATASETS, paths.tuned("base")
    write("extends: base\n", "middle")
    for folder in (local.parent, tuned.parent):
        folder.mkdir()
    whole, cell = base.read_text(), f"hyperparameters: {{{CELL}: "
    for file, text, message in [
        (base, f"{whole}threads: 0\n", "config/base.yaml: threads: 0: "),
        (base, f"{whole}tuned: base\n", "config/base.yaml: tuned: config/tuned/base.yaml is missing"),
        (base, f"{whole}plugins: [nowhere.py]\n", "config/base.yaml: plugins: 'nowhere.py': no such file"),
        (base, f"{whole}seeds: 0\n", "config/base.yaml: seeds: unknown key 'seeds'"),
        (local, "digits: {source: digts}", "config/local/datasets.yaml: digits.source: unknown data source 'digts'"),
        (local, "digits: {path: 3}", "config/local/datasets.yaml: digits: path: 3: "),
        (local, "digits: {path: x}", "config/local/datasets.yaml: digits.path: 'x': source 'digits' does not use it"),
        (tuned, f"{cell}{{ft: {{lr: -1}}}}}}", f"config/tuned/base.yaml: hyperparameters.{CELL}.ft: lr: -1: "),
        (
            tuned,
            f"{cell}{{ft: 3}}}}",
            f"config/tuned/base.yaml: hyperparameters.{CELL}: {{'ft': 3}}: accepted is a map",
        ),
        (tuned, f"{cell}3}}", f"config/tuned/base.yaml: hyperparameters.{CELL}: 3: accepted is a mapping"),
    ]:
        base.write_text(whole if file != tuned else f"{whole}tuned: base\n")
        file.write_text(text)
        write("extends: middle\nseed: 3\n")
        assert call("check", "tiny").stderr.startswith(f"error: {message}"), message
        if file != base:
            file.unlink()
    base.write_text(whole)
    write("extends: middle\nseed: -3\n")
    assert call("check", "tiny").stderr.startswith("error: config/tiny.yaml: seed: -3: ")


def test_a_folder_that_this_machine_names_is_looked_for_there(empty):
    paths.LOCAL_DATASETS.parent.mkdir(parents=True)
    paths.LOCAL_DATASETS.write_text("mine: {source: folder, path: nowhere}\n")
    mine = {"source": "official", "checksum": f"md5:{'0' * 32}"}
    with contextlib.suppress(BadInput):
        empty.study({"datasets": {"mine": mine}})
    assert call("check", "tiny").stderr == f"error: {paths.LOCAL_DATASETS}: mine.path: there is no folder nowhere\n"


def test_a_study_that_extends_another_removes_only_what_is_there(empty):
    empty.study()
    extended = paths.study_file("tiny").read_text()
    write(extended, "base")
    write("extends: base\ntables: {table8: null}\n")
    assert call("check", "tiny", check=True).stdout.startswith("tiny: no mistakes. It shows table2. ")
    write("extends: base\ntuned: null\ndatasets: {digits: {subset: null}}\n")  # it may have had these
    assert call("check", "tiny").returncode == 0
    for text, message in [
        ("extends: base\ntables: {tabel8: null}\n", "tables.tabel8: null: unknown inherited entry 'tabel8'; did you "),
        (
            "extends: base\nhyperparameters: {'*': {unlearning: {epoch: null}}}\n",
            "hyperparameters.*.unlearning.epoch: null: unknown inherited entry 'epoch'; did you mean 'epochs'?",
        ),
        ("extends: base\ntuend: null\n", "tuend: null: unknown inherited entry 'tuend'"),
        ("extends: base\ndatasets: {digits: {subst: null}}\n", "datasets.digits.subst: null: unknown inherited entry"),
        ("extends: base\ntables: {t: {caption: null}}\n", "tables.t.caption: null removes what is inherited, and noth"),
        ("extends: bases\n", "unknown study 'bases'; did you mean 'base'? Accepted: base\n"),  # not itself
    ]:
        write(text)
        assert message in mistake("check", "tiny")


# Aliases that expand to endlessly many values: in lists and in mappings.
LISTS = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)
MAPPINGS = "a0: &a0 {x: 1, y: 2}\n" + "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 30))


def test_a_file_that_is_no_mapping_of_settings_is_refused(empty):
    for text, message in [
        ("trials: 1\ntrials: 2\n", "line 2: key 'trials' is given twice"),
        ("datasets:\n  digits: {source: digits, source: digits}\n", "key 'source' is given twice"),
        ("hyperparameters:\n  # epochs: 3\n", "line 1: 'hyperparameters' is empty: accepted is its value, or null, wh"),
        ("trials: [1\n", "not readable as YAML"),
        ("- a\n- b\n", "holds a list: accepted is a mapping of settings"),
        ("# nothing yet\n", "is empty: accepted is"),
        ("datasets: {<<: {digits: {}, digits: {}}}\n", "line 1: key 'digits' is given twice"),
        ("labels: {<<: {ft: a}, <<: {not: b}}\n", "line 1: key '<<' is given twice"),
        ("labels: {<<: [ft]}\n", "line 1: accepted after '<<' is a mapping, or a list of them"),
        (
            "labels:\n\tft: FT\n",
            "character that cannot start any token in line 2, column 1 (line 2 is indented by a tab",
        ),
        ("? [a, b]\n: 1\n", "a key must be plain text"),
        ("x: !!python/object/apply:os.system ['touch executed']\n", "not readable as YAML"),
        ("trials: \x00\n", "not readable as YAML"),
        *((f"trials: {value}\n", "not readable as YAML") for value in ("!!int ''", "!!bool x", "!!timestamp x")),
        (LISTS, "100,000 values"),
        (MAPPINGS, "100,000 values"),
        ("tables: &tables {table2: *tables}\n", ""),
        ("plugins: &plugins [*plugins]\n", ""),
    ]:
        write(text)
        with pytest.raises(BadInput) as caught:
            Study.load("tiny")
        assert str(caught.value).startswith("config/tiny.yaml: ") and message in str(caught.value), text
        assert message or any(part in str(caught.value) for part in ("100,000 values", "not readable")), text
    assert not Path("executed").exists()


def test_a_key_is_text_whatever_it_looks_like(empty):
    empty.study({"labels": {}})
    file = paths.study_file("tiny")
    settings = "scored: {12: 'x/{trial}', true: 'y/{trial}'}\nlists: {<<: {3: c.csv}, 1e5: d.csv}\n"
    file.write_text(file.read_text() + settings)
    with without_new_plugins():
        study = Study.load("tiny")
    assert [*study.scored, *study.lists] == ["12", "true", "3", "1e5"]


def test_a_mapping_takes_over_others_wherever_they_stand_and_its_own_keys_win(empty):
    empty.study()
    file = paths.study_file("tiny")
    deeper = f"tune: {{hyperparameters: {{{CELL}: {{ft: &ft {{<<: {{lr: 0.3, epochs: 7}}, epochs: 5}}}}}}}}\n"
    file.write_text(file.read_text() + deeper + "relearning: {<<: *ft, epochs: null, every: 5}\n")
    data = read("tiny")
    assert data["tune"]["hyperparameters"][CELL]["ft"] == {"lr": 0.3, "epochs": 5}
    assert data["relearning"] == {"lr": 0.3, "epochs": None, "every": 5}
    two = "labels: {<<: [{ft: first, t: first}, {ft: second, t: second, not: second}], not: own}\n"
    file.write_text(two)
    assert [*read("tiny")["labels"].items()] == [("ft", "first"), ("t", "first"), ("not", "own")]


def test_a_study_name_that_is_no_plain_word_or_unknown_is_refused(empty):
    empty.study()
    for name in ("../tiny", "a/b", "", "a b", "x.yaml", "tiny\n", "; ls"):
        with pytest.raises(BadInput, match="accepted is the name of a file"):
            Study.load(name)
    with pytest.raises(BadInput, match=r"unknown study 'tinny'; did you mean 'tiny'\? Accepted: tiny"):
        Study.load("tinny")


def test_a_study_whose_tables_would_lie_among_the_papers_numbers_or_in_the_leaderboard_is_refused(empty):
    for name in ("reported", "leaderboard"):
        with pytest.raises(BadInput, match=f"config/{name}.yaml: paper_tables/{name}/ is of no study"):
            empty.study(name=name)


def test_extending_in_a_circle_or_what_is_no_study_is_refused(empty):
    for texts in ({"a": "a"}, {"a": "b", "b": "a"}, {"a": "b", "b": "c", "c": "b"}):
        for name, parent in texts.items():
            write(f"extends: {parent}\n", name)
        with pytest.raises(BadInput, match="leads back to where it began: a -> "):
            Study.load("a")
    for parent in ("nobody", "[a]", "3", "../x"):
        write(f"extends: {parent}\n")
        with pytest.raises(BadInput, match="extends: unknown study 'nobody'" if parent == "nobody" else "tiny"):
            Study.load("tiny")


WRONG = [
    ("lr: 0.05", "lr: yes", "lr: 'yes': "),
    ("lr: 0.05", "lr: true", "lr: True: accepted are numbers"),
    ("lr: 0.05", "lr: 1:30", "lr: '1:30': "),
    ("epochs: 2", "epochs: 100000000000", "epochs: 100000000000: "),
    ("seed: 1", f"seed: {10**20}", f"seed: {10**20}: accepted are numbers"),
    ("- 0.305", "- true", "mean: True: accepted are numbers"),
    ("table8:", "t" * 130 + ":", "at most 120 characters"),
    ("- ft", "- ft@lr=" + "0" * 130 + "1", "137 characters: accepted are at most 120"),
    ("class-8", "class-" + "八" * 40, "126 bytes: accepted are at most 120"),
    ("seed: 1", "description: " + "x" * 2_000_000, "bytes; accepted are at most 2,000,000"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), WRONG, ids=[wrong[:20] for _, wrong, _ in WRONG])
def test_values_that_are_no_numbers_or_too_long_are_refused_when_the_study_is_read(empty, right, wrong, message):
    paths.CONFIG.mkdir()
    text = yaml.safe_dump(STUDY, sort_keys=False)
    assert right in text
    paths.study_file("tiny").write_text(text.replace(right, wrong, 1), encoding="utf-8")
    with pytest.raises(BadInput, match=r"^config/tiny\.yaml: ") as caught:
        Study.load("tiny")
    assert message in str(caught.value)


def test_a_folder_that_is_no_checkout_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="study 'quick': no folder config here: accepted is a checkout"):
        Study.load("quick")

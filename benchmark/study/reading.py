"""Reading a study file: safe YAML, ``extends``, and validation errors turned into one clear line each."""

from __future__ import annotations

import itertools
import re
import reprlib
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from benchmark import paths
from benchmark.data.store import WHERE
from benchmark.errors import BadInput, fault_of, unknown
from benchmark.names import LONGEST, check_patterns, matches
from benchmark.settings import UNKNOWN_KEY, DatasetSettings

Model = TypeVar("Model", bound=BaseModel)
STUDY_NAME = r"[a-z0-9]+([-_][a-z0-9]+)*"
YAML_TAG = "tag:yaml.org,2002:"  # prefix of YAML's own tags
LONGEST_FILE = 2_000_000  # bytes
OWN_NAMES = ("tables.", "figures.", "hyperparameters.")  # below these a study gives names of its own
NAMED = 5  # faults of a file that a message names
# What is accepted, by the type of a validation error.
ACCEPTED = {
    "int_": "a whole number",
    "float_": "a number",
    "bool_": "true or false",
    "string_type": "text",
    "string_pattern_mismatch": "text that matches {pattern}",
    "list_type": "a list, in brackets",
    "dict_type": "a mapping of names to what they are",
    "model_type": "a mapping of settings to their values",
    "string_too_short": "text that is not empty",
    "too_long": "a list of at most {max_length}",
    "literal_error": "{expected}",
    "greater_than_equal": "a number of at least {ge:.15g}",
    "greater_than$": "a number above {gt:.15g}",
    "less_than_equal": "a number of at most {le:.15g}",
    "less_than$": "a number below {lt:.15g}",
    "finite_number": "a finite number",
}
LARGEST = 100_000  # values in a study file, aliases expanded: the paper's has under 2,000


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # the one in C is much faster
    """Safe YAML that refuses a key given twice, of which plain YAML silently keeps the last, and one without a value.

    Booleans and numbers are those of YAML 1.2: ``yes`` and ``1:30`` are text. A key is text, even ``1``.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Read all keys as text, and replace "<<" by the keys that it brings, before the mapping's own.

        Own keys win, and in a list of mappings the earlier one: in some versions of the library the later one does.
        Raises `YAMLError` for a key that is given twice, is no plain text or has no value.
        """
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            line = f"line {key.start_mark.line + 1}"
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.YAMLError(f"{line}: a key must be plain text")
            if key.value in own:
                raise yaml.YAMLError(f"{line}: key {key.value!r} is given twice")
            if isinstance(value, yaml.ScalarNode) and not value.value and not value.style:
                accepted = "accepted is its value, or null, which removes what is inherited"
                raise yaml.YAMLError(f"{line}: {key.value!r} is empty: {accepted}")
            own[key.value] = key, value
        brought: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        if "<<" in own and own["<<"][0].tag == YAML_TAG + "merge":
            merge_key, merged = own.pop("<<")
            for mapping in merged.value if isinstance(merged, yaml.SequenceNode) else [merged]:
                if not isinstance(mapping, yaml.MappingNode):
                    line = f"line {merge_key.start_mark.line + 1}"
                    raise yaml.YAMLError(f"{line}: accepted after '<<' is a mapping, or a list of them")
                self.flatten_mapping(mapping)
                for key, value in mapping.value:
                    brought.setdefault(key.value, (key, value))
        for key, _ in own.values():
            key.tag = YAML_TAG + "str"
        node.value = [*(brought | own).values()]  # an alias of this mapping brings it here again


PLAIN = {
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": "[-+]?(0|[1-9][0-9]*)",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
_Loader.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0].removeprefix(YAML_TAG) not in (*PLAIN, "timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for kind, pattern in PLAIN.items():
    _Loader.add_implicit_resolver(YAML_TAG + kind, re.compile(f"({pattern})$"), None)


def read(study: str, seen: tuple[str, ...] = (), tuned: bool = True) -> dict[str, Any]:
    """Return a study file as plain data, merged over what it extends.

    Mappings are merged key by key, anything else is replaced, and null removes what was inherited; only a description
    is each study's own. ``seen`` are the studies that extend this one. Unless ``tuned`` is false, tuned values override
    the hyperparameters of the file that includes them.
    """
    where = f"{paths.study_file(seen[-1])}: extends" if seen else "study"
    if study in seen:
        raise BadInput(f"{where} leads back to where it began: {' -> '.join([*seen, study])}")
    if not re.fullmatch(STUDY_NAME, study) or len(study) > LONGEST:
        form = "the name of a file config/<name>.yaml, without folder or suffix"
        accepted = f"{form}: lower-case words and digits joined by '-' or '_', at most {LONGEST} characters"
        raise BadInput(f"{where} {study!r}: accepted is {accepted}")
    path = paths.study_file(study)
    if not paths.CONFIG.is_dir():
        raise BadInput(f"{where} {study!r}: no folder {paths.CONFIG} here: accepted is a checkout, at its top")
    if not path.is_file():
        raise unknown("study", study, [name for name in paths.studies() if name not in seen], where)
    data = parse(path)
    parent, includes_tuned = data.pop("extends", None), tuned and bool(data.get("tuned"))
    if not isinstance(parent, str | None):
        raise BadInput(f"{path}: extends: {parent!r} is not the name of a study")
    if parent is not None:
        # A study's own key ``tuned``, even null, replaces its parent's.
        inherited = read(parent, (*seen, study), tuned and "tuned" not in data)
        _check_removed(inherited, data, path)
        data = merge(inherited, {"description": f"{parent}, with changes"} | data)
    own = data.get("hyperparameters") or {}
    check_patterns(own, str(path))
    if includes_tuned and isinstance(own, dict):  # anything else is refused later, by its type
        data["hyperparameters"] = _laid_over(own, tuned_values(data["tuned"], str(path)), str(path))
    return data


def _check_removed(inherited: dict[str, Any], data: dict[str, Any], path: Path) -> None:
    """Raise `BadInput` for what is removed by null and was not there: its name may be misspelt.

    A setting that a study may have does no harm, unless it is one of the hyperparameters.
    """
    pending: list[tuple[str, Any, Any]] = [("", inherited, data)]
    while pending:
        place, there, own = pending.pop()
        there = there if isinstance(there, dict) else {}
        for name, value in own.items() if isinstance(own, dict) else ():
            if value is None and name not in there and (place.startswith(OWN_NAMES) or name not in _settings()):
                where = f"{path}: {place}{name}: null"
                if not there:
                    raise BadInput(f"{where} removes what is inherited, and nothing is: leave the line out")
                raise unknown("inherited entry", name, there, where)
            pending.append((f"{place}{name}.", there.get(name), value))


@cache
def _settings() -> set[str]:
    """Return the names of all settings that a study file may have anywhere, except hyperparameters."""
    from benchmark.study.form import StudyForm

    schema = StudyForm.model_json_schema()
    return {name for form in (schema, *schema["$defs"].values()) for name in form.get("properties", ())}


def _laid_over(own: dict[str, Any], tuned: dict[str, Any], where: str) -> dict[str, Any]:
    """Return hyperparameters with a cell's tuned values last; raise `BadInput` if it has an earlier place already."""
    for cell, later in itertools.combinations(own, 2):
        if cell in tuned and matches(later, cell):
            fault = f"tuned values would take this place, and {later!r} further down would override them"
            raise BadInput(f"{where}: hyperparameters.{cell}: {fault}: accepted is the other order")
    return merge(own, tuned)


def tuned_values(name: Any, where: str) -> dict[str, Any]:
    """Return the hyperparameters in ``config/tuned/<name>.yaml``, as a study has them; raise `BadInput` if missing."""
    if not isinstance(name, str) or not re.fullmatch(STUDY_NAME, name):
        raise BadInput(f"{where}: tuned: {name!r} is not the name of a study")
    path = paths.tuned(name)
    if not path.is_file():
        raise BadInput(f"{where}: tuned: {path} is missing: 'python -m benchmark tune {name}' makes it")
    values = parse(path).get("hyperparameters")
    if not isinstance(values, dict):
        raise BadInput(f"{path}: hyperparameters: missing; 'python -m benchmark tune {name}' makes them")
    for cell, entries in values.items():
        if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
            accepted = "accepted is a mapping from methods to their settings"
            raise BadInput(f"{path}: hyperparameters.{cell}: {entries!r}: {accepted}")
    return values


def with_local_datasets(data: dict[str, Any]) -> dict[str, Any]:
    """Return a study's data with this machine's own sources of images, if a local file names them.

    The file maps a dataset's name to `WHERE`; it changes where images are read from in every study that has that
    dataset, and nothing else. Another source leaves nothing of where the study's own one finds them.
    """
    path, datasets = paths.LOCAL_DATASETS, data.get("datasets")
    if not path.is_file() or not isinstance(datasets, dict):
        return data
    local = parse(path)
    for name, entry in local.items():
        if not isinstance(entry, dict):
            raise BadInput(f"{path}: {name}: {entry!r}: accepted below a dataset's name are {', '.join(WHERE)}")
        for key in sorted(entry.keys() - {*WHERE}):
            raise unknown("key", key, WHERE, f"{path}: {name}.{key}")
        given = {key: value for key, value in entry.items() if value is not None}
        validated(DatasetSettings, {"source": ""} | given, f"{path}: {name}")
    shared = {name: local[name] for name in local if isinstance(datasets.get(name), dict)}
    for name, entry in shared.items():
        if entry.get("source", datasets[name].get("source")) != datasets[name].get("source"):
            shared[name] = dict.fromkeys(WHERE) | entry
    return data | {"datasets": merge(datasets, shared)}


def place_of(dataset: str, key: str, study_file: str) -> str:
    """Return where the ``key`` of a dataset stands: in this machine's own file, or in the study's."""
    path = paths.LOCAL_DATASETS
    if path.is_file() and key in parse(path).get(dataset, {}):
        return f"{path}: {dataset}"
    return f"{study_file}: datasets.{dataset}"


def parse(path: Path) -> dict[str, Any]:
    """Return a YAML file as plain data; raise `BadInput` if it is too large, malformed, or no mapping."""
    if path.stat().st_size > LONGEST_FILE:
        raise BadInput(f"{path}: {path.stat().st_size:,} bytes; accepted are at most {LONGEST_FILE:,}")
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.load(text, Loader=_Loader)
    # The last three: of a value that its tag does not fit, such as !!bool x.
    except (yaml.YAMLError, RecursionError, AttributeError, LookupError, ValueError) as error:
        fault = " ".join(str(error).replace(' in "<unicode string>",', " in").split())
        tab = re.search(r"^\s*\t", text, re.MULTILINE) if isinstance(error, yaml.YAMLError) else None
        hint = (
            f" (line {text.count(chr(10), 0, tab.end()) + 1} is indented by a tab: accepted are spaces)" if tab else ""
        )
        raise BadInput(f"{path}: not readable as YAML: {fault}{hint}") from None
    if not isinstance(data, dict):
        held = "is empty" if data is None else f"holds a {'list' if isinstance(data, list) else 'single value'}"
        raise BadInput(f"{path}: {held}: accepted is a mapping of settings")
    if _is_large(data):
        raise BadInput(f"{path}: with its aliases written out it holds more than {LARGEST:,} values, the most accepted")
    return data


def _is_large(data: Any) -> bool:
    """Count values once per reference: a few aliases of aliases are millions, an alias of itself is endless."""
    pending, count = [data], 0
    while pending and count <= LARGEST:
        value = pending.pop()
        count += 1
        if isinstance(value, dict | list):
            pending += value.values() if isinstance(value, dict) else value
    return count > LARGEST


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``over`` merged on top; see `read` for the rules."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def validated(model: type[Model], data: Any, where: str) -> Model:
    """Return ``data`` as ``model``; raise `BadInput` with its faults: file, key, value and what is accepted."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors(include_url=False)]
        more = f" ({len(faults) - NAMED} more)" if len(faults) > NAMED else ""
        raise BadInput(f"{where}: {'; also '.join(faults[:NAMED])}{more}") from None
    except Exception as error:  # a plugin's own check or default may raise anything
        raise BadInput(f"{where}: {fault_of(error, model.__module__)}") from error


def _fault(fault: Any) -> str:
    """Return a fault in words: its key, its value and what is accepted."""
    key = [fault["ctx"]["key"]] if fault["type"] == UNKNOWN_KEY else []
    place = ".".join(map(str, [*fault["loc"], *key]))
    if key:
        accepted = fault["ctx"]["accepted"]
        if "tables" in accepted:  # of a study, in whose file there may be another key, which is read first
            accepted = [*accepted, "extends"]
        return str(unknown("key", key[0], accepted, place))
    if fault["type"] == "missing":
        return f"{place}: missing; it is needed"
    message = fault["msg"].removeprefix("Value error, ") or "not accepted"  # a plugin's error may have no text
    for pattern, accepted in ACCEPTED.items():
        if re.match(pattern, fault["type"]):
            message = f"accepted is {accepted.format(**fault.get('ctx', {}))}"
    given = fault["input"]
    if not isinstance(given, dict | list):
        value = f"{given!r}: "
    else:  # shown where it is of the wrong type; else the fault is in it, and the message names that
        value = f"{reprlib.repr(given)}: " if fault["type"].endswith("_type") else ""
    return f"{f'{place}: ' if place else ''}{value}{message[0].lower()}{message[1:]}"

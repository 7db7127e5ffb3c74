"""Turns what pydantic finds wrong with a stack into one message that names file, key and cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from rigforge.errors import RigforgeError
from rigforge.rules.nearest import nearest

#: TOML's words for pydantic's error types.
_TYPES = {
    "string_type": "a string",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "an array",
    "dict_type": "a table",
    "model_type": "a table",
}

#: Where a value is: keys and array indices, from the outermost inwards.
Location = tuple[str | int, ...]


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Returns `, did you mean "NAME"?` for the name nearest to `word`, or nothing where none is near."""
    suggestions = nearest(word, names)
    return f', did you mean "{suggestions[0]}"?' if suggestions else ""


def complaint(error: ValidationError, model: type[BaseModel], origin: Callable[[Location], str]) -> RigforgeError:
    """Returns the error to raise: a line for every fault, as `FILE: KEY: WHAT`.

    `origin` says which file (or option) a location's value is from.
    """
    lines = []
    for fault in error.errors(include_url=False):
        location = _in_the_file(model, fault["loc"])
        lines.append(f"{origin(location)}: {dotted(location)}: {_what(fault, location, model)}")
    return RigforgeError("\n".join(dict.fromkeys(lines)), "docs/stack.md explains every key")


def dotted(location: Location) -> str:
    """Returns a location as people write it: `archives[0].keyring`."""
    words = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(words).removeprefix(".")


def model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """Returns the model of the table at `location`, or None where the value there is no table of known keys."""
    table_model: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int):
            continue
        field = table_model.model_fields.get(part) if table_model else None
        table_model = next(_models(field.annotation), None) if field else None
    return table_model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _known_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        for table_model in _models(field.annotation):
            yield from _known_keys(table_model, f"{prefix}{name}.")


def _in_the_file(model: type[BaseModel], location: Location) -> Location:
    """Leaves out what pydantic adds for the members of a union, which are no keys."""
    file_location: Location = ()
    for part in location:
        table_model = model_at(model, file_location)
        if isinstance(part, int) or table_model or not file_location:
            file_location = (*file_location, part)
    return file_location


def _what(fault: Any, location: Location, model: type[BaseModel]) -> str:
    match fault["type"]:
        case "extra_forbidden":
            return "unknown key" + _near_key(str(location[-1]), model_at(model, location[:-1]), model)
        case "missing":
            return "has to be given"
        case "literal_error":
            expected_values = re.findall(r"'([^']*)'", fault["ctx"]["expected"])
            choices = " or ".join(f'"{choice}"' for choice in expected_values)
            suggestion = did_you_mean(str(fault["input"]), expected_values) if len(expected_values) > 2 else ""
            return f"must be {choices}, not {_shown(fault['input'])}{suggestion}"
        case "value_error":
            text = str(fault["ctx"]["error"])
            is_quotable = isinstance(fault["input"], str) and fault["input"] and not _is_secret(location, model)
            return text + (f" (it is {_shown(fault['input'])})" if is_quotable else "")
        case "too_short" | "string_too_short":
            return "must not be empty"
        case kind:
            text = f"must be {_TYPES[kind]}" if kind in _TYPES else fault["msg"].replace("Input should", "must")
            return text if _is_secret(location, model) else f"{text}, not {_shown(fault['input'])}"


def _near_key(word: str, siblings: type[BaseModel] | None, model: type[BaseModel]) -> str:
    names = list(siblings.model_fields) if siblings else []
    if suggestion := did_you_mean(word, names):
        return suggestion
    # A key that is right, but in the wrong table.
    keys_by_name = {key.rpartition(".")[2]: key for key in reversed(list(_known_keys(model)))}
    if match := nearest(word, keys_by_name, cutoff=0.8):
        return f', did you mean "{keys_by_name[match[0]]}"?'
    return f"; known here: {', '.join(names)}" if names else ""


def _is_secret(location: Location, model: type[BaseModel]) -> bool:
    keys = [part for part in location if isinstance(part, str)]
    table = model_at(model, tuple(keys[:-1]))
    return table is not None and keys[-1] in table.model_fields and not table.model_fields[keys[-1]].repr


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}…"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "an array"
    # Python writes no number of more than 4300 digits.
    return "a number too large to be shown" if isinstance(value, int) and value.bit_length() > 256 else str(value)

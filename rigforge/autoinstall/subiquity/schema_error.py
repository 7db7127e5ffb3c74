"""What is wrong with a value by JSON Schema, in plain words: which part of it, why, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rigforge.rules.nearest import nearest as alike

if TYPE_CHECKING:
    import jsonschema

_TYPES = {
    "string": "a string",
    "array": "a list",
    "object": "a mapping",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "null": "nothing",
}

#: More keys than these are not listed.
_LISTED = 16

_FORMATS = {
    "date": ("it is no date", "such as '2030-12-31', in quotes"),
    "hostname": ("it is no host name", "letters, digits, - and ."),
}


@dataclass(frozen=True)
class Wrong:
    """One fault: `path` leads to it, by keys and by numbers of items from 0."""

    path: tuple[str | int, ...]
    message: str
    hint: str


def dotted(path: Iterable[str | int]) -> str:
    """Returns a path as text that follows a key: ".users[0].name"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def faults(errors: Iterable[jsonschema.ValidationError]) -> list[Wrong]:
    """Returns the faults that a validator's errors tell of, each once.

    Of the alternatives of a value the errors of that one are taken which it comes closest to.
    """
    items = list(dict.fromkeys(fault for error in errors for fault in _of(error)))
    paths = {(*fault.path[:-1], fault.hint.removeprefix(_MEANT).rstrip("?")) for fault in items if _MEANT in fault.hint}
    return [fault for fault in items if fault.path not in paths or fault.message != _MISSING]


_MEANT, _MISSING = "did you mean ", "it is missing"


def _of(error: jsonschema.ValidationError) -> Iterator[Wrong]:
    path = tuple(error.absolute_path)
    if error.context:
        yield from _closest(error, path)
    elif error.validator == "additionalProperties":
        yield from _extra(error, path)
    elif error.validator == "required":
        match = re.match(r"'(.*)' is a required property", error.message)
        name = match[1] if match else ""
        yield Wrong((*path, name), _MISSING, f"add {name}")
    else:
        yield Wrong(path, *_words(error))


def _closest(error: jsonschema.ValidationError, path: tuple[str | int, ...]) -> Iterator[Wrong]:
    alternatives: dict[str | int, list[jsonschema.ValidationError]] = {}
    for item in error.context or ():
        alternatives.setdefault(item.schema_path[0], []).append(item)
    of_its_kind = [errors for errors in alternatives.values() if not any(map(_another_kind, errors))]
    if not of_its_kind:
        mismatches = [item for errors in alternatives.values() for item in errors if _another_kind(item)]
        yield Wrong(path, *_other_kind(error.instance, mismatches))
    elif all(len(errors) == 1 and errors[0].validator == "required" for errors in of_its_kind):
        paths = [next(_of(errors[0])).path for errors in of_its_kind]
        yield Wrong(paths[0], _MISSING, f"add {_or([str(path[-1]) for path in dict.fromkeys(paths)])}")
    else:
        for item in max(of_its_kind, key=lambda errors: (max(len(item.path) for item in errors), -len(errors))):
            yield from _of(item)


def _another_kind(error: jsonschema.ValidationError) -> bool:
    """Tells whether an alternative is out of the question: it is for values of another type, or for certain words."""
    if error.path:
        return False
    if error.context:
        return all(map(_another_kind, error.context))
    if error.validator == "oneOf":  # What is no mapping fits every alternative that is told by its keys.
        return not isinstance(error.instance, dict)
    return error.validator in ("type", "enum")


def _other_kind(value: Any, errors: Sequence[jsonschema.ValidationError]) -> tuple[str, str]:
    types, words = [], []
    for error in errors:
        for item in [error, *(error.context or ())]:
            if item.validator == "type":
                types += item.validator_value if isinstance(item.validator_value, list) else [item.validator_value]
            elif item.validator == "enum":
                words += item.validator_value
            elif item.validator == "oneOf" and not item.context:
                types.append("object")
    if words and not (isinstance(value, str) and "string" in types):
        return _no_such_word(value, words, types)
    return _no_such_type(value, types)


def _no_such_type(value: Any, types: Sequence[str]) -> tuple[str, str]:
    types = list(dict.fromkeys(types))
    kinds = _or([_TYPES[name] for name in types if name != "null"] or [_TYPES["null"]])
    if value is None:
        return "it has no value", f"give it {kinds}, or remove it"
    return f"it is {shown(value)}, and must be {kinds}", _cure(value, types) or f"make it {kinds}"


def _cure(value: Any, types: Sequence[str]) -> str:
    if "string" in types:
        if isinstance(value, bool):
            return "put it in quotes: YAML reads yes, no, on and off as true and false"
        if isinstance(value, dict) and len(value) == 1:
            return "a colon and a space make a mapping of it: put it in quotes"
        if not isinstance(value, dict | list):
            return "put it in quotes"
    if isinstance(value, str):
        if value.isdigit() and {"integer", "number"} & set(types):
            return "take the quotes away"
        if value.lower() in ("true", "false", "yes", "no") and "boolean" in types:
            return "true or false, without quotes"
        if "array" in types:
            return f"make it a list: [{value}]" if len(value) < 40 else "make it a list: put - before it"
    if isinstance(value, dict) and "array" in types:
        return "make it a list: put - before each"
    return ""


def _no_such_word(value: Any, words: Sequence[Any], types: Sequence[str]) -> tuple[str, str]:
    choices = ", ".join(dict.fromkeys(map(_yaml, words)))
    also = "".join(f", or {_TYPES[name]}" for name in dict.fromkeys(types) if name not in ("null", "string"))
    if value is None:
        return "it has no value", f"one of: {choices}{also}"
    if isinstance(value, bool):
        return f"it is {shown(value)}, as YAML reads yes, no, on and off", f"one of: {choices}{also}; words in quotes"
    return f"{shown(value)} is none of its values", f"one of: {choices}{also}"


def _extra(error: jsonschema.ValidationError, path: tuple[str | int, ...]) -> Iterator[Wrong]:
    schema: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    properties, forms = schema.get("properties", {}), list(schema.get("patternProperties", {}))
    value: Any = error.instance
    for key in value:
        if key not in properties and not any(re.search(form, str(key)) for form in forms):
            spellings = {str(name).replace("-", "_") for name in value}
            candidates = [name for name in properties if name.replace("-", "_") not in spellings]
            yield Wrong((*path, str(key)), "there is no such key here", _known(str(key), candidates, forms))


def _known(key: str, names: Sequence[str], forms: Sequence[str]) -> str:
    if near := nearest(key, names):
        return f"{_MEANT}{near}?"
    if forms:
        return f"a key is of the form {' or '.join(forms)}"
    return f"known are: {', '.join(names)}" if 0 < len(names) <= _LISTED else "remove it"


def nearest(name: str, names: Iterable[str]) -> str:
    """Returns the one of `names` that `name` looks like, or ""."""
    # Of a name in two spellings the one with _ is not the deprecated one.
    names = sorted(names, key=lambda spelling: "-" in spelling)
    by_form = {spelling.replace("-", "_").lower(): spelling for spelling in reversed(names)}
    if twin := by_form.get(name.replace("-", "_").lower()):
        return twin
    return next(iter(alike(name, names, cutoff=0.75)), "")


def _words(error: jsonschema.ValidationError) -> tuple[str, str]:
    value: Any = error.instance
    limit: Any = error.validator_value
    match error.validator:
        case "type":
            if error.absolute_path and error.absolute_path[-1] == "permissions" and type(value) is int:
                return f"YAML reads it as the number {value}", f"in quotes: '{_mode(value)}'"
            return _no_such_type(value, limit if isinstance(limit, list) else [limit])
        case "enum":
            return _no_such_word(value, limit, [])
        case "format" if limit in _FORMATS:
            return _FORMATS[limit]
        case "pattern":
            return f"{shown(value)} is not of the form that is asked for", f"the form: {limit}"
        case "minItems" | "minProperties" | "minLength":
            message = "it is empty" if not value else f"it has {len(value)}, and needs {limit} or more"
            return message, "give it a value, or remove it" if not value else "add to it"
        case "maxItems" | "maxProperties" | "maxLength":
            return f"it has {len(value)}, and may have {limit} at most", "shorten it"
        case "minimum" | "maximum":
            return f"{value} is out of range", f"{'at least' if error.validator == 'minimum' else 'at most'} {limit}"
        case "uniqueItems":
            return "an item is in it twice", "keep one"
        case "not" if isinstance(limit, dict) and "required" in limit:
            return f"{' and '.join(limit['required'])} exclude each other", f"keep {limit['required'][0]}"
        case "oneOf":
            names = [name for branch in limit if isinstance(branch, dict) for name in branch.get("required", ())]
            keys = sorted({name for name in names if isinstance(value, dict) and name in value})
            return (
                "it is two things at once",
                f"keep one of: {', '.join(keys)}" if keys else "keep one of them",
            )
    return error.message.splitlines()[0][:200], "see cloud-init's module reference"


def _mode(value: int) -> str:
    """Returns the file mode that was meant: YAML makes 420 of 0644, and 644 is one without its 0."""
    return f"0{value}" if re.fullmatch("[0-7]{3}", str(value)) and value > 0o777 else f"0{value:o}"


def shown(value: Any) -> str:
    """Returns a value of YAML as it is shown in a message, however long it is."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, bool | None):
        return _yaml(value)
    if isinstance(value, int | float):
        return f"the number {value}"
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:37]}…")


def _yaml(value: Any) -> str:
    return {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)


def _or(words: Sequence[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))

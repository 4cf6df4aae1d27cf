"""Check options against the types that a class's signature gives them."""

import builtins
import inspect
import typing
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from segmentation.errors import ConfigError


def check_types(name: str, cls: type, options: Mapping[str, Any], skip: Iterable[str] = ()) -> None:
    """Check the types of options before a class that does not check them is built.

    Args:
        name: of the section, such as ``"trainer"``.
        cls: takes the options as arguments.
        options: plain values; those that the signature does not have are left to the class.
        skip: options that are not checked.

    Raises:
        ConfigError: an option has another type.
    """
    try:
        hints = get_type_hints(vars(cls).get("__init__", cls))
    except Exception:  # names that only a type checker imports
        return
    parameters = inspect.signature(cls).parameters
    for key in options.keys() & parameters.keys() & hints.keys() - set(skip):
        if not _fits(hints[key], options[key]):
            annotation = inspect.formatannotation(parameters[key].annotation)
            raise _type_error(f"{name}.{key}", options[key], annotation)


def check_annotated(
    name: str, annotations: Mapping[str, str], options: Mapping[str, Any], skip: Iterable[str] = ()
) -> None:
    """Check the types of options by what a source writes of them, see `arguments_of`.

    Annotations of other types than Python's own are not checked.

    Args:
        name, options, skip: as in `check_types`.
        annotations: of each argument.

    Raises:
        ConfigError: an option has another type.
    """
    for key in options.keys() & annotations.keys() - set(skip):
        try:
            hint = eval(annotations[key], {**vars(typing), **vars(builtins)})
        except (NameError, SyntaxError):  # a class of the package, or no annotation
            continue
        if not _fits(hint, options[key]):
            raise _type_error(f"{name}.{key}", options[key], annotations[key])


def _type_error(option: str, value: Any, annotation: str) -> ConfigError:
    expected = annotation.replace("NoneType", "null").replace("None", "null")
    return ConfigError(f"{option}={value!r}: expected {expected}.")


def _fits(hint: Any, value: Any) -> bool:
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, strict=True))
    except (PydanticUserError, TypeError, ValueError):  # no type that can be checked
        return True
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True

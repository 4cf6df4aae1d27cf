"""Check options against the types that a class's signature gives them."""

import inspect
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
            expected = inspect.formatannotation(parameters[key].annotation)
            expected = expected.replace("NoneType", "null").replace("None", "null")
            raise ConfigError(f"{name}.{key}={options[key]!r}: expected {expected}.")


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

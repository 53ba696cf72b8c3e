"""Checks at the public door: an argument of a wrong kind is one clear line, not an error from somewhere inside.

Types of this package, and of others but NumPy, pandas and torch, are not checked to the letter, so that another object
with the same methods can stand for one.
"""

import inspect
import io
import os
import sys
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache, wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from anclaf.core.errors import ConfigError

Function = TypeVar("Function", bound=Callable[..., Any])

_WORDS = {float: "a number", int: "a whole number", bool: "True or False", str: "a text", Path: "a path"}
_TO_THE_LETTER = ("builtins", "numpy", "pandas", "torch", "PIL")
"""Packages whose types nothing else stands for."""


def checked(function: Function) -> Function:
    """Decorates a public function: its arguments are checked against the types of its parameters.

    A text where a path belongs becomes one, a list of numbers where an array belongs likewise.

    Raises:
        ConfigError: when it is called with an argument of another kind: which, what was got, and what is expected.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        kinds = _kinds(function)
        for name, value in bound.arguments.items():
            if name in kinds and signature.parameters[name].kind not in _SEVERAL:
                bound.arguments[name] = _fitting(f"{function.__name__}: {name}", value, kinds[name])
        return function(*bound.args, **bound.kwargs)

    return cast(Function, call)


_SEVERAL = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@cache
def _kinds(function: Callable[..., Any]) -> dict[str, Any]:
    return get_type_hints(function)


def _fitting(name: str, value: Any, kind: Any) -> Any:
    """The value, as a path or array where it stands for one.

    Raises:
        ConfigError: it is of another kind.
    """
    kinds = _alternatives(kind)
    if any(_fits(value, one) for one in kinds):
        return value
    if Path in kinds and isinstance(value, str) and value.strip():
        return Path(value)
    if (
        any(_is_array(one) for one in kinds)
        and isinstance(value, list | tuple)
        and (array := _array(value)) is not None
    ):
        return array
    expected = " or ".join(dict.fromkeys(_words(one) for one in kinds))
    raise ConfigError(f"{name}: got {described(value)}; expected {expected}")


def _alternatives(kind: Any) -> tuple[Any, ...]:
    if get_origin(kind) in (Union, types.UnionType) and not _is_array_like(kind):
        return tuple(inner for one in get_args(kind) for inner in _alternatives(one))
    return _alternatives(get_args(kind)[0]) if get_origin(kind) is Annotated else (kind,)


def _fits(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if _is_array_like(kind):
        return not isinstance(value, str | bytes) and value is not None and _array(value) is not None
    if kind in (Any, object):
        return True
    if kind in (None, type(None)):
        return value is None
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if kind is float:
        return isinstance(value, Real) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, Integral) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, os.PathLike)
    if origin is Callable or kind is Callable:
        return callable(value)
    if _is_array(kind):
        return isinstance(value, origin) and value.dtype.kind in "biuf"
    if inner == (str,) and hasattr(value, "dtype") and hasattr(value, "shape"):
        # a column of texts, which NumPy and pandas may hold as objects
        return len(value.shape) == 1 and value.dtype.kind in "OTU" and all(isinstance(one, str) for one in value)
    if isinstance(origin, type):
        return isinstance(value, origin) and not _is_one(value) and _holds(value, origin, inner)
    if not isinstance(kind, type):  # a type variable
        return True
    if getattr(kind, "_is_protocol", False):
        wanted = [name for name in vars(kind) if name == "__call__" or not name.startswith("_")]
        return all(hasattr(value, name) for name in wanted) and not isinstance(value, type)
    if kind.__module__.partition(".")[0] in _TO_THE_LETTER or isinstance(value, kind):
        return isinstance(value, kind)
    return isinstance(value, types.SimpleNamespace) or not _is_of(value, {*_TO_THE_LETTER, *sys.stdlib_module_names})


def _is_of(value: Any, packages: Collection[str]) -> bool:
    return isinstance(value, type) or type(value).__module__.partition(".")[0] in packages


def _is_one(value: Any) -> bool:
    """Whether something that can be gone through stands for one thing: a text, an open file, an array, a table."""
    return isinstance(value, str | bytes | io.IOBase) or hasattr(value, "shape")


def _holds(value: Any, origin: type, inner: tuple[Any, ...]) -> bool:
    """Whether what is in a list, tuple or dict is of the right kind; what is read once, such as an iterator, is not
    looked into."""
    if issubclass(origin, Mapping) and len(inner) == 2:
        return all(
            any(_fits(one, k) for k in _alternatives(kind))
            for pair in value.items() for one, kind in zip(pair, inner, strict=True)
        )  # fmt: skip
    if not isinstance(value, list | tuple | set | dict) or not inner or not issubclass(origin, Iterable):
        return True
    if origin is tuple and inner[-1] is not Ellipsis:
        return len(value) == len(inner) and all(_fits(one, kind) for one, kind in zip(value, inner, strict=True))
    kinds = _alternatives(inner[0])
    return all(any(_fits(one, kind) for kind in kinds) for one in value)


def _is_array(kind: Any) -> bool:
    return getattr(get_origin(kind), "__name__", "") == "ndarray"


def _is_array_like(kind: Any) -> bool:
    """Whether this is NumPy's ArrayLike, which is a union of a dozen types."""
    return get_origin(kind) in (Union, types.UnionType) and any("_array_like" in repr(one) for one in get_args(kind))


def _array(value: Any) -> Any:
    """Numbers as an array, or None where a value holds something else."""
    import numpy as np

    try:
        array = np.asarray(value)
        return array if array.dtype.kind in "biuf" else np.asarray(value, np.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def _words(kind: Any) -> str:
    origin = get_origin(kind)
    if _is_array_like(kind) or _is_array(kind):
        return "an array of numbers"
    if origin is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if kind in _WORDS:
        return _WORDS[kind]
    if origin is Callable or ("__call__" in getattr(kind, "__dict__", ()) and getattr(kind, "_is_protocol", False)):
        return "a function"
    if isinstance(origin, type):
        several = [one for one in get_args(kind) if one is not Ellipsis]
        of = f" of {', '.join(_words(one) for one in several)}" if several else ""
        name = {Sequence: "a sequence", Iterable: "several", Mapping: "a mapping"}.get(origin, f"a {origin.__name__}")
        return name + of
    return "None" if kind in (None, type(None)) else f"a {getattr(kind, '__name__', kind)}"


def described(value: Any) -> str:
    """What something is, in a few words: `a tensor of shape (3, 4, 4)`, `None`, `a DataFrame`."""
    if value is None:
        return "None"
    if hasattr(value, "shape") and not isinstance(value, type):
        return f"a {type(value).__name__} of shape {tuple(value.shape)}"
    if isinstance(value, type) or inspect.isroutine(value):
        return getattr(value, "__name__", "a function")
    text = repr(value) if isinstance(value, str | bytes | Real | Path | list | tuple | dict) else ""
    return text if text and len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"

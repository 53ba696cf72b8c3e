"""The base class of settings (`anclaf.config`): checked on construction, to and from JSON, changed by name."""

import ast
import inspect
import math
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from anclaf.core.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """Allowed numbers, ends included unless `above` or `below` says otherwise. In `Annotated` of a field.

    or_zero: 0 is allowed too, and stands for none.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    or_zero: bool = False

    def __contains__(self, value: float) -> bool:
        if self.or_zero and value == 0:
            return True
        over = value > self.low if self.above else value >= self.low
        return over and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        ends = []
        if self.low > -math.inf:
            ends.append(f"above {self.low:g}" if self.above else f"{self.low:g} or more")
        if self.high < math.inf:
            ends.append(f"below {self.high:g}" if self.below else f"{self.high:g} or less")
        return (" and ".join(ends) or "any number") + (", or 0" if self.or_zero else "")


@dataclass(frozen=True)
class Settings:
    """Fields are checked against their types and ranges on construction.

    Raises:
        ConfigError: a value of another type, or out of range: what was got and what is allowed.
    """

    section: ClassVar[str] = ""
    """Where the fields are set, as on the command line."""

    def __post_init__(self) -> None:
        for name, kind in _kinds(type(self)).items():
            _check(f"{self.section}.{name}".lstrip("."), getattr(self, name), kind)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The settings of which `asdict` gave this.

        Raises:
            ConfigError: a field is missing or unknown, or has a value that is not allowed.
        """
        kinds = _kinds(cls)
        if odd := sorted(content.keys() ^ kinds.keys()):
            what = "unknown" if odd[0] in content else "missing"
            raise ConfigError(f"{cls.section or cls.__name__}: {odd[0]} is {what}")
        return cls(**{name: _from_json(content[name], kind) for name, kind in kinds.items()})

    @classmethod
    def texts(cls) -> dict[str, str]:
        """The text below each field, as one line; of a class that is not within another or a function."""
        return _texts(cls.__module__)[cls.__name__]

    @classmethod
    def kinds(cls) -> dict[str, Any]:
        """The type of each field, with its `Range` in `Annotated`."""
        return _kinds(cls)

    def flat(self) -> dict[str, Any]:
        """Every single setting by its name, such as `augmentation.flip`."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            inner = value.flat() if isinstance(value, Settings) else None
            found |= {one.name: value} if inner is None else {f"{one.name}.{name}": v for name, v in inner.items()}
        return found

    def differences(self, before: Self) -> dict[str, Any]:
        """The single settings, as in `flat`, that are others than they were before."""
        then = before.flat()
        return {name: value for name, value in self.flat().items() if then[name] != value}

    def changed(self, changes: Mapping[str, Any], path: str = "") -> Self:
        """These settings with single ones changed.

        Args:
            changes: name as in `flat` -> value, as Python or JSON has it. path: where these settings are themselves.

        Raises:
            ConfigError: no such setting, or a value that is not allowed.
        """
        kinds, own, inner = _kinds(type(self)), dict[str, Any](), dict[str, dict[str, Any]]()
        for name, value in changes.items():
            first, _, rest = name.partition(".")
            kind = kinds.get(first)
            if kind is None or bool(rest) != _nested(kind):
                raise ConfigError(f"{path}{name}: no such setting")
            if rest:
                inner.setdefault(first, {})[rest] = value
            else:
                own[first] = _from_json(value, kind)
                _check(path + first, own[first], kind)
        for first, part in inner.items():
            own[first] = getattr(self, first).changed(part, f"{path}{first}.")
        return replace(self, **own)


@cache
def _kinds(cls: type[Settings]) -> dict[str, Any]:
    hints = get_type_hints(cls, include_extras=True)
    return {one.name: hints[one.name] for one in fields(cls)}


@cache
def _texts(module: str) -> dict[str, dict[str, str]]:
    """The texts below the fields of each class of a module."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(node, ast.ClassDef):
            texts = found[node.name] = {}
            for line, below in pairwise(node.body):
                match line, below:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                        texts[name] = " ".join(text.split())
    return found


def _nested(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Settings)


def _from_json(value: Any, kind: Any) -> Any:
    if _nested(kind) and isinstance(value, Mapping):
        return kind.from_json(value)
    return tuple(value) if get_origin(kind) is tuple and isinstance(value, list) else value


def _check(name: str, value: Any, kind: Any) -> None:
    """Raise ConfigError unless a value is of a kind: a plain type, Literal, Annotated with a Range, tuple, dict, or
    one of several."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        _check(name, value, arguments[0])
        for limit in arguments[1:]:
            if isinstance(limit, Range) and value not in limit:
                raise ConfigError(f"{name}: got {value!r}; expected {limit}")
    elif origin is Literal:
        if value not in arguments:
            raise ConfigError(f"{name}: got {value!r}; expected one of {', '.join(map(str, arguments))}")
    elif origin in (Union, types.UnionType):
        if value is not None or type(None) not in arguments:
            _check(name, value, next(one for one in arguments if one is not type(None)))
    elif origin is tuple:
        if not isinstance(value, tuple):
            raise ConfigError(f"{name}: got {value!r}; expected a sequence")
        for one in value:
            _check(name, one, arguments[0])
    elif origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{name}: got {value!r}; expected names with numbers")
        for key, one in value.items():
            _check(f"{name} {key}", key, arguments[0])
            _check(f"{name} {key}", one, arguments[1])
    elif kind is float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
            raise ConfigError(f"{name}: got {value!r}; expected a finite number")
    elif not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{name}: got {value!r}; expected {_NAMES.get(kind, kind.__name__)}")


_NAMES = {int: "a whole number", bool: "true or false", str: "a text"}

"""`--config.*`: every setting of a recipe as a flag, the same for one run and for a grid of runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from anclaf.comparators.registry import COMPARATORS
from anclaf.config import RunConfig
from anclaf.core.settings import Range, Settings
from anclaf.recipes import ABLATIONS, RECIPES, make_run


@dataclass(frozen=True)
class Overrides:
    """Settings in place of the recipe's; None leaves the recipe's own."""

    def stated(self) -> dict[str, Any]:
        """Those that are not None, by names such as `stage1.steps`, as `make_run` takes them."""
        found: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Overrides):
                found |= {f"{one.name}.{name}": inner for name, inner in value.stated().items()}
            elif value is not None:
                found[one.name] = value
        return found


def recipes_text() -> str:
    """The recipes, each with the first line of what it says of itself, and what can be added to their names."""
    lines = [f"{name}: {(function.__doc__ or '').partition(chr(10))[0]}" for name, function in RECIPES.items()]
    ablations = f"With one or more ablations, as in small+no-quadrant: {', '.join(ABLATIONS)}."
    return "\n\n".join([*lines, ablations])


VARIANTS_TEXT = (
    "all, or names with commas between: base,S-8,SA-8. What they start from is trained too, and with each SA-n its "
    "control S-n+: S-n, trained as much further as SA-n. S-8-direct is S-8 without the curriculum, trained as long."
)
"""Help of --variants."""


def comparators_text() -> str:
    """How comparators are named."""
    names = ", ".join(COMPARATORS.names())
    return f"quick (those that take seconds), all, none, or some, with commas between: {names}."


def _mirror(settings: type[Settings], values: Mapping[str, Settings], without: tuple[str, ...] = ()) -> type[Overrides]:
    """A dataclass with a flag for each setting.

    Args:
        values: of the recipes, by their names.
        without: names of fields that have no flag here.
    """
    texts, plain, made = settings.texts(), get_type_hints(settings), list[tuple[str, Any, Any]]()
    for name, kind in settings.kinds().items():
        inner = {recipe: getattr(value, name) for recipe, value in values.items()}
        if name in without:
            continue
        if isinstance(kind, type) and issubclass(kind, Settings):
            nested = _mirror(kind, inner)
            made.append((name, nested, field(default_factory=nested)))
        else:
            hint = f"({'; '.join([*_limits(kind), _defaults(inner)])})"
            metavar = None if kind is bool else _metavar(plain[name])
            about = tyro.conf.arg(help=texts[name], help_behavior_hint=hint, metavar=metavar)
            made.append((name, Annotated[plain[name] | None, about, *_choice(kind)], None))
    name = f"{settings.__name__}Overrides"
    return make_dataclass(name, made, bases=(Overrides,), frozen=True, namespace={"__doc__": settings.__doc__})


def _choice(kind: Any) -> list[PrimitiveConstructorSpec[str | None]]:
    """How one of several words is read. Left to itself, tyro offers `None` among them."""
    if get_origin(kind) is not Literal:
        return []
    words = get_args(kind)
    return [
        PrimitiveConstructorSpec(
            nargs=1, metavar=_metavar(kind), choices=words, instance_from_str=lambda given: given[0],
            is_instance=lambda value: value is None or value in words, str_from_instance=lambda value: [str(value)],
        )
    ]  # fmt: skip


def _limits(kind: Any) -> list[str]:
    """What numbers are allowed, in words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return [str(limit) for limit in arguments[1:] if isinstance(limit, Range)]
    return [text for one in arguments for text in _limits(one)] if origin in (tuple, dict) else []


def _metavar(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return f"{{{','.join(arguments)}}}"
    if origin in (tuple, dict):
        name = "NAME " if origin is dict else ""
        return f"[{name}{_metavar(arguments[origin is dict])} ...]"
    return kind.__name__.upper()


def _defaults(values: Mapping[str, Any]) -> str:
    """The recipes' values: one where they agree."""
    texts = {recipe: _text(value) for recipe, value in values.items()}
    if len({*texts.values()}) == 1:
        return f"default: {next(iter(texts.values()))}"
    return f"default: {', '.join(f'{recipe} {text}' for recipe, text in texts.items())}"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(_text, value))
    if isinstance(value, dict):
        return " ".join(f"{name} {_text(one)}" for name, one in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


if TYPE_CHECKING:
    ConfigOverrides = Overrides
else:
    # the seed is a flag of its own, and a recipe's name no setting
    ConfigOverrides = _mirror(RunConfig, {name: make_run(name) for name in RECIPES}, without=("seed",))
    ConfigOverrides.__doc__ = "Single settings in place of the recipe's own. Names as in run.json."

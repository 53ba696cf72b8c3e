"""Settings: random ones are refused in one line or survive JSON; each has a text; recipes differ from none of it."""

import json
import math
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass, replace
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from docstring_parser import parse_from_object
from hypothesis import event, given, settings
from hypothesis import strategies as st

from anclaf import config as module
from anclaf.config import (
    AugmentationConfig,
    ComparatorConfig,
    ModelConfig,
    OutputOptions,
    Range,
    RunConfig,
    Settings,
    Stage1Config,
    Stage2Config,
    StreamOptions,
)
from anclaf.core.errors import ConfigError
from anclaf.recipes import ABLATIONS, RECIPES, make_run

CLASSES = [
    one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Settings) and one is not Settings
]


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a field, most of them of its type, in range or not."""
    origin, arguments = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Settings):
        return st.fixed_dictionaries({}, optional=_fields(kind)).map(lambda changes: (kind, changes))
    if origin is Annotated:
        limits = [limit for limit in arguments[1:] if isinstance(limit, Range)]
        ends = [end for limit in limits for end in (limit.low, limit.high) if math.isfinite(end)]
        near = [arguments[0](end + step) for end in ends for step in (-1, 0, 1)]
        return st.one_of(_values(arguments[0]), st.sampled_from(near)) if near else _values(arguments[0])
    if origin is Literal:
        return st.sampled_from([*arguments, "nonsense", None])
    if origin is tuple:
        return st.lists(_values(arguments[0]), max_size=4).map(tuple)
    if origin is dict:
        return st.dictionaries(st.sampled_from(["own", "other"]), _values(arguments[1]), max_size=2)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-3, 200),
        float: st.one_of(st.floats(-1, 3), st.sampled_from([math.nan, math.inf, 0, 1, True, "1"])),
        bool: st.sampled_from([True, False, 0, "yes"]),
        str: st.text(max_size=5),
    }
    return plain[kind]


def _fields(cls: type[Settings]) -> dict[str, st.SearchStrategy[Any]]:
    hints = get_type_hints(cls, include_extras=True)
    return {one.name: _values(hints[one.name]) for one in fields(cls)}


def _made(cls: type[Settings], changes: dict[str, Any]) -> Any:
    made = {
        name: _made(*value) if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], type) else value
        for name, value in changes.items()
    }
    return cls(**made)


@settings(max_examples=400, deadline=None)
@given(st.fixed_dictionaries({}, optional=_fields(RunConfig)))
def test_random_settings_are_refused_in_one_line_or_survive_json(changes: dict[str, Any]):
    config = error = None
    try:
        config = _made(RunConfig, changes)
    except ConfigError as refused:
        error = str(refused)
    event("refused" if config is None else "made")
    if config is None:
        assert re.fullmatch(r".+: got .+; expected .+", error or ""), error
        return
    again = RunConfig.from_json(json.loads(json.dumps(config.to_json(), allow_nan=False)))
    assert again == config
    assert again.to_json() == config.to_json()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RunConfig(seed=-1), "seed: got -1; expected 0 or more"),
        (lambda: RunConfig(lengths=(4, 2)), r"lengths: got \(4, 2\)"),
        (lambda: RunConfig(lengths=(1,)), "lengths: got 1; expected 2 or more"),
        (lambda: RunConfig(lengths=()), "lengths: got"),
        (lambda: Stage1Config(batch_size=3), r"stage1\.batch_size: got 3; expected 4 or more"),
        (lambda: Stage1Config(lr=0.0), r"stage1\.lr: got 0\.0; expected above 0"),
        (lambda: Stage1Config(ema_decay=1.0), r"stage1\.ema_decay: got 1\.0; expected 0 or more and below 1"),
        (lambda: Stage1Config(steps=2.5), r"stage1\.steps: got 2\.5; expected a whole number"),  # type: ignore[arg-type]
        (lambda: Stage1Config(steps=True), r"stage1\.steps: got True; expected a whole number"),
        (lambda: Stage1Config(lr=math.nan), r"stage1\.lr: got nan; expected a finite number"),
        (lambda: Stage1Config(max_class_weight=0.9), r"max_class_weight: got 0\.9; expected 1 or more"),
        (lambda: Stage1Config(terms={"own": -1.0}), r"stage1\.terms own: got -1\.0; expected 0 or more"),
        (lambda: Stage1Config(adversarial_loss="lsgan"), "got 'lsgan'; expected one of gan, minimax, wgan-gp, none"),  # type: ignore[arg-type]
        (lambda: Stage2Config(windows_per_step=3), r"stage2\.windows_per_step: got 3; expected 4 or more"),
        (lambda: Stage2Config(frames_per_step=7), r"stage2\.frames_per_step: got 7; expected 8 or more"),
        (lambda: Stage2Config(dropout=1.0), r"stage2\.dropout: got 1\.0"),
        (lambda: ModelConfig(image_size=48), "got 48; expected a power of two"),
        (lambda: AugmentationConfig(flip=1.5), "flip: got 1.5; expected 0 or more and 1 or less"),
        (lambda: ComparatorConfig(Stage1Config(terms={"own": 1.0})), "terms: got own; expected none"),
        (lambda: StreamOptions(faces="some"), "faces: got 'some'; expected one of all, largest"),  # type: ignore[arg-type]
        (lambda: OutputOptions(overwrite=True, resume=True), "contradict each other"),
    ],
)
def test_what_is_refused(make: Any, message: str):
    with pytest.raises(ConfigError, match=message):
        make()


def test_json_that_is_none_of_ours():
    content = RunConfig().to_json()
    for change, message in (({"colour": 1}, "colour is unknown"), ({"seed": -2}, "seed: got -2")):
        with pytest.raises(ConfigError, match=message):
            RunConfig.from_json(content | change)
    del content["stage1"]["lr"]
    with pytest.raises(ConfigError, match="stage1: lr is missing"):
        RunConfig.from_json(content)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_field_has_a_text(cls: type[Settings]):
    texts = {one.args[1]: one.description for one in parse_from_object(cls).params}
    for one in fields(cls):
        assert texts.get(one.name), f"{cls.__name__}.{one.name} has no docstring"
        assert is_dataclass(cls)


@pytest.mark.parametrize("name", [*RECIPES, *(f"small+{ablation}" for ablation in ABLATIONS)])
def test_recipes_survive_json(name: str):
    config = make_run(name, 5)
    assert config.seed == 5
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert replace(config, seed=0) == make_run(name)


def test_no_recipe_without_a_text():
    for function in (*RECIPES.values(), *ABLATIONS.values()):
        assert function.__doc__


def test_settings_need_no_torch():
    script = (
        "import sys, anclaf.config, anclaf.recipes; print(*(sys.modules.keys() & {'torch', 'numpy', 'pandas', 'cv2'}))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []

"""`metrics.json` from predictions tables: its shape, numbers, comparisons and refusals; and the check for leaks."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from anclaf.config import ModelConfig
from anclaf.core.errors import CorpusError, LeakError
from anclaf.core.files import write_json
from anclaf.core.people import digests
from anclaf.data.store import CorpusCard
from anclaf.evaluation.scores import COLUMNS, refuse_leak, run_scores
from anclaf.metrics.regression import METRICS, metrics
from anclaf.models.spec import ModelSpec

CARD = CorpusCard(
    "sewa", 0.0, 1.0, "five-point", 64, 50.0, 240, 12, 12, 49, "none", {}, ["a note"], {}, {}, "0123456789abcdef"
)
LABELS = {"ridge-1": "ridge, 1 frame", "ridge-8": "ridge, 8 frames", "mean": "training mean"}
ERRORS = {"base": 0.3, "S-8": 0.2, "SA-8": 0.1, "SA-4": 0.1, "ridge-1": 0.35, "ridge-8": 0.2}


def fold_table(fold: int, subjects: int = 6, frames: int = 20) -> pd.DataFrame:
    """A fold's predictions; `mean` is the one constant."""
    rng = np.random.default_rng(fold)
    n = subjects * frames
    labels = rng.uniform(0, 1, (n, 2))
    rows = pd.DataFrame(
        {
            "clip": np.repeat([f"f{fold}c{i}" for i in range(subjects)], frames),
            "subject": np.repeat([f"f{fold}s{i}" for i in range(subjects)], frames),
            "frame": np.tile(np.arange(frames), subjects),
            "time_s": np.tile(np.arange(frames) / 50, subjects),
            "valence": labels[:, 0],
            "arousal": labels[:, 1],
        }
    )
    tables = [
        rows.assign(variant=name, **{f"{d}_hat": rows[d] + rng.normal(0, error, n) for d in ("valence", "arousal")})
        for name, error in ERRORS.items()
    ]
    tables.append(rows.assign(variant="mean", valence_hat=0.5, arousal_hat=0.4 + 0.1 * fold))
    return pd.concat(tables)[list(COLUMNS)]


@pytest.fixture(scope="module")
def tables() -> dict[int, pd.DataFrame]:
    return {0: fold_table(0), 1: fold_table(1)}


@pytest.fixture(scope="module")
def result(tables) -> dict:
    return run_scores(tables, "my sewa", CARD, "strict", "sliding", LABELS, resamples=200)


def test_a_kind_that_is_not_installed_is_scored(tables):
    renamed = {fold: table.replace({"variant": {"SA-8": "GRU-8"}}) for fold, table in tables.items()}
    got = run_scores(renamed, "my sewa", CARD, "strict", "sliding", LABELS, resamples=20)
    assert "GRU-8" in got["variants"]
    pairs = {(pair["a"], pair["b"]) for pair in got["paired"]}
    assert {("GRU-8", "base"), ("GRU-8", "ridge-1")} <= pairs
    assert ("GRU-8", "S-8") not in pairs


def test_shape(result):
    assert result["protocol"] == "strict"
    assert result["windows"] == "sliding"
    assert result["folds"] == [0, 1]
    assert result["corpus"]["name"] == "my sewa"
    assert result["corpus"]["fingerprint"] == CARD.fingerprint
    assert list(result["variants"]) == ["base", "S-8", "SA-8", "SA-4"]
    assert list(result["comparators"]) == ["ridge-1", "ridge-8", "mean"]
    assert {name: entry["label"] for name, entry in result["comparators"].items()} == LABELS
    for one in (*result["variants"].values(), *result["comparators"].values()):
        assert one["frames"] == 240
        assert one["subjects"] == 12
        assert one["per_clip"]["clips"] == 12
        for dimension in ("valence", "arousal", "mean"):
            assert set(one[dimension]) == {*METRICS, "ci95"}
            assert set(one[dimension]["ci95"]) == set(METRICS)
            assert set(one["per_clip"][dimension]) == set(METRICS)
            assert [(fold["fold"], fold["frames"]) for fold in one["folds"]] == [(0, 120), (1, 120)]
            of_folds = [fold[dimension] for fold in one["folds"]]
            means = {m: np.mean([values[m] for values in of_folds]) for m in METRICS}
            assert one["fold_mean"][dimension] == pytest.approx(means, nan_ok=True)


def test_numbers_are_the_metrics_of_the_frames(result, tables):
    whole = pd.concat(tables.values())
    rows = whole[whole["variant"] == "S-8"]
    got = result["variants"]["S-8"]

    def expected(part: pd.DataFrame, dimension: str) -> dict[str, float]:
        return metrics(part[f"{dimension}_hat"].to_numpy(), part[dimension].to_numpy(), middle=0.5)

    for dimension in ("valence", "arousal"):
        pooled = {m: got[dimension][m] for m in METRICS}
        assert pooled == pytest.approx(expected(rows, dimension), abs=1e-9)
        for fold in (0, 1):
            part = tables[fold].query("variant == 'S-8'")
            assert got["folds"][fold][dimension] == pytest.approx(expected(part, dimension), abs=1e-9)
        clips = [expected(part, dimension) for _, part in rows.groupby("clip")]
        mean = {m: np.mean([clip[m] for clip in clips]) for m in METRICS}
        assert got["per_clip"][dimension] == pytest.approx(mean, abs=1e-9)
    for m in METRICS:
        assert got["mean"][m] == pytest.approx((got["valence"][m] + got["arousal"][m]) / 2)
        low, high = got["valence"]["ci95"][m]
        assert low < got["valence"][m] < high


def test_the_training_mean_has_an_error_and_no_correlation(result):
    mean = result["comparators"]["mean"]
    assert mean["valence"]["rmse"] == pytest.approx(np.sqrt(1 / 12), abs=0.03)
    assert np.isnan(mean["valence"]["ccc"])
    assert np.isnan(mean["valence"]["ci95"]["ccc"]).all()
    # each fold has a mean of its own, so that pooled arousal estimates do vary: little, and about nothing
    assert abs(mean["arousal"]["ccc"]) < 0.2
    assert np.isnan(mean["folds"][0]["arousal"]["ccc"])


def test_clips_with_constant_labels_are_left_out_of_per_clip_correlations(tables):
    table = tables[0].query("variant == 'base'").copy()
    flat = table["clip"] == "f0c0"
    table.loc[flat, "valence"] = 0.25
    got = run_scores({0: table}, "x", CARD, "strict", "sliding", LABELS, resamples=20)["variants"]["base"]["per_clip"]
    others = [
        metrics(part["valence_hat"].to_numpy(), part["valence"].to_numpy(), 0.5)["ccc"]
        for _, part in table[~flat].groupby("clip")
    ]
    assert got["valence"]["ccc"] == pytest.approx(np.mean(others))
    assert got["clips"] == 6


def test_what_is_compared(result):
    pairs = list(dict.fromkeys((one["a"], one["b"]) for one in result["paired"]))
    comparators = [(a, b) for a in ("base", "S-8", "SA-8", "SA-4") for b in ("ridge-1", "ridge-8", "mean")]
    assert pairs == [("S-8", "base"), ("SA-8", "base"), ("SA-4", "base"), ("SA-8", "S-8"), *comparators]
    one = next(
        x
        for x in result["paired"]
        if (x["a"], x["b"], x["dimension"], x["metric"]) == ("SA-8", "base", "arousal", "ccc")
    )
    variants = result["variants"]
    assert one["difference"] == pytest.approx(variants["SA-8"]["arousal"]["ccc"] - variants["base"]["arousal"]["ccc"])
    assert one["ci95"][0] > 0
    assert one["p"] < 0.02


def test_is_the_same_again_and_survives_json(result, tables, tmp_path: Path):
    again = run_scores(tables, "my sewa", CARD, "strict", "sliding", LABELS, resamples=200)
    write_json(tmp_path / "a.json", result)
    write_json(tmp_path / "b.json", again)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    back = json.loads((tmp_path / "a.json").read_text(), parse_constant=refuse)
    assert back["comparators"]["mean"]["valence"]["ccc"] is None
    assert back["variants"]["SA-8"]["arousal"]["ci95"]["ccc"] == pytest.approx(
        result["variants"]["SA-8"]["arousal"]["ci95"]["ccc"]
    )


def test_every_row_is_of_the_frames_that_all_have(tables):
    table = tables[0]
    kept = table[~((table["variant"] == "S-8") & (table["frame"] >= 16))]
    got = run_scores({0: kept}, "x", CARD, "paper", "tumbling", LABELS, resamples=20)
    assert {entry["frames"] for entry in (*got["variants"].values(), *got["comparators"].values())} == {96}
    assert (got["frames"], got["subjects"], got["left_out"]) == (96, 6, [])
    assert {name for name, entry in got["variants"].items() if "all_frames" in entry} == {"base", "SA-8", "SA-4"}
    of_base = got["variants"]["base"]
    for part, frames in ((of_base["all_frames"], 120), (of_base, 96)):
        rows = table[(table["variant"] == "base") & (table["frame"] < frames // 6)]
        assert part["frames"] == frames
        expected = metrics(rows["arousal_hat"].to_numpy(), rows["arousal"].to_numpy(), 0.5)
        assert part["arousal"]["ccc"] == pytest.approx(expected["ccc"], abs=1e-9)
    one = next(x for x in got["paired"] if (x["a"], x["b"], x["metric"]) == ("S-8", "base", "rmse"))
    short = table[table["frame"] < 16]
    s8, base = (
        metrics(
            short.query("variant == @v")["valence_hat"].to_numpy(), short.query("variant == @v")["valence"].to_numpy()
        )
        for v in ("S-8", "base")
    )
    assert one["difference"] == pytest.approx(s8["rmse"] - base["rmse"])
    assert of_base["valence"]["rmse"] == pytest.approx(base["rmse"])


def test_progress_is_told(tables):
    seen: dict[str, list[tuple[int, int]]] = {}

    def progress(done: int, total: int, task: str, note: str = "") -> None:
        seen.setdefault(task, []).append((done, total))

    run_scores(tables, "x", CARD, "strict", "sliding", LABELS, resamples=10, progress=progress)
    assert list(seen) == ["scores", "comparisons"]
    for told in seen.values():
        assert told == [(done, len(told) - 1) for done in range(len(told))], "every step, and the end"


def test_refusals(tables):
    def scores(*parts: pd.DataFrame) -> None:
        run_scores(dict(enumerate(parts)), "x", CARD, "strict", "sliding", LABELS, resamples=10)

    with pytest.raises(CorpusError, match="no predictions to score"):
        scores()
    with pytest.raises(CorpusError, match="no predictions to score"):
        scores(tables[0][:0])
    with pytest.raises(CorpusError, match="predictions of fold 1: no column subject, arousal_hat; expected variant"):
        scores(tables[0], tables[1].drop(columns=["subject", "arousal_hat"]))
    with pytest.raises(CorpusError, match="base has clip f0c0, frame 0 twice"):
        scores(tables[0], tables[0])
    broken = tables[0].copy()
    broken.loc[(broken["variant"] == "SA-8") & (broken["clip"] == "f0c2") & (broken["frame"] == 3), "valence_hat"] = (
        np.nan
    )
    with pytest.raises(CorpusError, match="SA-8 has no finite number for clip f0c2, frame 3"):
        scores(broken)


def test_what_is_a_comparator_is_said_and_not_guessed_from_the_name(tables):
    """A comparator may be called as a kind of model is, and a model as none of ours is."""
    table = tables[0].query("variant in ('base', 'mean')").replace({"variant": {"mean": "GRU-8"}})
    got = run_scores({0: table}, "x", CARD, "strict", "sliding", {"GRU-8": "a GRU"}, resamples=20)
    assert (list(got["variants"]), list(got["comparators"])) == (["base"], ["GRU-8"])


def spec(*names: str) -> ModelSpec:
    return ModelSpec(
        "SA-8", ModelConfig(), -10, 10, "five-point", 25.0, ("afew-va",), digests(names), "strict", 2, {}, {}
    )


def test_a_model_may_be_tested_on_strangers():
    refuse_leak(spec("a", "b"), ["c", "d", "c"])
    refuse_leak(spec(), ["c"])
    refuse_leak(spec("a"), [])


def test_a_tested_subject_is_refused_by_name():
    with pytest.raises(
        LeakError, match=r"SA-8 of fold 2 was trained on 1 of the 2 people to be tested \(b\); test it on"
    ):
        refuse_leak(spec("a", "b"), ["b", "c", "b"])


def test_many_are_counted_and_some_are_named():
    people = [f"p{i}" for i in range(7)]
    with pytest.raises(LeakError, match=r"7 of the 7 people to be tested \(p0, p1, p2 and 4 more\)"):
        refuse_leak(spec(*people), people)

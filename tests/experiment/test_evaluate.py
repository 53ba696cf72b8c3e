"""Models on corpora that they never saw: training's own numbers, leaks, other tools, killed and run again."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lightning_fabric import Fabric

from anclaf.cli.main import main
from anclaf.core.errors import ConfigError, CorpusError, LeakError, ModelError, RunError, StaleError
from anclaf.core.labels import LabelScale
from anclaf.data.store import PreparedCorpus
from anclaf.evaluation.estimate import estimate_rows, stride
from anclaf.experiment import evaluate as module
from anclaf.experiment.engine import train_run
from anclaf.experiment.evaluate import evaluate_models
from anclaf.experiment.job import RunSpec
from anclaf.metrics.regression import metrics
from anclaf.models.io import load_model
from anclaf.models.spec import Variant
from anclaf.report.run_report import write_report
from tiny_run import CONFIG

Foreign = Callable[..., PreparedCorpus]


@pytest.fixture(scope="module")
def run(corpus: PreparedCorpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluated") / "run"
    spec = RunSpec("", corpus.folder, out, CONFIG)
    train_run(Fabric(accelerator="cpu", devices=1), spec, variants=[Variant("SA", 4)], comparators=["mean"])
    return out


@pytest.fixture(scope="module")
def foreign(make_corpus) -> Foreign:
    """A corpus of other people, q0 to q9, some of whom are younger; of half of the frames the camera is known."""

    def make(**settings) -> PreparedCorpus:
        folder = make_corpus(**{"seed": 5, **settings}).folder
        index = pd.read_parquet(folder / "index.parquet")
        index["subject"] = index["subject"].str.replace("p", "q")
        index.to_parquet(folder / "index.parquet")
        age = index["subject"].str[1:].astype(int) * 3 + 20.5
        known = {"age": age, "camera": np.where(np.arange(len(index)) % 2, "", "left"), "site": "here"}
        pd.DataFrame(known).to_parquet(folder / "columns.parquet")
        return PreparedCorpus.open(folder)

    return make


@pytest.fixture(scope="module")
def others(foreign: Foreign) -> PreparedCorpus:
    return foreign()


def test_it_gives_the_numbers_of_training_s_own_test(run: Path, corpus: PreparedCorpus, tmp_path: Path):
    models = [run / "fold0" / name for name in ("base", "S-4", "SA-4")]
    found = evaluate_models(models, corpus.folder, tmp_path / "out", seen="drop", resamples=20)
    tested = json.loads((run / "metrics.json").read_text())
    assert (found["frames"], found["subjects"]) == (tested["frames"], tested["subjects"])
    for name in ("base", "S-4", "SA-4"):
        own = pd.read_parquet(run / "fold0" / name / "predictions.parquet")
        table = pd.read_parquet(next((tmp_path / "out" / "estimates").glob(f"*-{name}.parquet")))
        pd.testing.assert_frame_equal(table, own, atol=0.02)  # training keeps x in float16
        for dimension in ("valence", "arousal"):
            score = found["entries"][name][dimension]
            assert score["ccc"] == pytest.approx(tested["variants"][name][dimension]["ccc"], abs=0.002)
            low, high = score["ci95"]["ccc"]
            assert low <= high
    base = next((tmp_path / "out" / "estimates").glob("*-base.parquet"))
    pd.testing.assert_frame_equal(
        pd.read_parquet(base), pd.read_parquet(run / "fold0" / "base" / "predictions.parquet"), atol=1e-5
    )
    assert found["notes"] == ["Left out: 8 people whom base, S-4, SA-4 learnt from."]


def test_people_whom_a_model_learnt_from_are_refused(
    run: Path, corpus: PreparedCorpus, foreign: Foreign, tmp_path: Path
):
    model = run / "fold0" / "base"
    with pytest.raises(LeakError, match=r"base learnt from 8 of the 10 people of .*\(p\d, p\d, p\d and 5 more\): its"):
        evaluate_models([model], corpus.folder, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    kept = evaluate_models([model], corpus.folder, tmp_path / "b", seen="keep", resamples=20)
    assert (kept["subjects"], kept["frames"]) == (10, 180)
    assert "its scores are too good" in kept["notes"][0]
    spelled = foreign(seed=6)
    index = spelled.index.assign(subject=spelled.index["subject"].str.replace("q", " P"))
    index.to_parquet(spelled.folder / "index.parquet")
    with pytest.raises(LeakError, match="base learnt from 8 of the 10"):
        evaluate_models([model], spelled.folder, tmp_path / "c")


def test_nobody_left(run: Path, corpus: PreparedCorpus, make_corpus, tmp_path: Path):
    known = load_model(run / "fold0" / "base")[1].known(corpus.subjects.tolist())
    folder = make_corpus(seed=8).folder
    index = pd.read_parquet(folder / "index.parquet")
    index["subject"] = known[0]
    index.to_parquet(folder / "index.parquet")
    with pytest.raises(LeakError, match="nobody is left"):
        evaluate_models([run / "fold0" / "base"], folder, tmp_path / "out", seen="drop")


def test_every_metric_by_hand_and_by_group(run: Path, others: PreparedCorpus, tmp_path: Path):
    found = evaluate_models([run / "fold0" / "base"], others.folder, tmp_path / "out", resamples=50)
    table = pd.read_parquet(tmp_path / "out" / "estimates" / "0-base.parquet")
    assert len(table) == len(others)
    np.testing.assert_allclose(table[["valence", "arousal"]], others.labels)

    def by_hand(part: pd.DataFrame) -> dict[str, float]:
        return metrics(part["arousal_hat"].to_numpy(), part["arousal"].to_numpy(), 0.0)

    whole = found["entries"]["base"]["arousal"]
    assert {name: whole[name] for name in by_hand(table)} == pytest.approx(by_hand(table))
    assert set(found["splits"]) == {"age", "camera"}
    assert found["not_split"] == ["site: the same in all frames"]
    ages = found["splits"]["age"]
    assert list(ages) == ["20.5 … 26.5", "29.5 … 32.5", "35.5 … 41.5", "44.5 … 47.5"]
    assert sum(group["frames"] for group in ages.values()) == len(others)
    old = table[table["subject"].isin(["q8", "q9"])]
    assert {n: ages["44.5 … 47.5"]["entries"]["base"]["arousal"][n] for n in by_hand(old)} == pytest.approx(
        by_hand(old)
    )
    assert {name: group["frames"] for name, group in found["splits"]["camera"].items()} == {
        "left": 90, "not stated": 90
    }  # fmt: skip
    (note,) = found["notes"]
    assert note.startswith("base learnt from 8 people of another corpus (afew-va), compared with these by name")


def test_the_corpus_s_own_scale(run: Path, foreign: Foreign, tmp_path: Path):
    other = foreign(seed=5)
    card = json.loads((other.folder / "corpus.json").read_text())
    (other.folder / "corpus.json").write_text(json.dumps(card | {"low": 1.0, "high": 9.0}))
    index = other.index.assign(valence=other.index["valence"] * 0.4 + 5, arousal=other.index["arousal"] * 0.4 + 5)
    index.to_parquet(other.folder / "index.parquet")
    model = [run / "fold0" / "base"]
    found = evaluate_models(model, other.folder, tmp_path / "sam9", resamples=20)
    same = evaluate_models(model, foreign(seed=5).folder, tmp_path / "afew", resamples=20)
    for metric, factor in (("ccc", 1), ("rmse", 0.4), ("sagr", 1)):
        got, expected = (one["entries"]["base"]["valence"][metric] for one in (found, same))
        assert got == pytest.approx(factor * expected, abs=1e-6), metric


def test_another_tool_on_the_same_frames(run: Path, others: PreparedCorpus, tmp_path: Path):
    index = others.index[others.index["frame"] < 6]
    table = pd.DataFrame(
        {"Video": "/data/films/" + index["clip"] + ".mp4", "FRAME": index["frame"] + 1,
         "valence": index["valence"] / 10, "arousal": -index["arousal"] / 10}
    ).sample(frac=1, random_state=0)  # fmt: skip
    table.to_csv(tmp_path / "rival.csv", index=False)
    models = [run / "fold0" / name for name in ("base", "SA-4")]
    found = evaluate_models(
        models, others.folder, tmp_path / "out", predictions=[tmp_path / "rival.csv"],
        predictions_scale=LabelScale(-1, 1), resamples=50,
    )  # fmt: skip
    assert found["frames"] == 120
    rival = found["entries"]["rival"]
    assert rival["valence"]["ccc"] == pytest.approx(1)
    assert rival["arousal"]["cor"] == pytest.approx(-1)
    assert rival["coverage"] == {"frames": 120, "share": pytest.approx(2 / 3)}
    assert found["entries"]["base"]["coverage"]["frames"] == found["entries"]["base"]["all_frames"]["frames"] == 180
    assert "all_frames" not in rival
    assert {(pair["a"], pair["b"]) for pair in found["paired"]} == {
        ("SA-4", "base"),
        ("rival", "base"),
        ("rival", "SA-4"),
    }
    pair = next(p for p in found["paired"] if p["a"] == "rival" and (p["dimension"], p["metric"]) == ("valence", "ccc"))
    assert pair["ci95"][0] > 0
    assert "rival has no estimate of 60 frames of 180; they are in no score." in found["notes"]
    assert "rival: its frames are counted from 1, this corpus's from 0: shifted to meet." in found["notes"]
    page = write_report(tmp_path / "out").read_text()
    for words in ("rival (predictions)", "67 %", "60 frames of 180", "By camera"):
        assert words in page, words


def test_a_killed_one_goes_on(run: Path, others: PreparedCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    models = [run / "fold0" / name for name in ("base", "SA-4")]
    whole = evaluate_models(models, others.folder, tmp_path / "whole", resamples=20)
    estimate, calls = estimate_rows, list[str]()

    def stops(network, *words):
        calls.append(str(network.variant))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return estimate(network, *words)

    monkeypatch.setattr(module, "estimate_rows", stops)
    with pytest.raises(KeyboardInterrupt):
        evaluate_models(models, others.folder, tmp_path / "out", resamples=20)
    with pytest.raises(RunError, match=r"no metrics.json yet; the same `anclaf evaluate` command goes on"):
        write_report(tmp_path / "out")
    again = evaluate_models(models, others.folder, tmp_path / "out", resamples=20)
    assert calls == ["base", "SA-4", "SA-4"], "base is not estimated twice"
    assert again == whole
    with pytest.raises(StaleError, match="holds an evaluation of others, or on another corpus; use another --out"):
        evaluate_models(models[:1], others.folder, tmp_path / "out", resamples=20)


def test_what_is_refused(run: Path, others: PreparedCorpus, foreign: Foreign, tmp_path: Path):
    model, out = run / "fold0" / "base", tmp_path / "out"
    with pytest.raises(ConfigError, match="nothing to evaluate"):
        evaluate_models([], others.folder, out)
    with pytest.raises(ModelError, match=r"no model.json here; expected a model folder such as RUN/fold0/SA-8"):
        evaluate_models([run], others.folder, out)
    with pytest.raises(ConfigError, match="the same one twice"):
        evaluate_models([model, model], others.folder, out)
    with pytest.raises(ConfigError, match="seen: got 'maybe'"):
        evaluate_models([model], others.folder, out, seen="maybe")  # pyright: ignore[reportArgumentType]
    larger = foreign(size=64)
    with pytest.raises(ModelError, match=r"takes faces of 32 px with the five-point crop; .* has 64 px"):
        evaluate_models([model], larger.folder, out)
    assert not out.exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="exists and is no evaluation"):
        evaluate_models([model], others.folder, tmp_path / "full")
    (tmp_path / "few.csv").write_text("clip,frame,valence,arousal\n000,0,,\n")
    with pytest.raises(CorpusError, match="few has no estimate of any frame"):
        evaluate_models([model], others.folder, out, predictions=[tmp_path / "few.csv"])
    (tmp_path / "one.csv").write_text("clip,frame,valence,arousal\n000,0,1,1\n")
    (tmp_path / "two.csv").write_text("clip,frame,valence,arousal\n001,0,1,1\n")
    with pytest.raises(CorpusError, match=r"one, two have no frame of .* in common"):
        evaluate_models([], others.folder, tmp_path / "a", predictions=[tmp_path / "one.csv", tmp_path / "two.csv"])


def test_models_of_one_variant_are_told_apart(run: Path, others: PreparedCorpus, tmp_path: Path):
    for name in ("one", "two"):
        target = tmp_path / name / "SA-4"
        target.mkdir(parents=True)
        for path in (run / "fold0" / "SA-4").iterdir():
            if path.is_file():
                (target / path.name).write_bytes(path.read_bytes())
    models = [tmp_path / "one" / "SA-4", run / "fold0" / "base", tmp_path / "two" / "SA-4"]
    found = evaluate_models(models, others.folder, tmp_path / "out", resamples=20)
    assert list(found["entries"]) == ["one/SA-4", "base", "two/SA-4"]
    assert found["entries"]["one/SA-4"]["valence"] == found["entries"]["two/SA-4"]["valence"]


def test_windows_span_the_same_time_at_other_frame_rates(run: Path, foreign: Foreign, tmp_path: Path):
    assert [stride(fps, 25) for fps in (0, 12.5, 25, 30, 50, 60, 100)] == [1, 1, 1, 1, 2, 2, 4]
    slow = foreign(frames=6)
    network, spec = load_model(run / "fold0" / "SA-4")
    expected = estimate_rows(network, slow, np.arange(len(slow)), 25, "cpu")
    # every frame twice, at twice the rate
    fast = foreign(frames=6)
    index = fast.index.loc[fast.index.index.repeat(2)].reset_index(drop=True)
    index = index.assign(frame=index.groupby("clip").cumcount()).assign(time_s=lambda t: t["frame"] / 50)
    index.to_parquet(fast.folder / "index.parquet")
    with np.load(fast.folder / "geometry.npz") as file:
        np.savez(fast.folder / "geometry.npz", **{name: file[name].repeat(2, 0) for name in file.files})
    pd.read_parquet(fast.folder / "columns.parquet").loc[lambda t: t.index.repeat(2)].to_parquet(
        fast.folder / "columns.parquet"
    )
    card = json.loads((fast.folder / "corpus.json").read_text())
    (fast.folder / "corpus.json").write_text(json.dumps(card | {"fps": 50.0, "frames": len(index)}))
    fast = PreparedCorpus.open(fast.folder)
    got = estimate_rows(network, fast, np.arange(len(fast)), spec.fps, "cpu")
    np.testing.assert_allclose(got, expected.repeat(2, 0), atol=1e-5)
    found = evaluate_models([run / "fold0" / "SA-4"], fast.folder, tmp_path / "out", resamples=20)
    said = "SA-4 was trained at 25 frames a second and sees 50 here, one in 2: a window spans 120 ms instead of 120 ms."
    assert said in found["notes"]


def test_stills(run: Path, foreign: Foreign, tmp_path: Path):
    stills = foreign(frames=1, fps=0.0, clips=4)
    found = evaluate_models([run / "fold0" / n for n in ("base", "S-4")], stills.folder, tmp_path / "out", resamples=20)
    assert found["frames"] == 40
    assert "S-4 sees windows of one frame, for this corpus holds stills; it was trained on 4." in found["notes"]
    assert write_report(tmp_path / "out").is_file()


def test_the_command(run: Path, others: PreparedCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    index = others.index
    index[["clip", "time_s", "valence", "arousal"]].to_parquet(tmp_path / "rival.parquet")
    words = ["evaluate", str(run / "fold0" / "SA-4"), str(others.folder), "--out", str(tmp_path / "out")]
    words += ["--predictions", str(tmp_path / "rival.parquet"), "--threads", "1"]
    assert main(words) == 0
    said = capsys.readouterr()
    assert "CCC V" in said.out
    assert "rival" in said.out
    assert "note: SA-4 learnt from 8 people of another corpus" in said.err
    assert (tmp_path / "out" / "report" / "index.html").is_file()
    groups = (tmp_path / "out" / "report" / "groups.md").read_text()
    assert "By age" in groups
    assert main(words) == 0
    assert main(["report", str(tmp_path / "out"), "--out", str(tmp_path / "page")]) == 0
    assert (tmp_path / "page" / "table.tex").is_file()
    capsys.readouterr()
    assert main(["evaluate", str(others.folder), "--out", str(tmp_path / "alone")]) == 2
    assert "nothing to evaluate" in capsys.readouterr().err
    assert main([*words[:3], "--out", str(tmp_path / "x"), "--predictions-scale", "unit"]) == 2
    assert "--predictions-scale has no effect without --predictions" in capsys.readouterr().err
    assert main(["evaluate", str(others.folder), "--out", str(tmp_path / "t"), *words[5:7]]) == 0


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["/a/first", "/a/second"], ["first/base", "second/base"]),
        (["/a/run/fold0/base", "/a/run/fold1/base"], ["fold0/base", "fold1/base"]),
        (["/a/one/model", "/a/two/model"], ["one/model/base", "two/model/base"]),
    ],
)
def test_models_of_one_kind_are_told_apart_by_their_folders(folders: list[str], names: list[str]):
    assert module._short_names(["base"] * len(folders), [Path(folder) for folder in folders]) == names

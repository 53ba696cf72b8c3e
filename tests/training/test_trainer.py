"""Phases, each of its own parameters, and the loop around them: averages, the best weights, schedule, resume."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from anclaf.core.errors import TrainingError
from anclaf.training.phases import Phase, rate, run_phases, update_average
from anclaf.training.trainer import Networks, Schedule, Trainer


def _phase(name: str, layer: nn.Linear, interval: int = 1, factor: float = 1.0) -> Phase[torch.Tensor]:
    parameters = list(layer.parameters())
    return Phase(
        name,
        lambda x: {"loss": factor * layer(x).square().mean()},
        parameters,
        torch.optim.SGD(parameters, 0.1),
        interval,
    )


def test_each_phase_moves_its_own_parameters_at_its_own_interval():
    fabric, x = Fabric(accelerator="cpu", devices=1), torch.ones(4, 2)
    first, second = nn.Linear(2, 1), nn.Linear(2, 1)
    phases = [_phase("a", first), _phase("b", second, interval=2)]
    before = [first.weight.clone(), second.weight.clone()]
    assert set(run_phases(fabric, phases, x, 1)) == {"a"}
    assert not torch.equal(first.weight, before[0])
    assert torch.equal(second.weight, before[1])
    assert set(run_phases(fabric, phases, x, 2)) == {"a", "b"}
    assert not torch.equal(second.weight, before[1])


def test_a_phase_leaves_no_gradient_in_another_network():
    fabric, x = Fabric(accelerator="cpu", devices=1), torch.ones(4, 2)
    judge, maker = nn.Linear(2, 1), nn.Linear(2, 2)
    parameters = list(maker.parameters())
    phase = Phase("G", lambda x: {"loss": judge(maker(x)).mean()}, parameters, torch.optim.SGD(parameters, 0.1))
    run_phases(fabric, [phase], x, 0)
    assert judge.weight.grad is None


def test_a_loss_that_is_not_finite_stops_the_run():
    layer = nn.Linear(2, 1)
    with pytest.raises(TrainingError, match=r"loss is nan at step 7, phase C"):
        run_phases(Fabric(accelerator="cpu", devices=1), [_phase("C", layer, factor=float("nan"))], torch.ones(1, 2), 7)


def test_the_schedule():
    assert rate("cosine", 0, 100, 10) == pytest.approx(0.1)
    assert rate("cosine", 50, 100, 10) == pytest.approx(0.5)
    assert rate("cosine", 99, 100, 10) < 0.001
    assert [rate("constant", step, 100, 2) for step in (0, 1, 50, 99)] == [0.5, 1, 1, 1]
    assert rate("constant", 0, 100, 0) == 1


def test_the_running_average():
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    expected = 0.9 * a.weight + 0.1 * b.weight
    update_average(a, b, 0.9)
    torch.testing.assert_close(a.weight, expected)


# The loop, on a network of two weights whose loss is known.


class Watched:
    """A training of one linear layer; notes what the loop does at each step."""

    def __init__(self, folder: Path, steps: int = 6, clip_norm: float = 0.0, **schedule: Any):
        torch.manual_seed(0)
        self.steps = steps
        self.trained, self.averaged, self.best = (nn.Linear(2, 1, bias=False) for _ in range(3))
        self.lr: list[float] = []
        self.drawn: list[float] = []
        self.weights: list[torch.Tensor] = []
        self.done: list[int] = []
        parameters = list(self.trained.parameters())
        self.optimizer = torch.optim.SGD(parameters, 0.5)
        phase = Phase("train", self._loss, parameters, self.optimizer, clip_norm=clip_norm)
        settings: dict[str, Any] = {
            "rates": "cosine", "warmup_steps": 2, "ema_decay": 0.9, "checkpoint_every": 2,
            "evaluate": lambda done: True, "dropout_seed": lambda step: 100 + step,
        }  # fmt: skip
        self.trainer = Trainer(
            Fabric(accelerator="cpu", devices=1), folder, "fingerprint",
            Networks(self.trained, self.averaged, self.best), {}, [phase], Schedule(steps, **settings | schedule),
        )  # fmt: skip

    def _loss(self, batch: torch.Tensor) -> dict[str, torch.Tensor]:
        self.lr.append(self.optimizer.param_groups[0]["lr"])
        self.drawn.append(float(torch.rand(())))
        return {"loss": (self.trained(batch) - 1).square().mean()}

    def fit(self, scores: Sequence[float] = (), stop: int | None = None) -> dict[str, Any]:
        given = iter(scores)

        def validate() -> dict[str, float]:
            score = next(given, 0.0)
            return {"ccc": score, "valence_ccc": score, "arousal_ccc": score}

        def progress(done: int, total: int, task: str, note: str = "") -> None:
            self.done.append(done)
            self.weights.append(self.trained.weight.detach().clone())
            if done == stop:
                raise KeyboardInterrupt

        return self.trainer.fit(lambda step: torch.eye(2) * (1 + step % 2) / 2, validate, "task", progress)


def test_the_best_scored_average_is_kept(tmp_path: Path):
    watched = Watched(tmp_path, steps=4)
    averages: list[torch.Tensor] = []
    inner = watched.trainer._keep_best

    def keep(done: int, scores: dict[str, float]) -> None:
        inner(done, scores)
        averages.append(watched.averaged.weight.detach().clone())

    watched.trainer._keep_best = keep
    summary = watched.fit([0.1, 0.5, float("nan"), 0.3])
    assert (summary["best_step"], summary["best_score"]) == (2, 0.5)
    assert torch.equal(watched.best.weight, averages[1])
    assert not torch.equal(averages[1], averages[3])
    scored = [row for row in watched.trainer.log.rows if row[1:3] == ["validation", "ccc"]]
    assert [row[0] for row in scored] == [1, 2, 3, 4]


def test_no_score_that_is_a_number(tmp_path: Path):
    with pytest.raises(TrainingError, match="validation CCC was never a number"):
        Watched(tmp_path, steps=2).fit([float("nan")] * 2)


def test_training_stops_when_validation_no_longer_improves(tmp_path: Path):
    """After `patience` scores in a row that are not the best; one that is not a number is not. The best is kept."""
    watched = Watched(tmp_path, steps=20, patience=3)
    summary = watched.fit([0.1, 0.3, 0.2, float("nan"), 0.4, 0.4, 0.1, 0.3, 0.9])
    assert (summary["steps"], summary["best_step"], summary["best_score"]) == (8, 5, 0.4)
    assert watched.done[-1] == 8
    assert len(watched.weights) == 8
    again = Watched(tmp_path, steps=20, patience=3)  # killed before its model was written
    assert again.fit([1.0]) == summary
    assert again.done == []
    assert torch.equal(again.best.weight, watched.best.weight)


def test_the_patience_of_a_stopped_training_goes_on(tmp_path: Path):
    scores = [0.4, 0.1, 0.2, 0.3, 0.35, 0.5]
    whole = Watched(tmp_path / "whole", steps=9, patience=4).fit(scores)
    assert whole["steps"] == 5
    with pytest.raises(KeyboardInterrupt):
        Watched(tmp_path / "cut", steps=9, patience=4).fit(scores, stop=3)
    again = Watched(tmp_path / "cut", steps=9, patience=4)
    summary = again.fit(scores[2:])
    assert again.done == [3, 4, 5], "from the checkpoint after step 2"
    assert summary["steps"] == 5


def test_the_average_forgets_the_first_weights(tmp_path: Path):
    """decay min(ema_decay, (1 + step) / (10 + step)): a long memory only once there is something to remember."""
    watched = Watched(tmp_path, steps=4, ema_decay=0.6)
    average = watched.trained.weight.detach().clone()
    watched.fit()
    for step, weight in enumerate(watched.weights):
        decay = min(0.6, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(watched.averaged.weight.detach(), average)


def test_rates_follow_the_schedule_and_dropout_its_seed(tmp_path: Path):
    watched = Watched(tmp_path)
    watched.fit()
    assert watched.lr == pytest.approx([0.5 * rate("cosine", step, 6, 2) for step in range(6)])
    for step, drawn in enumerate(watched.drawn):
        torch.manual_seed(100 + step)
        assert drawn == float(torch.rand(()))


def test_gradients_are_clipped_to_the_phases_norm(tmp_path: Path):
    free, clipped = Watched(tmp_path / "free"), Watched(tmp_path / "clipped", clip_norm=1e-3)
    start = free.trained.weight.detach().clone()
    for watched in (free, clipped):
        watched.fit()
    first_rate = 0.5 * rate("cosine", 0, 6, 2)
    assert float((clipped.weights[0] - start).norm()) == pytest.approx(1e-3 * first_rate, rel=1e-3)
    assert float((free.weights[0] - start).norm()) > 0.01


def test_a_stopped_training_goes_on_from_its_checkpoint(tmp_path: Path):
    whole = Watched(tmp_path / "whole")
    scores = [0.4, 0.1, 0.2, 0.3, 0.35, 0.3]
    expected = whole.fit(scores)
    with pytest.raises(KeyboardInterrupt):
        Watched(tmp_path / "cut").fit(scores, stop=5)
    again = Watched(tmp_path / "cut")
    summary = again.fit(scores[4:])
    assert again.done == [5, 6], "from the checkpoint after step 4"
    assert (summary["best_step"], summary["best_score"]) == (expected["best_step"], expected["best_score"]) == (1, 0.4)
    for name in ("trained", "averaged", "best"):
        assert torch.equal(getattr(whole, name).weight, getattr(again, name).weight)
    assert again.trainer.log.rows == whole.trainer.log.rows

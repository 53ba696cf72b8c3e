import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from anclaf.core.errors import TrainingError
from anclaf.training.phases import Phase, cosine, run_phases, update_average


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
    assert cosine(0, 100, 10) == pytest.approx(0.1)
    assert cosine(50, 100, 10) == pytest.approx(0.5)
    assert cosine(99, 100, 10) < 0.001


def test_the_running_average():
    a, b = nn.Linear(2, 1), nn.Linear(2, 1)
    expected = 0.9 * a.weight + 0.1 * b.weight
    update_average(a, b, 0.9)
    torch.testing.assert_close(a.weight, expected)

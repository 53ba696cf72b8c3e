"""A small version of the task: attention as the recipes have it finds the one frame that decides, S-n cannot."""

import pytest
import torch
from attention_task import Task, attending, further, start

from anclaf.recipes import ATTENTION

SMALL = Task(n=4, keys=8, hidden=32, first_updates=30, updates=600, batch=48, lr=3e-3)


def test_the_answer_is_where_it_is_said_to_be():
    x, label, back = SMALL.draw(20, 6, torch.Generator().manual_seed(0))
    keys, values, asked = x.split([8, 2, 8], 2)
    assert set(back.unique().tolist()) == {1, 2, 3}
    for window in range(20):
        for t in range(3, 6):
            at = t - int(back[window, t])
            torch.testing.assert_close(asked[window, t], keys[window, at])
            torch.testing.assert_close(2 * label[window, t], values[window, at])


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_attention_finds_the_frame_that_decides_and_s_cannot():
    parent, _ = start(SMALL, seed=0)
    found, control = attending(SMALL, parent, ATTENTION, 3.0, seed=0), further(SMALL, parent, seed=0)
    assert found.weight >= 0.9
    assert found.error < 0.15
    assert control.error > 0.6, "the LSTM has kept what it was to look up"

"""A task of which the right answer is known: one past frame decides the label, and attention has to find it.

    python benchmarks/attention_task.py [--updates 2000] [--seed 0] [--window 8] [--models NAME …]

Every frame of a sequence shows a key, two values, and a question: the key of one of the n - 1 frames before it, each as
likely as the other. Its label is the values of that frame. Keys are drawn anew for every frame, so that place tells
nothing; and n - 1 frames hold more numbers than the LSTM's state, so that it cannot keep them all. As in training, S-n
comes first; then, from its weights, S-n+, which is trained with as many further updates as every SA-n, and SA-n with
different settings. Loss, heads and windows are those of the package, but that nothing
is said of a frame by itself, which does not hold its answer; all frames of a window are in the loss.

An error of 1 is that of guessing the mean, 0 is solved. The weight is what the frame that holds the answer gets, of
1 in all.
"""

import argparse
import time
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from anclaf.config import AttentionConfig, LstmConfig, ModelConfig
from anclaf.losses.affect import affect_loss
from anclaf.models import AttentionHead, Head, LstmHead
from anclaf.recipes import ATTENTION
from anclaf.training.phases import rate

PLAIN = AttentionConfig()
SETTINGS: dict[str, tuple[AttentionConfig, float]] = {
    "SA-n, additive score": (PLAIN, 1.0),
    "+ the present frame asks": (AttentionConfig(query="present"), 1.0),
    "+ general score": (AttentionConfig("general", "present"), 1.0),
    "+ normalised states": (AttentionConfig("general", "present", normalise_states=True), 1.0),
    "+ three times the rate": (AttentionConfig("general", "present", normalise_states=True), 3.0),
    "+ lead-in": (ATTENTION, 3.0),
    "the same by place only": (AttentionConfig("place", "present", normalise_states=True, lead_in=True), 3.0),
    "the same, additive score": (AttentionConfig("additive", "present", normalise_states=True, lead_in=True), 3.0),
    "the same, states as they are": (AttentionConfig("general", "present", lead_in=True), 3.0),
}
"""SA-n: settings, and the rate of what attention adds. Each of the first has one thing more than the one before."""


@dataclass(frozen=True)
class Task:
    """keys: numbers in a key, and in a question. hidden: size of the LSTM's state. first_updates: of S-n; updates: of
    what starts from it."""

    n: int = 8
    keys: int = 8
    hidden: int = 32
    first_updates: int = 1000
    updates: int = 2000
    batch: int = 64
    lr: float = 1e-3

    @property
    def features(self) -> int:
        return 2 * self.keys + 2

    def model(self, attention: AttentionConfig = PLAIN) -> ModelConfig:
        return ModelConfig(lstm=LstmConfig(self.hidden, change_input=False, residual=False), attention=attention)

    def draw(self, windows: int, length: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, F), labels (B, T, 2), and how many frames back the answer is (B, T), of the last T of sequences."""
        total = length + self.n
        key = torch.randn(windows, total, self.keys, generator=random)
        value = 2 * torch.rand(windows, total, 2, generator=random) - 1
        back = torch.randint(1, self.n, (windows, total), generator=random)
        at = (torch.arange(total) - back).clamp(min=0)[..., None]
        asked, label = (side.gather(1, at.expand(-1, -1, side.shape[-1])) for side in (key, value))
        x = torch.cat([key, 2 * value, asked], -1)
        return x[:, -length:], label[:, -length:], back[:, -length:]


@dataclass(frozen=True)
class Found:
    """Of last frames of windows. error: mean square, in parts of the labels' variance. weight: mean of what the frame
    with the answer gets, NaN without attention."""

    error: float
    weight: float
    seconds: float


def train(task: Task, head: Head, updates: int, seed: int, lr_scale: float = 1.0) -> Found:
    """As stage 2 does, on windows that begin anywhere in a sequence."""
    began, random = time.monotonic(), torch.Generator().manual_seed(seed)
    added = head.added()
    new = set(map(id, added))
    groups = [
        {"params": [one for one in head.parameters() if id(one) not in new], "lr": task.lr},
        {"params": added, "lr": task.lr * lr_scale},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]], task.lr, weight_decay=0.01)
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(updates):
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = lr * rate("cosine", step, updates, 10)
        x, label, _ = task.draw(task.batch, task.n + head.lead_in, random)
        estimate, target = (side[:, head.lead_in :].flatten(0, 1) for side in (head(x).affect, label))
        optimizer.zero_grad()
        affect_loss(estimate, target).total.backward()
        nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimizer.step()
    return judge(task, head, time.monotonic() - began)


@torch.no_grad()
def judge(task: Task, head: Head, seconds: float = 0.0) -> Found:
    x, label, back = task.draw(1000, task.n + head.lead_in, torch.Generator().manual_seed(10**6))
    got = head(x)
    error = float((got.affect[:, -1] - label[:, -1]).square().mean() / label[:, -1].var())
    if got.attention is None:
        return Found(error, float("nan"), seconds)
    at = x.shape[1] - 1 - back[:, -1:]
    return Found(error, float(got.attention[:, -1].gather(1, at).mean()), seconds)


def start(task: Task, seed: int) -> tuple[LstmHead, Found]:
    """S-n."""
    torch.manual_seed(seed)
    head = LstmHead(task.features, task.model())
    return head, train(task, head, task.first_updates, seed)


def further(task: Task, parent: LstmHead, seed: int) -> Found:
    """S-n+."""
    return train(task, deepcopy(parent), task.updates, seed + 1)


def attending(task: Task, parent: LstmHead, settings: AttentionConfig, lr_scale: float, seed: int) -> Found:
    """SA-n."""
    torch.manual_seed(seed + 1)
    head = AttentionHead(task.features, task.model(settings), task.n)
    head.inherit(parent)
    return train(task, head, task.updates, seed + 1, lr_scale)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--updates", type=int, default=Task.updates)
    parser.add_argument("--window", type=int, default=Task.n)
    parser.add_argument("--seed", type=int, default=0)
    choices = ["S-n+", *SETTINGS]
    parser.add_argument("--models", nargs="+", choices=choices, default=choices, metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = Task(n=arguments.window, updates=arguments.updates)
    print(f"window of {task.n} frames; seed {arguments.seed}\n{'':30} error  weight  seconds")

    def show(name: str, found: Found) -> None:
        print(f"{name:30} {found.error:5.3f}  {found.weight:6.3f}  {found.seconds:7.0f}", flush=True)

    parent, found = start(task, arguments.seed)
    show("S-n", found)
    for name in arguments.models:
        if name == "S-n+":
            show(name, further(task, parent, arguments.seed))
        else:
            show(name, attending(task, parent, *SETTINGS[name], arguments.seed))


if __name__ == "__main__":
    main()

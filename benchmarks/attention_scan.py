"""How much faster is SA-n's step than a loop written as Eq. 5 to 8 are printed, with the same values and gradients?

    python benchmarks/attention_scan.py --n 16

The loop goes over frames, and at each frame over its previous states: for each the score of W_a [S_t; S_i], then the
softmax, the weighted sum and the LSTM. A batch of windows goes through both ways at once, forward and backward, in
turn; the median ratio is printed, and the greatest difference of estimates and gradients, in double precision.
"""

import argparse
import statistics
import time

import torch
from torch import Tensor
from torch.nn import functional

from anclaf.models.anclaf import CHANGE_GAIN
from anclaf.models.attention import AttentionHead
from anclaf.recipes import make_run


def as_printed(head: AttentionHead, x: Tensor, reach: int) -> Tensor:
    """(B, T, 2) by the score `general`. x: (B, T, F). reach: previous states at most."""
    batch, hidden = x.shape[0], head.hidden
    h = c = x.new_zeros(batch, hidden)
    before, states, estimates = x[:, 0], list[Tensor](), list[Tensor]()

    def lstm(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def state_of(h: Tensor, c: Tensor) -> Tensor:
        return functional.layer_norm(torch.cat([h, c], 1), (2 * hidden,))

    for t in range(x.shape[1]):
        frame = x[:, t]
        gates = head.from_input(frame) + head.from_hidden(h) + head.from_change(CHANGE_GAIN * (frame - before).abs())
        before, past = frame, states[max(0, t - reach) :]
        if past:
            now = state_of(*lstm(gates, c))
            scores = [(head.align_now(now) * head.align_past(state)).sum(1) / hidden**0.5 for state in past]
            weights = torch.stack(scores, 1).softmax(1)
            context = sum((weights[:, i : i + 1] * state for i, state in enumerate(past)), torch.zeros_like(past[0]))
            gates = gates + head.from_context(context)
        h, c = lstm(gates, c)
        states.append(state_of(h, c))
        assert head.frame is not None
        estimates.append(head.affect(h) + head.frame(frame))
    return torch.stack(estimates, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=16)
    parser.add_argument("--recipes", nargs="+", default=["small", "paper"])
    parser.add_argument("--features", type=int, default=200, help="numbers in x")
    parser.add_argument("--windows", type=int, default=32, help="in a step")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for recipe in arguments.recipes:
        torch.manual_seed(0)
        head = AttentionHead(arguments.features, make_run(recipe).model, arguments.n).to(arguments.device)
        for parameter in head.added():
            torch.nn.init.normal_(parameter, std=0.05)
        length = arguments.n + head.lead_in
        x = torch.randn(arguments.windows, length, arguments.features, device=arguments.device)
        ways = {
            "ours": lambda x, head=head: head(x).affect,
            "loop": lambda x, head=head: as_printed(head, x, head.states),
        }

        def step(way: str, x: Tensor, head=head, ways=ways) -> list[Tensor]:
            """Estimates, and the gradient of each parameter and of x."""
            given = x.clone().requires_grad_()
            affect = ways[way](given)
            return [affect, *torch.autograd.grad(affect.square().mean(), [*head.parameters(), given])]

        head.double()
        off = max(
            float((a - b).abs().max()) for a, b in zip(step("ours", x.double()), step("loop", x.double()), strict=True)
        )
        head.float()
        ratios, ours = [], []
        for round_number in range(arguments.rounds + 1):
            took = {}
            for way in ways:
                began = time.perf_counter()
                step(way, x)
                if x.is_cuda:
                    torch.cuda.synchronize()
                took[way] = time.perf_counter() - began
            if round_number > 0:  # the first warms up
                ratios.append(took["loop"] / took["ours"])
                ours.append(took["ours"])
        print(
            f"SA-{arguments.n}, sizes of {recipe}, {arguments.windows} windows of {length} frames, {arguments.device}, "
            f"{arguments.threads} threads: {1000 * statistics.median(ours):.0f} ms a step, the loop "
            f"{statistics.median(ratios):.2f} times as long (of {', '.join(f'{r:.2f}' for r in ratios)}); "
            f"greatest difference {off:.1e}"
        )


if __name__ == "__main__":
    main()

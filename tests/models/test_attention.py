"""SA: Eq. 5 to 8 against a loop written as the paper is, for every score and setting."""

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from anclaf.config import AttentionConfig, AttentionScore, LstmConfig, ModelConfig
from anclaf.models.anclaf import CHANGE_GAIN, LstmHead
from anclaf.models.attention import AttentionHead
from anclaf.models.network import AffectNetwork
from anclaf.models.scan import Memory
from anclaf.models.spec import Variant

SCORES = get_args(AttentionScore)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"divide_context": True},
    {"attend_cell": False},
    {"query": "present"},
    {"query": "present", "normalise_states": True},
    {"query": "present", "normalise_states": True, "lead_in": True, "divide_context": True},
    {"pad_states": True, "divide_context": True},
    {"pad_states": True, "query": "present", "normalise_states": True},
]
N = 4


def _config(**attention: Any) -> ModelConfig:
    return ModelConfig(lstm=LstmConfig(7), attention=AttentionConfig(**attention))


def _head(**attention: Any) -> AttentionHead:
    """A head that has learnt something, whatever it is."""
    torch.manual_seed(1)
    head = AttentionHead(5, _config(**attention), N)
    for parameter in head.added():
        torch.nn.init.normal_(parameter, std=0.3)
    return head


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_sa_equals_s_at_its_first_step(score: str, settings: dict[str, Any]):
    torch.manual_seed(0)
    config = _config(score=score, **settings)
    plain, attending = LstmHead(5, config), AttentionHead(5, config, N)
    attending.inherit(plain)
    x = torch.randn(4, N + attending.lead_in, 5)
    assert torch.equal(attending(x).affect, plain(x).affect)
    attending(x).affect.sum().backward()
    assert attending.from_context.weight.grad is not None
    assert attending.from_context.weight.grad.abs().max() > 0, "the context cannot be learnt"


def _one_by_one(head: AttentionHead, config: AttentionConfig, x: Tensor) -> tuple[Tensor, Tensor]:
    """Eq. 5-8 for one window, written as the paper does: a loop over frames and over previous states."""

    def lstm(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = gates.chunk(4)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def state_of(h: Tensor, c: Tensor) -> Tensor:
        state = torch.cat([h, c]) if config.attend_cell else h
        if config.normalise_states:
            state = (state - state.mean()) / (state.var(unbiased=False) + 1e-5).sqrt()
        return state

    def score(now: Tensor, state: Tensor, back: int) -> Tensor:
        if config.score == "place":
            return head.align_place[back - 1]
        if config.score == "location":
            return head.align_past(state)[0]
        if config.score == "general":
            return head.align_now(now) @ head.align_past(state) / 7**0.5
        return head.align_score(torch.tanh(head.align_past(state) + head.align_now(now)))[0]

    h, c, states, out = torch.zeros(7), torch.zeros(7), [], []
    before, attention = x[0], torch.zeros(len(x), len(x))
    for t, frame in enumerate(x):
        gates = head.from_input(frame) + head.from_hidden(h) + head.from_change(CHANGE_GAIN * (frame - before).abs())
        before = frame
        reach = N if config.lead_in or config.pad_states else N - 1
        seen = range(t - reach if config.pad_states else max(0, t - reach), t)
        zero = torch.zeros(head.from_context.in_features)
        past = {i: states[i] if i >= 0 else zero for i in seen}
        if past:
            now = state_of(*lstm(gates, c)) if config.query == "present" else past[t - 1]
            weights = torch.softmax(torch.stack([score(now, past[i], t - i) for i in seen]), 0)
            context = zero
            for weight, i in zip(weights, seen, strict=True):
                if i >= 0:
                    attention[t, i] = weight
                context = context + weight * past[i]
            if config.divide_context:
                context = context / len(seen)
            gates = gates + head.from_context(context)
        h, c = lstm(gates, c)
        states.append(state_of(h, c))
        assert head.frame is not None
        out.append(head.affect(h) + head.frame(frame))
    return torch.stack(out), attention


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("settings", SETTINGS)
def test_it_is_the_papers_loop_and_does_not_mix_people(score: str, settings: dict[str, Any]):
    head = _head(score=score, **settings)
    x = torch.randn(3, N + head.lead_in, 5)
    got = head(x)
    assert got.attention is not None
    loop = [_one_by_one(head, AttentionConfig(score=score, **settings), window) for window in x]  # pyright: ignore[reportArgumentType]
    for window, (affect, attention) in enumerate(loop):
        torch.testing.assert_close(got.affect[window], affect, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(got.attention[window], attention, atol=1e-6, rtol=1e-5)
    parameters = dict(head.named_parameters())
    ours = torch.autograd.grad(got.affect.square().sum(), [*parameters.values()], allow_unused=True)
    theirs = torch.autograd.grad(
        torch.stack([affect for affect, _ in loop]).square().sum(), [*parameters.values()], allow_unused=True
    )
    for name, a, b in zip(parameters, ours, theirs, strict=True):
        if a is None or b is None:
            assert a is None and b is None, name  # noqa: PT018
        else:
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4, msg=name)


@pytest.mark.parametrize("score", SCORES)
def test_weights_are_a_distribution_over_the_past(score: str):
    attention = _head(score=score)(torch.randn(2, N, 5)).attention
    assert attention is not None
    assert attention.triu().abs().max() == 0
    torch.testing.assert_close(attention.sum(2)[:, 1:], torch.ones(2, N - 1))
    assert attention[:, 0].abs().max() == 0


def test_n_states_of_which_some_are_zero_by_hand():
    """Eq. 6 and 7 over n = 4 states, of which two are 0, in the third frame."""
    head = _head(score="location", pad_states=True, divide_context=True)
    x = torch.randn(1, N, 5)
    got = head(x).attention
    assert got is not None
    first = head(x[:, :1]).affect  # its context is 0
    torch.testing.assert_close(first, LstmHead.forward(head, x[:, :1]).affect)
    h = c = torch.zeros(1, 7)
    driven, scores = head._driven(x, 0.0), []
    contexts = []
    for t in range(2):
        context = torch.zeros(1, 14)
        if t:
            weight = scores[0].exp() / (3 + scores[0].exp())  # three states are 0, whose score is 0
            context = weight * torch.cat([h, c], 1) / 4
            contexts.append(weight)
        h, c = head._cell(driven[:, t] + head.from_hidden(h) + head.from_context(context), c)
        scores.append(head.align_past(torch.cat([h, c], 1))[0, 0])
    torch.testing.assert_close(got[0, 1, 0], contexts[0])
    total = 2 + scores[0].exp() + scores[1].exp()
    torch.testing.assert_close(got[0, 2, :2], torch.stack([scores[0].exp() / total, scores[1].exp() / total]))


@pytest.mark.parametrize("score", SCORES)
def test_what_asks_and_what_is_asked_of(score: str):
    """Of which score the present state is a part, and of which what previous states hold.

    Without tanh the term of S_t is one number for all i and cancels in the softmax: Eq. 5 would be Eq. 6.
    """
    head = _head(score=score)
    torch.manual_seed(2)
    states = torch.randn(2, 1, 3, 14)

    def weights(now: Tensor, past: Tensor) -> Tensor:
        asked = head.align_now(now) if score in ("general", "additive") else now
        answers = Memory(past if score == "place" else head.align_past(past).detach())
        return head._scores(asked, answers, 0, 3).softmax(1)

    same = weights(states[0, :, 0], states[0])
    assert torch.allclose(same, weights(states[1, :, 0], states[0])) == (score in ("location", "place"))
    assert torch.allclose(same, weights(states[0, :, 0], states[1])) == (score == "place")


def test_the_frame_that_asks_is_the_present_one_if_it_is_to_be():
    x = torch.randn(1, N, 5)
    other = x.clone()
    other[:, -1] += 1
    for query, moves in (("previous", False), ("present", True)):
        head = _head(score="general", query=query)
        a, b = head(x).attention, head(other).attention
        assert a is not None
        assert b is not None
        assert torch.equal(a[:, -1], b[:, -1]) != moves


def test_what_attention_adds_is_all_that_s_has_not():
    for score in SCORES:
        plain, attending = LstmHead(5, _config()), _head(score=score)
        names = {id(parameter): name for name, parameter in attending.named_parameters()}
        added = {names[id(parameter)] for parameter in attending.added()}
        assert added == set(names.values()) - {name for name, _ in plain.named_parameters()}


def test_a_network_tells_its_head_the_window():
    config = ModelConfig(
        image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(12), attention=AttentionConfig(lead_in=True)
    )
    for n in (2, 8):
        head = AffectNetwork(config, Variant("SA", n)).head
        assert isinstance(head, AttentionHead)
        assert (head.lead_in, head.states) == (n, n)


def test_a_control_reads_what_the_model_it_controls_reads():
    for lead_in in (False, True):
        config = ModelConfig(
            image_size=32,
            g_width=4,
            d_width=4,
            c_width=8,
            lstm=LstmConfig(12),
            attention=AttentionConfig(lead_in=lead_in),
        )
        names = ("S-4", "S-4-direct", "S-4+", "SA-4")
        read = [AffectNetwork(config, Variant.parse(name)).head.lead_in for name in names]
        assert read == [0, 0, 4 * lead_in, 4 * lead_in]

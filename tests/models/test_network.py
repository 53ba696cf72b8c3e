from dataclasses import replace

import pytest
import torch

from anclaf.config import DiscriminatorNorm, LstmConfig, ModelConfig, QuadrantSource
from anclaf.core.errors import ConfigError
from anclaf.models.anclaf import Combiner, Discriminator, FewOutputs, Generator, LstmHead, condition
from anclaf.models.attention import AttentionHead
from anclaf.models.geometry import motion_input
from anclaf.models.network import AffectNetwork, to_input
from anclaf.models.spec import Variant, variant_order

TINY = ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12))


def test_paper_sizes():
    image = torch.rand(2, 3, 128, 128) * 2 - 1
    generator, judge, combiner = Generator(), Discriminator(), Combiner()
    latent = generator.encode(image)
    assert latent.shape == (2, 64, 32, 32)
    cleaned = generator.decode(latent)
    assert cleaned.shape == image.shape
    assert cleaned.abs().max() <= 1
    judgement = judge(cleaned)
    assert judgement.quadrant.shape == (2, 4)
    assert sum(isinstance(layer, torch.nn.Conv2d) for layer in judge.body) == 6
    zq = condition(latent, judgement.quadrant.softmax(1))
    assert zq.shape == (2, 68, 32, 32)
    assert combiner(zq).shape == (2, 1024)
    assert LstmHead(1024, ModelConfig()).hidden == 512
    attending = AttentionHead(1024, ModelConfig())
    assert attending.from_input.in_features + attending.from_context.in_features == 2048


@pytest.mark.parametrize("outputs", [3, 4, 5, 8, 9, 16])
@pytest.mark.parametrize("bias", [False, True])
def test_few_outputs_are_those_of_a_convolution(outputs: int, bias: bool):
    """Values, gradients, and the names and shapes of its weights."""
    torch.manual_seed(0)
    few = FewOutputs(2, outputs, bias).double()
    plain = torch.nn.Conv2d(2, outputs, 7, padding=3, bias=bias).double()
    plain.load_state_dict(few.state_dict())
    image = torch.randn(2, 2, 12, 8, dtype=torch.float64, requires_grad=True)
    found, expected = few(image), plain(image)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    along = torch.randn_like(found)
    one = torch.autograd.grad(found, [image, *few.parameters()], along)
    other = torch.autograd.grad(expected, [image, *plain.parameters()], along)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-11)


def test_d_may_normalise_every_plane_but_the_last():
    """With `instance` what follows a convolution has mean 0 and variance 1 over each channel of each image."""
    image = torch.rand(2, 3, 64, 64) * 2 - 1
    assert Discriminator(64, 4).features == Discriminator(64, 4, norm="instance").features == 4 * 64
    expected: dict[DiscriminatorNorm, int] = {"none": 0, "instance": 4}
    for norm, normal in expected.items():
        d, found, plane = Discriminator(64, 4, norm=norm), 0, image
        for layer in d.body:
            if isinstance(layer, torch.nn.LeakyReLU):
                var, mean = torch.var_mean(plane, (2, 3), correction=0)
                found += bool(torch.allclose(mean, torch.zeros_like(mean), atol=1e-5)) and bool((var > 0.9).all())
            plane = layer(plane)
        assert found == normal
        assert torch.equal(d.judge(plane).quadrant, d(image).quadrant)


@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("points", [0, 5])
@pytest.mark.parametrize("kind", ["base", "S-4", "SA-4"])
def test_every_size_follows_from_the_image(size: int, points: int, kind: str):
    network = AffectNetwork(
        ModelConfig(image_size=size, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12)),
        Variant.parse(kind),
        points,
    )
    x = network.features(network.latents(to_input(torch.randint(0, 256, (4, size, size, 3), dtype=torch.uint8))))
    appearance = 8 * 2 ** (size.bit_length() - 4)
    assert x.shape == (4, appearance + 2 * points)
    assert network.head_inputs == appearance + 2 * points + (0 if kind == "base" else 8)
    assert network.estimate(x[None], torch.zeros(1, 4, 4)).affect.shape == (1, 4, 2)


def test_the_third_residual_block_has_no_skip():
    skips = [block.skip for block in Generator(4).encoder if hasattr(block, "skip")]
    assert skips == [True, True, False]


@pytest.mark.parametrize("plane", [8, 32])
def test_the_combiner_is_its_stack_of_convolutions(plane: int):
    combiner = Combiner(6, plane, 4)
    zq = torch.randn(3, 6, plane, plane)
    torch.testing.assert_close(combiner(zq), combiner.body(zq).flatten(1), atol=1e-6, rtol=1e-5)


def test_condition_spreads_the_quadrant_over_the_plane():
    quadrant = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    zq = condition(torch.zeros(1, 2, 3, 3), quadrant)
    assert torch.equal(zq[0, 2:], quadrant[0][:, None, None].expand(4, 3, 3))


def test_s_is_an_lstm():
    torch.manual_seed(0)
    model = LstmHead(5, ModelConfig(lstm=LstmConfig(7, change_input=False, residual=False)))
    reference = torch.nn.LSTM(5, 7, batch_first=True)
    with torch.no_grad():
        weights = {
            "weight_ih_l0": model.from_input.weight,
            "bias_ih_l0": model.from_input.bias,
            "weight_hh_l0": model.from_hidden.weight,
            "bias_hh_l0": torch.zeros(28),
        }
        reference.load_state_dict(weights)
    x = torch.randn(3, 6, 5)
    torch.testing.assert_close(model(x).affect, model.affect(reference(x)[0]), atol=1e-6, rtol=1e-5)


def test_the_forget_gate_s_first_bias():
    def bias(value: float) -> torch.Tensor:
        torch.manual_seed(0)
        return LstmHead(5, ModelConfig(lstm=LstmConfig(7, forget_bias=value))).from_input.bias.detach()

    torch.testing.assert_close(bias(1.5) - bias(0), torch.tensor([0.0, 1.5, 0.0, 0.0]).repeat_interleave(7))


def test_d_s_first_weights():
    """He's have variance 2 / fan in (for a slope of 0.01), PyTorch's own 1 / (3 * fan in), whatever comes before."""
    for init, variance in (("he", 2 / (1 + 0.01**2)), ("plain", 1 / 3)):
        torch.manual_seed(0)
        judge = Discriminator(64, 16, init=init)  # pyright: ignore[reportArgumentType]
        wide = [layer for layer in judge.body if isinstance(layer, torch.nn.Conv2d)][2:]
        for layer in wide:
            fan_in = layer.in_channels * 16
            assert layer.weight.var().item() * fan_in == pytest.approx(variance, rel=0.05)
    networks = [AffectNetwork(replace(TINY, discriminator_init=init), Variant("base")) for init in ("plain", "he")]
    plain, he = (next(network.discriminator.body.parameters()).std().item() for network in networks)
    assert plain < he / 2, "a network's settings reach its D"


def _network(quadrant: QuadrantSource) -> AffectNetwork:
    torch.manual_seed(0)
    return AffectNetwork(replace(TINY, quadrant_source=quadrant), Variant("base")).eval()


def test_what_q_is():
    image = torch.rand(3, 3, 32, 32) * 2 - 1
    given = torch.tensor([2, 0, 3])
    by_default = _network("reconstruction")
    judge, clean = by_default.discriminator, by_default.generator
    torch.testing.assert_close(by_default.latents(image).q, judge(clean(image)).quadrant.softmax(1))
    torch.testing.assert_close(_network("image").latents(image).q, judge(image).quadrant.softmax(1))
    assert torch.equal(_network("none").latents(image).q, torch.zeros(3, 4))
    for source in ("true", "false"):
        assert torch.equal(_network(source).latents(image, given).q, torch.eye(4)[given])
        assert replace(TINY, quadrant_source=source).needs_labels
        with pytest.raises(ConfigError, match=f"quadrant_source={source}: it is given each frame's label"):
            _network(source).latents(image)


def _heard(network: AffectNetwork, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """What the head is given, as it is given."""
    given, forward = list[torch.Tensor](), network.head.forward
    monkeypatch.setattr(network.head, "forward", lambda x, dropout=0.0: given.append(x) or forward(x, dropout))
    return given


def test_appearance_is_scaled_by_trust_or_shown_and_geometry_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    network = AffectNetwork(TINY, Variant("S", 4), 5)
    given, size = _heard(network, monkeypatch), network.combiner.features
    x, motion = torch.randn(3, 4, size + 10), torch.randn(3, 4, 4)
    network.trust.fill_(0.25)
    network.estimate(x, motion)
    network.estimate(x, motion, shown=torch.tensor([1.0, 0.0, 1.0]))
    (trusted, shown) = given
    for got, scale in ((trusted, [0.25] * 3), (shown, [1.0, 0.0, 1.0])):
        torch.testing.assert_close(got[..., :size], x[..., :size] * torch.tensor(scale)[:, None, None])
        assert torch.equal(got[..., size : size + 10], x[..., size:])
        assert torch.equal(got[..., size + 10 :], motion_input(motion))


def test_without_geometry_x_is_the_whole_input(monkeypatch: pytest.MonkeyPatch):
    """Whatever the corpus has: as in the paper."""
    network = AffectNetwork(replace(TINY, geometry=False, crop_motion=False), Variant("S", 4), 5)
    assert (network.points, network.landmarks, network.moves) == (0, None, False)
    given, x = _heard(network, monkeypatch), torch.randn(2, 4, network.combiner.features)
    network.trust.fill_(0.25)
    network.estimate(x)
    assert torch.equal(given[0], x)


def test_x_is_what_c_says_and_where_landmarks_are():
    torch.manual_seed(0)
    network = AffectNetwork(TINY, Variant("base"), 5).eval()
    assert network.landmarks is not None
    network.landmarks.fit_scale(torch.rand(20, 5, 2))
    image = torch.rand(3, 3, 32, 32) * 2 - 1
    latents, planes = network.latents(image), network.generator.planes(image)
    assert torch.equal(planes.z, network.generator.encode(image))
    assert torch.equal(planes.detail, network.generator.encoder[0](image))
    found = network.landmarks(planes)
    assert len(found) == 3
    x = network.features(latents)
    assert torch.equal(x[:, : network.combiner.features], network.combiner(condition(latents.z, latents.q)))
    assert torch.equal(x[:, network.combiner.features :], network.landmarks.standardise(found[-1]))


def test_s_begins_as_the_base_model_and_corrects_it():
    torch.manual_seed(0)
    parent = AffectNetwork(TINY, Variant("base"), 5).eval()
    first = parent.successor(Variant("S", 4)).eval()
    x, motion = torch.randn(3, 4, parent.feature_size), torch.randn(3, 4, 4)
    torch.testing.assert_close(first.estimate(x, motion).affect, parent.estimate(x).affect, atol=1e-6, rtol=1e-5)
    assert isinstance(first.head, LstmHead)
    torch.nn.init.normal_(first.head.affect.weight)
    added = first.estimate(x, motion).affect - parent.estimate(x).affect
    without = replace(TINY, lstm=replace(TINY.lstm, residual=False))
    alone = AffectNetwork(without, Variant("S", 4), 5).eval()
    kept = {name: value for name, value in first.head.state_dict().items() if not name.startswith("frame.")}
    alone.head.load_state_dict(kept)
    torch.testing.assert_close(alone.estimate(x, motion).affect, added, atol=1e-5, rtol=1e-5)
    dropped = first.head(torch.ones(1, 4, first.head_inputs), dropout=0.999).affect
    assert not torch.equal(dropped, first.head(torch.ones(1, 4, first.head_inputs)).affect)
    second = first.successor(Variant("S", 8)).successor(Variant("SA", 8)).eval()
    assert torch.equal(second.estimate(x, motion).affect, first.estimate(x, motion).affect)


def test_a_successor_has_what_its_parent_has():
    parent = AffectNetwork(TINY, Variant("base"), 5)
    assert parent.landmarks is not None
    parent.landmarks.fit_scale(torch.rand(20, 5, 2))
    first, attending = parent.successor(Variant("S", 4)), parent.successor(Variant("S", 4)).successor(Variant("SA", 4))
    for name in ("generator", "discriminator", "combiner", "landmarks"):
        for child in (first, attending):
            pairs = zip(
                getattr(parent, name).state_dict().values(), getattr(child, name).state_dict().values(), strict=True
            )
            assert all(torch.equal(a, b) for a, b in pairs)
    assert {name for name, module in first.named_children() if any(p.requires_grad for p in module.parameters())} == {
        "combiner",
        "head",
    }


def test_variants_that_are_recorded():
    """As in a run's folder; of kinds that are not installed too, which come after the others."""
    assert Variant.recorded("GRU-2-4") == Variant("GRU-2", 4)
    assert sorted(["GRU-8", "SA-2", "GRU-16", "A-2", "base", "S-16", "S-8"], key=variant_order) == [
        "base", "S-8", "S-16", "SA-2", "A-2", "GRU-8", "GRU-16",
    ]  # fmt: skip
    for text in ("GRU", "base-2", "-2", ""):
        with pytest.raises(ConfigError, match="expected base, S-n, SA-n"):
            Variant.recorded(text)


def test_variants():
    assert str(Variant.parse("SA-8")) == "SA-8"
    assert Variant.parse("base").n == 1
    for text in ("SA8", "S-1", "T-4", ""):
        with pytest.raises(ConfigError):
            Variant.parse(text)


@pytest.mark.parametrize("sizes", [{"image_size": 48}, {"image_size": 16}, {"c_width": 0}])
def test_bad_sizes(sizes: dict[str, int]):
    with pytest.raises(ConfigError):
        ModelConfig(**sizes)  # type: ignore[arg-type]

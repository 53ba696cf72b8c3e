"""Renders a few faces; skipped where the head model is absent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("numba")

from anclaf.core.errors import AnclafError, ConfigError, CorpusError
from anclaf.data.store import PreparedCorpus
from anclaf.faces import align
from starter import corpus as module
from starter.cli import main
from starter.corpus import PART, RenderSettings, Stream, render, render_person
from starter.rig import Part, Rig, load_rig
from starter.without import PARTS

SHARED = Path(__file__).parents[2].parent / "shared"
RIG, ASSETS = SHARED / "corpus" / "ict_facekit_light_id40.npz", SHARED / "assets"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not (RIG.is_file() and ASSETS.is_dir()), reason="no head model beside the checkout"),
]


def settings(**values) -> RenderSettings:
    return replace(RenderSettings((RIG,), ASSETS, identities=2, clips=2, frames=3, stills=1, size=64, seed=5), **values)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def rig() -> Rig:
    return load_rig(RIG)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> PreparedCorpus:
    return render(settings(), tmp_path_factory.mktemp("starter") / "out")


def test_a_prepared_corpus(rendered):
    card = rendered.card
    assert (card.kind, card.source, card.crop, card.detector) == ("synthetic", "starter", "five-point", "none")
    assert (card.frames, card.clips, card.subjects, card.landmarks, card.image_size) == (14, 6, 2, 68, 64)
    assert (card.low, card.high, card.fps) == (-1, 1, 25)
    assert rendered.images(np.arange(14)).shape == (14, 64, 64, 3)
    assert np.abs(rendered.targets).max() < 1
    assert sorted(len(rows) for rows in rendered.segments()) == [1, 1, 3, 3, 3, 3]
    assert rendered.clips[0].startswith(rendered.subjects[0])
    assert not list(rendered.folder.parent.glob(".*"))
    known = rendered.columns
    assert {"head", "melanin", "turned", "pixels", "glasses"} <= set(known)
    assert known["melanin"].groupby(rendered.subjects).nunique().max() == 1
    assert known["turned"].between(0, 90).all()
    assert set(known["glasses"]) <= {"yes", "no"}


def test_landmarks_lie_on_the_crop_where_the_recipe_puts_them(rendered):
    assert rendered.landmarks_of(np.arange(14)) == 68
    for landmarks in rendered.crop_landmarks:
        five = (align.five_points(landmarks) + 1) / 2
        assert np.abs(five - align.TEMPLATE).max() < 0.15
        assert landmarks[8, 1] > landmarks[57, 1] > landmarks[30, 1] > landmarks[27, 1]  # chin, lip, nose, bridge
    assert np.abs(rendered.crop_motion[1:3]).max() > 0


def test_the_picture_shows_a_face_there(rig):
    person = module.draw_person(module.generator(5, Stream.PERSON, 0), rig, ASSETS)
    assert rig.occlusion.min() >= 0
    assert rig.occlusion.max() <= 1.01
    assert {Part.SKIN, Part.TOOTH, Part.LASH} <= set(np.unique(rig.parts))
    assert np.abs(person.head - rig.neutral).max() < 6
    clip = next(iter(render_person(settings(frames=1), 0)))
    assert clip.faces[0].std() > 12


def test_processes_change_nothing(rendered, tmp_path):
    many = settings(identities=PART + 1, clips=1, frames=1)
    one, two = render(many, tmp_path / "one"), render(many, tmp_path / "two", jobs=2)
    assert contents(one.folder) == contents(two.folder)
    same = render(settings(), tmp_path / "again")
    assert contents(same.folder) == contents(rendered.folder)


def test_a_killed_render_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    many = settings(identities=2 * PART + 1, clips=1, frames=1)
    whole = render(many, tmp_path / "whole")
    real = module._render_part

    def killed(job):
        if job[2] == 1:
            raise KeyboardInterrupt
        real(job)

    monkeypatch.setattr(module, "_render_part", killed)
    with pytest.raises(KeyboardInterrupt):
        render(many, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    done: list[int] = []
    monkeypatch.setattr(module, "_render_part", lambda job: (done.append(job[2]), real(job))[1])
    assert contents(render(many, tmp_path / "out").folder) == contents(whole.folder)
    assert done == [1, 2]
    done.clear()
    assert render(many, tmp_path / "out").card == whole.card
    assert not done


def test_parts_of_another_render_are_refused(tmp_path, monkeypatch):
    def killed(job):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "_render_part", killed)
        with pytest.raises(KeyboardInterrupt):
            render(settings(), tmp_path / "out")
    with pytest.raises(CorpusError, match="parts of a render with other settings"):
        render(settings(seed=6), tmp_path / "out")
    assert render(settings(identities=1, clips=1, stills=0), tmp_path / "out", overwrite=True).card.frames == 3


def test_look_and_label_know_nothing_of_each_other(monkeypatch):
    real = module.generator

    def reseeded(*streams: Stream):
        monkeypatch.setattr(
            module, "generator", lambda seed, stream, *where: real(seed + 77 * (stream in streams), stream, *where)
        )
        return next(iter(render_person(settings(clips=1, frames=2), 0)))

    plain = reseeded()
    other_look = reseeded(Stream.PERSON, Stream.SHOT, Stream.NOISE)
    np.testing.assert_array_equal(other_look.affect, plain.affect)
    assert np.abs(other_look.faces.astype(int) - plain.faces).mean() > 5
    drawn: list[Any] = []
    for name in ("draw_person", "draw_shot"):
        made = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, made=made: (drawn.append(made(*a)), drawn[-1])[1])
    reseeded()
    other_act = reseeded(Stream.REST, Stream.ACT)
    assert np.abs(other_act.affect - plain.affect).max() > 0.01
    person, shot, same_person, same_shot = drawn
    np.testing.assert_array_equal(person.head, same_person.head)
    np.testing.assert_array_equal(person.paint.albedo, same_person.paint.albedo)
    np.testing.assert_array_equal(shot.base, same_shot.base)
    np.testing.assert_array_equal(shot.light.sh, same_shot.light.sh)
    assert shot.lens.exposure == same_shot.lens.exposure


def test_a_smile_moves_the_corners_of_the_mouth_on_the_crop(rig):
    from starter.perform import posed

    smiling = rig.neutral + np.tensordot(posed("joy", rig.names), rig.shapes, 1)
    before, after = (align.apply(np.eye(2, 3), p[rig.landmarks][:, :2]) for p in (rig.neutral, smiling))
    assert (after[[48, 54], 1] > before[[48, 54], 1] + 0.3).all()
    assert after[54, 0] - after[48, 0] > before[54, 0] - before[48, 0] + 0.5


def command(out: Path, *more: str) -> list[str]:
    return ["render", str(out), "--rig", str(RIG), "--assets", str(ASSETS), *more]


def test_command(tmp_path, capsys):
    assert main(command(tmp_path / "out", "--identities", "1", "--stills-per-identity", "2", "--frames", "2")) == 0
    assert PreparedCorpus.open(tmp_path / "out").card.frames == 4
    assert main(["sheet", str(tmp_path / "a.png"), "--rig", str(RIG), "--assets", str(ASSETS), "--people", "1"]) == 0
    image = cv2.imread(str(tmp_path / "a.png"))
    assert image is not None
    assert image.shape == (144, 1440, 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--identities", "0"], "identities: got 0; expected 1 or more"),
        (["--jobs", "0"], "jobs: got 0; expected 1 or more"),
        (["--rig", "nowhere.npz"], "rig nowhere.npz: no such file"),
        (["--assets", "nowhere"], "assets nowhere: no hdri/*.hdr there"),
    ],
)
def test_errors_are_one_line(tmp_path, capsys, more, message):
    assert main(command(tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith(f"starter: {message}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_a_file_that_is_no_rig(tmp_path, content):
    path = tmp_path / "rig.npz"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_rig(path)


def test_another_archive_is_no_rig(tmp_path):
    np.savez(tmp_path / "rig.npz", neutral=np.zeros((4, 3)))
    with pytest.raises(AnclafError, match="no array 'polys'"):
        load_rig(tmp_path / "rig.npz")


def _one(without: tuple[str, ...] = (), identity: int = 1) -> list:
    return list(render_person(settings(without=without), identity))


@pytest.mark.parametrize("part", PARTS)
def test_one_part_held_still_leaves_the_others(part):
    acted = {"muscles", "rest"}
    placed = {"shape", "pose", "crop"} | acted
    seen = 0
    for identity in range(2):
        for clip, held in zip(_one(identity=identity), _one((part,), identity), strict=True):
            assert clip.name == held.name
            assert np.array_equal(clip.affect, held.affect) is (part not in acted)
            same = np.array_equal(clip.landmarks, held.landmarks)
            if part != "camera":  # whose noise is drawn from what draws the detector's mistakes too
                same = same and np.array_equal(clip.matrix, held.matrix)
            assert same is (part not in placed)
            seen += not np.array_equal(clip.faces, held.faces)
    assert seen or part == "worn"  # few wear anything


def test_what_is_worn_is_gone_without():
    wears = [i for i in range(12) if any(clip.known["glasses"] == "yes" for clip in _one(identity=i))]
    assert wears
    held = _one(("worn",), wears[0])
    assert {clip.known[name] for clip in held for name in ("glasses", "hat", "hand")} == {"no"}


def test_a_part_that_there_is_not():
    with pytest.raises(ConfigError, match=r"without 'wheels': expected some of shape, skin"):
        settings(without=("wheels",))

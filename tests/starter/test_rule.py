import numpy as np
import pytest

from starter.perform import EMOTIONS, FPS, perform, posed, resting_face
from starter.rule import CALM_AROUSAL, TABLE, UNITS, action_units, affect

PAIRED = [
    "browDown", "browInnerUp", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut",
    "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress", "mouthSmile",
    "mouthStretch", "mouthUpperUp", "noseSneer",
]  # fmt: skip
SINGLE = [
    "jawForward", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper",
]  # fmt: skip
NAMES = tuple(f"{stem}_{side}" for stem in PAIRED for side in "RL") + tuple(SINGLE)
REST = np.zeros(len(NAMES))


def face(frames: int = 1, /, **strengths: float) -> np.ndarray:
    weights = np.zeros((frames, len(NAMES)))
    for stem, value in strengths.items():
        weights[:, [name.split("_")[0] == stem for name in NAMES]] = value
    return weights


def judged(weights: np.ndarray, rest: np.ndarray = REST, head: float = 0.0) -> np.ndarray:
    return affect(weights, rest, NAMES, np.full(len(weights), head), FPS)[-1]


def test_a_resting_face_is_neutral_and_calm():
    np.testing.assert_allclose(judged(face()), [0, CALM_AROUSAL], atol=0.01)


def test_a_face_worked_by_hand():
    # AU 4 alone at 0.4, both sides, nobody smiles: -0.75 * 0.4 = -0.3; arousal -0.35 + 0.30 * 0.4
    valence, arousal = -0.3, CALM_AROUSAL + 0.12
    expected = [valence / (1 + valence**4) ** 0.25, arousal / (1 + arousal**4) ** 0.25]
    np.testing.assert_allclose(judged(face(browDown=0.4)), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("emotion", "valence", "arousal"),
    [
        ("joy", (0.6, 1), (-0.2, 0.6)),
        ("laughter", (0.8, 1), (0.2, 1)),
        ("sadness", (-1, -0.5), (-0.6, 0)),
        ("surprise", (-0.2, 0.4), (0.5, 1)),
        ("fear", (-1, -0.3), (0.4, 1)),
        ("anger", (-1, -0.5), (0.1, 1)),
        ("rage", (-1, -0.7), (0.4, 1)),
        ("disgust", (-1, -0.5), (-0.1, 0.6)),
        ("contempt", (-0.6, 0), (-0.5, 0.3)),
        ("sleepiness", (-0.3, 0.1), (-1, -0.5)),
    ],
)
def test_posed_emotions_lie_where_the_circle_has_them(emotion, valence, arousal):
    assert emotion in EMOTIONS
    got = judged(posed(emotion, NAMES)[None])
    assert valence[0] <= got[0] <= valence[1]
    assert arousal[0] <= got[1] <= arousal[1]


@pytest.mark.parametrize("stem", ["browDown", "cheekSquint", "noseSneer", "mouthUpperUp"])
def test_four_muscles_are_negative_only_without_a_smile(stem):
    assert judged(face(**{stem: 0.8}))[0] < -0.05
    smile = judged(face(mouthSmile=0.4))[0]
    assert judged(face(mouthSmile=0.4, **{stem: 0.8}))[0] > smile - 0.1


def test_one_s_own_rest_is_taken_off():
    rest = resting_face(np.random.default_rng(3), NAMES)
    assert rest.max() > 0.02
    np.testing.assert_allclose(judged(rest[None], rest), [0, CALM_AROUSAL], atol=0.01)
    np.testing.assert_allclose(judged(rest[None] + face(browDown=0.3), rest), judged(face(browDown=0.3)), atol=1e-6)


def test_motion_raises_arousal_and_leaves_valence():
    still, moving = face(25), face(25)
    moving[:, NAMES.index("jawOpen")] = 0.05 * np.sin(np.arange(25))
    assert judged(moving)[1] > judged(still)[1] + 0.02
    assert judged(still, head=1.0)[1] > judged(still)[1] + 0.1
    assert judged(still, head=1.0)[0] == judged(still)[0]


def test_a_smile_of_one_side_is_less():
    lopsided = face(mouthSmile=0.6)
    lopsided[:, NAMES.index("mouthSmile_L")] = 0
    assert judged(lopsided)[0] < judged(face(mouthSmile=0.3))[0]


def test_every_unit_of_the_table_is_read():
    units = action_units(face(), NAMES)
    assert set(units) == set(TABLE) == {*UNITS, 25}
    for unit in UNITS:
        strong = judged(face(**dict.fromkeys(UNITS[unit], 0.5)))
        assert not np.allclose(strong, judged(face()), atol=1e-3), unit


def test_parted_lips_need_open_lips():
    assert action_units(face(jawOpen=0.5), NAMES)[25].min() > 0.5
    assert action_units(face(jawOpen=0.5, mouthClose=0.8), NAMES)[25].max() == 0


def test_labels_stay_inside_and_fill_the_range():
    rng = np.random.default_rng(0)
    rest = resting_face(rng, NAMES)
    labels = np.concatenate([perform(rng, NAMES, rest, 4).affect for _ in range(300)])
    assert np.abs(labels).max() < 1
    assert (labels.min(0) < [-0.75, -0.3]).all()
    assert (labels.max(0) > [0.75, 0.7]).all()
    assert (labels.std(0) > [0.3, 0.2]).all()


def test_a_blink_is_no_closing_of_the_eyes():
    for seed in range(60):
        act = perform(np.random.default_rng(seed), NAMES, REST, 30)
        lids = act.weights[:, NAMES.index("eyeBlink_L")]
        if lids.max() > 0.9 and lids.min() < 0.05:
            blink = lids.argmax()
            assert np.abs(act.affect[blink] - act.affect[lids.argmin()]).max() < 0.6
            return
    raise AssertionError("nobody blinked")

import json
from collections import Counter
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from anclaf.core.errors import ConfigError, OutputError
from anclaf.corpora.afew_va import list_afew_va
from anclaf.corpora.base import LabelledFrame
from anclaf.faces import align
from anclaf.faces.detect import Detector
from anclaf.faces.haar import HaarDetector
from anclaf.faces.yunet import YuNetDetector
from anclaf.metrics.regression import ccc_score
from anclaf.synthetic.affect import perform
from anclaf.synthetic.draw import film
from anclaf.synthetic.face import face
from anclaf.synthetic.person import person
from anclaf.synthetic.puppet import write_puppet, write_puppet_video

SIZE = (192, 160)
YUNET = Path(__file__).parents[2].parent / "shared" / "models" / "yunet_n_dynamic.onnx"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("puppet") / "corpus"
    write_puppet(out, clips=7, subjects=3, frames=(4, 6), seed=5)
    return out


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_layout_is_that_of_afew_va(written: Path) -> None:
    folders = sorted(written.glob("*/*"))
    assert [str(f.relative_to(written)) for f in folders] == [f"01/{k:03d}" for k in range(1, 8)]
    actors = Counter()
    for folder in folders:
        record = json.loads((folder / f"{folder.name}.json").read_text())
        assert record["video_id"] == folder.name
        actors[record["actor"]] += 1
        assert sorted(record["frames"]) == sorted(p.stem for p in folder.glob("*.png"))
        assert sorted(record["frames"]) == [f"{t:05d}" for t in range(len(record["frames"]))]
        assert 4 <= len(record["frames"]) <= 6
    assert sorted(actors.values()) == [2, 2, 3]


def test_labels_are_whole_numbers_of_afew_vas_range_and_landmarks_lie_in_the_frame(written: Path) -> None:
    for path in written.rglob("*.json"):
        for key, frame in json.loads(path.read_text())["frames"].items():
            for name in ("valence", "arousal"):
                assert type(frame[name]) is int
                assert -10 <= frame[name] <= 10
            points = np.array(frame["landmarks"])
            image = cv2.imread(str(path.parent / f"{key}.png"))
            assert image is not None
            assert image.shape == (SIZE[1], SIZE[0], 3)
            assert points.shape == (68, 2)
            assert (points >= 0).all()
            assert (points <= np.array(SIZE) - 1).all()


def test_the_reader_of_afew_va_reads_it_back(written: Path) -> None:
    listing = list_afew_va(written)
    assert len(listing.clips) == 7
    assert not listing.skipped
    assert len({clip.subject for clip in listing.clips}) == 3
    frames = [frame for clip in listing.clips for frame in clip.frames()]
    assert len(frames) == len(list(written.rglob("*.png")))
    assert all(isinstance(frame, LabelledFrame) for frame in frames)


def test_the_number_of_workers_changes_no_byte_and_the_seed_every_picture(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"clips": 3, "subjects": 2, "frames": (2, 3)}
    write_puppet(tmp_path / "one", **arguments)
    write_puppet(tmp_path / "two", **arguments, workers=2)
    write_puppet(tmp_path / "other", **arguments, seed=1)
    one, two, other = (contents(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert not {v for k, v in one.items() if k.endswith("png")} & {v for k, v in other.items() if k.endswith("png")}


def test_progress_counts_clips(tmp_path: Path) -> None:
    seen = []
    write_puppet(
        tmp_path / "p",
        clips=2,
        subjects=1,
        frames=(1, 1),
        progress=lambda done, total, task, note="": seen.append((done, total)),
    )
    assert seen == [(1, 2), (2, 2)]


def test_an_interrupted_corpus_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int, total: int, task: str, note: str = "") -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_puppet(tmp_path / "p", clips=2, subjects=1, frames=(1, 1), progress=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clips": 0}, "clips=0"),
        ({"clips": 1000}, "clips=1000"),
        ({"clips": 3, "subjects": 4}, "subjects=4"),
        ({"subjects": 0}, "subjects=0"),
        ({"frames": (5, 4)}, "frames from 5 to 4"),
        ({"frames": (0, 4)}, "frames from 0 to 4"),
        ({"size": (64, 160)}, "64x160; expected at least 96"),
        ({"seed": -1}, "seed=-1"),
        ({"workers": 0}, "workers=0"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        write_puppet(tmp_path / "p", **arguments)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="name a new folder"):
        write_puppet(tmp_path, clips=1, subjects=1)
    with pytest.raises(OutputError, match="cannot be written"):
        write_puppet(tmp_path / "mine.txt" / "p", clips=1, subjects=1)
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_a_video_shows_what_is_returned(tmp_path: Path) -> None:
    truth = write_puppet_video(tmp_path / "a.mp4", subject=9, frames=12, seed=3, fps=30)
    again = write_puppet_video(tmp_path / "b.mp4", subject=9, frames=12, seed=3, fps=30)
    other = write_puppet_video(tmp_path / "c.mp4", subject=10, frames=12, seed=3, fps=30)
    assert truth.shape == (12, 2)
    assert (np.abs(truth) <= 1).all()
    np.testing.assert_array_equal(truth, again)
    assert not np.array_equal(truth, other)
    with av.open(str(tmp_path / "a.mp4")) as file:
        assert file.streams.video[0].average_rate == 30
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == 12
    drawn = [image.astype(int) for _, image, _ in film(person(3, 9), np.random.default_rng((3, 3, 9)), 12, 30, SIZE)]
    for t, decoded in enumerate(frames):
        loss = [np.abs(image - decoded).mean() for image in drawn]
        assert np.argmin(loss) == t
        assert loss[t] < 6


def test_a_video_that_the_codec_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="193x160; expected an even width"):
        write_puppet_video(tmp_path / "a.mp4", subject=0, frames=1, size=(193, 160))
    with pytest.raises(ConfigError, match="frames=0"):
        write_puppet_video(tmp_path / "a.mp4", subject=0, frames=0)
    assert not list(tmp_path.iterdir())


def found(detector: Detector, people: int, every: int) -> tuple[float, float]:
    """Share of frames whose face is found, and the mean distance of its five points in distances between the eyes."""
    hits, distances = [], []
    for index in range(people):
        frames = film(person(11, index), np.random.default_rng((11, index)), 12, 25, SIZE)
        for _, image, landmarks in list(frames)[index % every :: every]:
            points = align.five_points(landmarks)
            between = np.linalg.norm(points[1] - points[0])
            on_it = [
                f for f in detector.detect(image) if np.abs(f.points.mean(0) - points.mean(0)).max() < 0.5 * between
            ]
            hits.append(bool(on_it))
            distances += [np.linalg.norm(f.points - points, axis=1).mean() / between for f in on_it[:1]]
    return float(np.mean(hits)), float(np.mean(distances))


def test_the_haar_cascade_finds_the_faces() -> None:
    share, distance = found(HaarDetector(), people=30, every=3)
    assert share >= 0.9
    assert distance < 0.15


@pytest.mark.realdata
@pytest.mark.skipif(not YUNET.is_file(), reason="YuNet's file is not beside the checkout")
def test_yunet_finds_the_faces() -> None:
    share, distance = found(YuNetDetector(YUNET), people=30, every=3)
    assert share >= 0.95
    assert distance < 0.12


def performances(people: int, clips: int, frames: int) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Landmarks on the crop (N, 136), labels (N, 2), person (N,) and clip (N,)."""
    points, labels, who, which = [], [], [], []
    for clip in range(people * clips):
        puppet = person(2, clip % people)
        for moment in perform(puppet, np.random.default_rng((2, clip)), frames, 25):
            landmarks = face(puppet, moment).landmarks
            points.append(align.apply(align.crop_matrix(landmarks, 64), landmarks).ravel())
            labels.append((moment.valence, moment.arousal))
            who.append(clip % people)
            which.append(clip)
    return np.array(points), np.array(labels), np.array(who), np.array(which)


def windows(points: NDArray, which: NDArray, n: int) -> NDArray:
    """Mean, last, and mean absolute change of each frame's window of n; cut off at the clip's start."""
    rows = []
    for t in range(len(points)):
        window = points[max(t - n + 1, int(np.searchsorted(which, which[t]))) : t + 1]
        change = np.abs(np.diff(window, axis=0)).mean(0) if len(window) > 1 else np.zeros(points.shape[1])
        rows.append(np.concatenate([window.mean(0), window[-1], change]))
    return np.array(rows)


def test_valence_is_in_a_frame_and_arousal_in_the_motion() -> None:
    points, labels, who, which = performances(people=40, clips=2, frames=30)

    def unseen_people(features: NDArray) -> tuple[float, float]:
        model = make_pipeline(StandardScaler(), Ridge(300.0))
        estimate = np.asarray(cross_val_predict(model, features, labels, groups=who, cv=GroupKFold(5)))
        return ccc_score(estimate[:, 0], labels[:, 0]), ccc_score(estimate[:, 1], labels[:, 1])

    valence, arousal = unseen_people(points)
    valence_8, arousal_8 = unseen_people(windows(points, which, 8))
    assert 0.5 < valence < 0.9  # readable, and not given away
    assert arousal < 0.65
    assert arousal_8 > 0.7
    assert arousal_8 - arousal >= 0.15
    assert abs(valence_8 - valence) < 0.1

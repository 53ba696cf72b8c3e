"""Folders that look like gated databases, with what users report of theirs: files of the system, holes, lines too many
or too few, other tracks in folders of the same names, pictures that are none."""

import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

LFS_POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 265922\n"
WritePicture = Callable[[Path, int], None]
WriteVideo = Callable[[Path, int, int], object]


def aff_wild2(root: Path, write_picture: WritePicture, write_video: WriteVideo) -> Path:
    """Four annotated videos: `1-30-1280x720` with aligned pictures 1 to 8, but 4, of 9 lines of labels; `video 2` with
    its video of 6 frames at 15 a second alone, in upper case, of 8 lines; `pair_left`, `pair_right`, the first with
    cropped pictures only and the second with nothing but the video of both. A frame's labels are its number / 100."""
    challenge = root / "VA_Estimation_Challenge"
    for which, name, lines in (
        ("Train_Set", "1-30-1280x720", 9),
        ("Train_Set", "video 2", 8),
        ("Validation_Set", "pair_left", 3),
        ("Validation_Set", "pair_right", 3),
    ):
        labels = [f"{k / 100},{-k / 100}" for k in range(1, lines + 1)]
        if name == "1-30-1280x720":
            labels[1], labels[4], labels[5] = "-5,-5", "0.05,-5", "oops"
        path = challenge / which / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes("\r\n".join(["valence,arousal", *labels, ""]).encode())
        (path.parent / f"._{name}.txt").write_bytes(b"\0\5\x16\7")
        (path.parent / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    expressions = root / "EXPR_Classification_Challenge" / "Train_Set" / "1-30-1280x720.txt"
    expressions.parent.mkdir(parents=True)
    expressions.write_text("Neutral,Anger,Disgust\n0\n1\n")
    for number in (1, 2, 3, 5, 6, 7, 8):
        write_picture(root / "cropped_aligned" / "1-30-1280x720" / f"{number:05d}.jpg", 20 + 10 * number)
    (root / "cropped_aligned" / "1-30-1280x720" / "._00001.jpg").write_bytes(b"\0\5\x16\7")
    for number in (1, 2, 3):
        write_picture(root / "cropped" / "pair_left" / f"{number:05d}.jpg", 20 + 10 * number)
    write_video(root / "batch1" / "video 2.MP4", 6, 15)
    write_video(root / "new_vids" / "pair.avi", 4, 30)
    return root


def affectnet(root: Path, counts: Mapping[str, int], side: int = 96) -> Path:
    """train_set and val_set with so many pictures each, numbered from 10: valence is -0.5, -0.49 …, arousal 0.25, as
    texts of no dimension; landmarks in the middle of the picture."""
    rng = np.random.default_rng(0)
    points = (rng.uniform(0.3, 0.7, (68, 2)) * side).round(2)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (side, side, 3)).astype(np.uint8), (9, 9), 3)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    for which, count in counts.items():
        images, annotations = root / which / "images", root / which / "annotations"
        images.mkdir(parents=True)
        annotations.mkdir()
        for number in range(10, 10 + count):
            (images / f"{number}.jpg").write_bytes(jpeg)
            for part, value in (("val", f"{-0.5 + number % 50 / 100 - 0.1:g}"), ("aro", "0.25"), ("exp", "1")):
                np.save(annotations / f"{number}_{part}.npy", np.array(value))
            np.save(annotations / f"{number}_lnd.npy", points.ravel())
    return root


CREMA_D_HEAD = (
    '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote","meanEmoResp","meanAngerResp",'
    '"meanDisgustResp","meanFearResp","meanHappyResp","meanNeutralResp","meanSadResp"'
)


def crema_d(root: Path, write_video: WriteVideo) -> Path:
    """Six clips of two actors: happy by all, a tie of anger and disgust, a single vote, votes without a level, a Git
    LFS pointer, and one whose video is not there; the votes on voice and on both are others."""
    rows = [
        (200001, (0, 0, 0, 9, 0, 0), "1001_IEO_HAP_LO", (-1, -1, -1, 60, -1, -1), "H"),
        (200002, (4, 4, 0, 0, 2, 0), "1001_DFA_ANG_XX", (50, 25, -1, -1, 100, -1), "A:D"),
        (200003, (0, 0, 0, 0, 0, 1), "1002_TIE_SAD_HI", (-1, -1, -1, -1, -1, 80), "S"),
        (200004, (0, 0, 1, 0, 0, 0), "1002_TIE_FEA_HI", (-1, -1, 0, -1, -1, -1), "F"),
        (200005, (0, 0, 0, 0, 9, 0), "1002_IWW_NEU_XX", (-1, -1, -1, -1, 90, -1), "N"),
        (200006, (0, 0, 0, 0, 9, 0), "1002_IWL_NEU_XX", (-1, -1, -1, -1, 90, -1), "N"),
        (100001, (9, 0, 0, 0, 0, 0), "1001_IEO_HAP_LO", (60, -1, -1, -1, -1, -1), "A"),
        (300001, (9, 0, 0, 0, 0, 0), "1001_IEO_HAP_LO", (60, -1, -1, -1, -1, -1), "A"),
    ]
    lines = [
        f'"{number}",{",".join(map(str, votes))},"{name}",{sum(votes)},1,"{vote}",50,{",".join(map(str, levels))}'
        for number, votes, name, levels, vote in rows
    ]
    results = root / "processedResults"
    results.mkdir(parents=True)
    (results / "tabulatedVotes.csv").write_text("\n".join([CREMA_D_HEAD, *lines]) + "\n")
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
        '1002,21,"Female","Asian","Hispanic"\n'
    )
    for name in ("1001_IEO_HAP_LO", "1001_DFA_ANG_XX", "1002_TIE_SAD_HI", "1002_TIE_FEA_HI"):
        write_video(root / "VideoFlash" / f"{name}.mp4", 3, 30)
    (root / "VideoFlash" / "1002_IWW_NEU_XX.flv").write_text(LFS_POINTER)
    (root / "VideoFlash" / "._1001_IEO_HAP_LO.mp4").write_bytes(b"\0\5\x16\7")
    return root


def written(value: float) -> str:
    return "NaN" if np.isnan(value) else f"{value:g}"


def carma(path: Path, ends: Sequence[float], values: Sequence[float], low: float = -100, high: float = 100) -> Path:
    head = [
        ("Time of Rating", "01-Mar-2020"), ("Multimedia File", "C:\\films\\a, b.mp4"), ("Lower Label", "Negative"),
        ("Upper Label", "Positive"), ("Minimum Value", low), ("Maximum Value", high), ("Number of Steps", 9),
        ("Second", "Rating"), ("%%%%%%", "%%%%%%"),
    ]  # fmt: skip
    lines = [",".join(f'"{cell}"' for cell in row) for row in [*head, *zip(ends, map(written, values), strict=True)]]
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    return path


def talking(path: Path, mouth: Sequence[float], fps: int) -> None:
    """A video of a face with nothing but a mouth, opened so far in each frame: -1 to 1."""
    with av.open(str(path), "w") as box:
        stream: Any = box.add_stream("mpeg4", rate=fps)
        stream.width = stream.height = 64
        stream.pix_fmt, stream.bit_rate = "yuv420p", 2_000_000
        for level in mouth:
            picture = np.full((64, 64, 3), 160, np.uint8)
            picture[int(44 - 12 * level) :, 16:48] = 30
            box.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        box.mux(stream.encode())


def points(count: int) -> np.ndarray:
    """(count, 2) pixels, spread over the middle of a frame of 64x48."""
    rng = np.random.default_rng(count)
    return rng.uniform((16, 12), (48, 36), (count, 2)).round(3)


def sewa_landmarks(number: int, count: int = 49) -> str:
    """A landmark file; the frame's number is added to x, so that a test sees which file a frame got."""
    xy = points(count) + (0.001 * number, 0)
    return "\n".join(["1.0 2.0 3.0", " ".join(["0"] * 20), " ".join(f"{v:.3f}" for v in xy.ravel())]) + "\n"


def sewa_segment(
    write_video: WriteVideo,
    root: Path,
    name: str = "C1_S003_P007_VC1_001204_001208",
    frames: int = 5,
    labels: list[int] | None = None,
    landmarks: list[int] | None = None,
    header: str = "frame_idx,value",
    row: Callable[[int, float], str] = lambda number, value: f"{number},{value:.4f}",
    video: bool = True,
) -> Path:
    """A segment with zips; `labels` and `landmarks` say which frame numbers each source has."""
    folder = root / name
    folder.mkdir(parents=True)
    if video:
        write_video(folder / f"{name}.avi", frames, 50)
    numbers = list(range(frames)) if labels is None else labels
    for dimension, base in (("Valence", 0.2), ("Arousal", 0.6)):
        with zipfile.ZipFile(folder / f"{name}-{dimension}.zip", "w") as file:
            for channel, more in (("A", 0.0), ("V", 0.1), ("AV", 0.2)):
                rows = [row(n, base + more + 0.01 * k) for k, n in enumerate(numbers)]
                text = "\n".join([header, *rows]) + "\n"
                file.writestr(f"{name}-{dimension}/{name}_{dimension}_{channel}_Aligned.csv", text)
    with zipfile.ZipFile(folder / f"{name}-Landmarks.zip", "w") as file:
        for number in list(range(frames)) if landmarks is None else landmarks:
            file.writestr(f"{name}-Landmarks/{number:06d}.txt", sewa_landmarks(number))
    (person,) = re.findall(r"_P(\d+)_", name) or ["7"]
    (folder / "metadata.ini").write_text(f"[info]\nindex=3\nsession=3\nsubject={int(person)}\n")
    return folder

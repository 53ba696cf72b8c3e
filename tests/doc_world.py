"""What the commands of the documentation are run on: a folder with everything that they name, drawn by this program or
laid out like a gated database, and small; and how a command is cut down to it."""

import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

import lookalike
from anclaf.cli.main import main
from anclaf.faces import read_video
from anclaf.synthetic.puppet import write_puppet, write_puppet_video
from doc_pages import ROOT, fenced

SHORT = shlex.split(
    "--config.stage1.steps 1 --config.stage1.batch-size 4 --config.stage1.evaluate-every 1 "
    "--config.stage1.checkpoint-every 1 --config.stage2.steps 1 --config.stage2.evaluate-every 1 "
    "--config.stage2.windows-per-step 4 --config.stage2.frames-per-step 32 --config.stage2.augmented-views 0 "
    "--config.bootstrap 10 --config.lengths 8"
)
NARROW = shlex.split(
    "--config.model.g-width 4 --config.model.d-width 4 --config.model.c-width 8 --config.model.lstm.hidden-size 12"
)
"""Not of a run that begins from the starter model, whose networks are as wide as they are."""
LESS = {
    "--device": "cpu",
    "--cpus": "1",
    "--workers": "1",
    "--jobs": "1",
    "--detector": "haar",
    "--lag": "1",
    "--fold": "0",
}
"""What these flags are given where they stand. Look-alikes are too small for a search of the lag."""
STRANGERS = 50
"""Number of the first drawn person who is in no corpus."""


@dataclass(frozen=True)
class World:
    """folder: everything that a page's commands may name, but for what they make themselves."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "World":
        write_puppet(folder / "AFEW-VA", clips=9, subjects=9, frames=(9, 10), size=(112, 96))
        for number in range(9):
            name = f"C1_S{number:03d}_P{number:03d}_VC1_001204_001212"
            lookalike.sewa_segment(_write_film, folder / "SEWA", name, frames=9)
        (folder / "rendered").symlink_to("AFEW-VA")
        for number, name in enumerate(("talk", "talks/one", "talks/two")):
            _write_film(folder / f"{name}.mp4", 12, 25, STRANGERS + number)
        (folder / "videos").mkdir()
        _write_tables(folder)
        _write_ratings(folder)
        lookalike.aff_wild2(folder / "Aff-Wild2", _write_picture, _write_film)
        _write_affectnet(folder / "AffectNet")
        _write_crema_d(folder / "CREMA-D")
        _write_omg(folder)
        world = cls(folder)
        for words in (
            "prepare afew-va AFEW-VA afew --kind real", "prepare sewa SEWA sewa --kind real",
            "prepare table others.csv others --kind real", "prepare table faces.csv photos --kind real",
            "train afew --out run --recipe small --comparators ridge-8@detected --threads 1",
        ):  # fmt: skip
            world.run([*words.split(), *(SHORT + NARROW if words.startswith("train") else [])], folder)
        for name, same in (("afew60", "afew"), ("sewa12", "sewa"), ("mine", "others"), ("heads", "afew")):
            (folder / name).symlink_to(same)
        (folder / "other").symlink_to("run")
        return world

    def run(self, words: list[str], folder: Path) -> None:
        """Run a command in a folder, in this process. Pictures of reports stay blank: tests/report/ draws them."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            if "report" in words[:2]:
                leave_pictures_blank(patch)
            try:
                code = main(words)
            except SystemExit as end:
                code = end.code
        assert not code, shlex.join(words)

    def page(self, folder: Path, blocks: Sequence[Sequence[list[str]]]) -> None:
        """Run a page's commands in a folder. A block has what blocks before it made, and what the world has of what
        none has made; what it makes itself is not there when it begins."""
        everything = [words for block in blocks for words in block]
        for block in blocks:
            making = {made(words) for words in block} - {""}
            for path in (folder / name for name in making):
                if path.is_symlink():
                    path.unlink()
                elif path.exists():
                    shutil.rmtree(path)
            for one in self.folder.iterdir():
                if one.name == "talks":  # results may be written into it
                    shutil.copytree(one, folder / one.name, dirs_exist_ok=True)
                elif one.name not in making and not (folder / one.name).exists():
                    (folder / one.name).symlink_to(one)
            for words in block:
                self.run(self.cut(words, everything), folder)

    def cut(self, words: list[str], page: Iterable[list[str]]) -> list[str]:
        """A command that does the same on less: look-alikes in place of databases, a step in place of a thousand, one
        fold of three, the base model alone unless another is used on the page, one process, no GPU."""
        words = [word.replace("/data/", f"{self.folder}/").replace("/mnt/shared/", "shared-") for word in words]
        if words[0] == "pull":  # what the page has pushed to a folder, whose fingerprint nobody knows before
            words = ["pull", f"shared-{words[2]}", words[2]]
        train, plan = words[0] == "train", words[:2] == ["grid", "plan"]
        for flag, value in LESS.items():
            words = put(words, flag, value, add=False)
        if train or plan:
            if "official" not in words:
                words = put(words, "--of" if plan else "--folds", "3")
            if plan:
                words = put(words, "--folds", "0")
            later = any(word.startswith(f"{made(words)}/fold0/S") for other in page for word in other)
            words = words if later else put(words, "--variants", "base")
            words = words if "--comparators" in words else put(words, "--comparators", "mean")
            extra = SHORT if "starter" in words else SHORT + NARROW
            for flag, value in zip(extra[::2], extra[1::2], strict=True):
                words = put(words, flag, value)
        if words[0] == "export" and "--int8" in words:  # of a model that learnt nothing, CCC is chance
            words = put(words, "--int8-loss", "2")
        return [*words, "--threads", "1"] if train else words


def leave_pictures_blank(patch: pytest.MonkeyPatch) -> None:
    """Pictures of matplotlib are composed, but not drawn, which is what takes long."""
    patch.setattr(Figure, "savefig", lambda figure, path, **_: Path(path).write_bytes(b""))


def put(words: list[str], flag: str, value: str, add: bool = True) -> list[str]:
    """The words with another value of a flag, or with it and its value at their end."""
    if flag in words:
        place = words.index(flag) + 1
        return [*words[:place], value, *words[place + 1 :]]
    return [*words, flag, value] if add else words


def made(words: Sequence[str]) -> str:
    """The folder that a command makes in the folder where it runs; "" where it makes none."""
    if words[0] == "prepare":
        plain = [word for word in words[2:4] if not word.startswith("-")]
        return plain[1] if len(plain) == 2 else ""
    if words[0] in ("export", "pull"):
        return words[2] if len(words) > 2 else ""
    out = Path(words[words.index("--out") + 1]) if "--out" in words else Path()
    return "" if out.suffix else out.name if len(out.parts) == 1 else ""


def _write_film(path: Path, frames: int, fps: int, person: int = STRANGERS) -> NDArray[np.float64]:
    """Somebody drawn, as H.264 whatever the name says; (T, 2) valence and arousal of the frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    film = path.with_suffix(".mp4")
    shown = write_puppet_video(film, subject=person, frames=frames, fps=fps)
    film.rename(path)
    return shown


def _write_picture(path: Path, level: int) -> None:
    """Somebody drawn, whom the level decides."""
    film = path.with_suffix(".mp4")
    _write_film(film, 1, 25, STRANGERS + level)
    cv2.imwrite(str(path), next(iter(read_video(film))).image[..., ::-1])
    film.unlink()


def _write_tables(folder: Path) -> None:
    """others.csv: frames of videos; faces.csv and labels.csv: pictures; what two other tools say of the videos."""
    rng = np.random.default_rng(0)
    frames, pictures = [], []
    for number in range(9):
        person = {"subject": f"Person {number}", "sex": "fm"[number % 2], "age": 20 + number}
        film = folder / "videos" / f"{number}.mp4"
        _write_film(film, 9, 25, STRANGERS + 10 + number)
        said = {"valence": 0.0, "arousal": 0.0}
        for k, frame in enumerate(read_video(film)):
            said = dict(zip(said, rng.uniform(-1, 1, 2).round(3), strict=True))
            frames.append({"video": f"videos/{number}.mp4", "frame": k} | said | person)
            if k in (0, 8):
                picture = folder / "videos" / f"{number}-{k}.png"
                cv2.imwrite(str(picture), frame.image[..., ::-1])
                pictures.append({"image": f"videos/{picture.name}"} | said | person)
    pd.DataFrame(frames).to_csv(folder / "others.csv", index=False)
    for name in ("faces", "labels"):
        pd.DataFrame(pictures).to_csv(folder / f"{name}.csv", index=False)
    for name in ("rival", "openface", "emonet"):
        table = pd.DataFrame(frames)[["video", "frame", "valence", "arousal"]]
        table[["valence", "arousal"]] = (table[["valence", "arousal"]] + rng.normal(0, 0.2, (len(table), 2))).clip(
            -1, 1
        )
        table.to_csv(folder / f"{name}.csv", index=False)


def _write_ratings(folder: Path) -> None:
    """ratings.csv as docs/own-videos.md has it, with more people; its videos, and CARMA's files that it names."""
    (table,) = fenced((ROOT / "docs" / "own-videos.md").read_text(encoding="utf-8"), "csv")
    rows = [line.split(",") for line in table.splitlines()]
    for name in ("cy", "di", "ed", "fay", "gil", "hal", "ida"):
        rows.append([f"{name}.mp4", "r1", f"{name}-r1-valence.csv", f"{name}-r1-arousal.csv", name.title(), "30"])
    (folder / "ratings.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    rng = np.random.default_rng(0)
    films, ends = dict[str, NDArray[np.float64]](), np.arange(1, 29) / 2
    for video, _, valence, arousal, *_ in rows[1:]:
        if video not in films:
            films[video] = _write_film(folder / video, 32, 4, STRANGERS + 20 + len(films))
        for name, shown in ((valence, films[video][:, 0]), (arousal, films[video][:, 1])):
            late = np.interp(ends - 0.25 - 1.5, np.arange(32) / 4, shown)
            said = np.clip(100 * late + rng.normal(0, 3, len(ends)), -100, 100)
            lookalike.carma(folder / name, ends.tolist(), said.round(1).tolist())


def _write_crema_d(root: Path) -> None:
    """The look-alike, with eight more actors, happy or sad by all."""
    lookalike.crema_d(root, _write_film)
    with open(root / "processedResults" / "tabulatedVotes.csv", "a") as votes:
        for actor in range(1003, 1011):
            for name, said in (
                (f"{actor}_IEO_HAP_LO", (9, 0, "H", 60, -1)),
                (f"{actor}_IEO_SAD_LO", (0, 9, "S", -1, 60)),
            ):
                happy, sad, vote, much, sadly = said
                row = f'0,0,0,{happy},0,{sad},"{name}",9,1,"{vote}",50,-1,-1,-1,{much},-1,{sadly}'
                votes.write(f'"{199000 + actor + sad}",{row}\n')
                _write_film(root / "VideoFlash" / f"{name}.mp4", 3, 30, STRANGERS + actor)


def _write_affectnet(root: Path) -> None:
    """The look-alike, with pictures and arousal that differ."""
    lookalike.affectnet(root, {"train_set": 20, "val_set": 6})
    for number, path in enumerate(sorted(root.glob("*/images/*.jpg"))):
        picture = cv2.imread(str(path))
        assert picture is not None
        cv2.imwrite(str(path), np.roll(picture, 7 * number, 1))
        np.save(path.parents[1] / "annotations" / f"{path.stem}_aro.npy", np.array(f"{number % 9 / 10}"))


def _write_omg(folder: Path) -> None:
    rows = ["link,start,end,video,utterance,arousal,valence,EmotionMaxVote"]
    for number in range(3):
        _write_film(folder / "Videos" / f"v{number}" / "utterance_1.mp4", 4, 25, STRANGERS + 40 + number)
        rows.append(f"https://example.org/{number},0,1.5,v{number},utterance_1.mp4,0.25,-0.5,4")
    (folder / "omg_TrainVideos.csv").write_text("\n".join(rows) + "\n")

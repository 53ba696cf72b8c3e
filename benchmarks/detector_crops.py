"""Whether a detector's crops serve a model as well as the landmark crops that it was trained on.

    python benchmarks/detector_crops.py CORPUS PREPARED RUN --fold 0 --yunet FILE

The videos of a fold's test clips go through `AffectEstimator`, and CCC with the labels is compared with that of the
run's own predictions, which are of the prepared corpus's landmark crops, on the same frames.
"""

import argparse
import json
from pathlib import Path

import pandas as pd
from predict_speed import Known

from anclaf.config import StreamOptions
from anclaf.data.store import PreparedCorpus
from anclaf.faces.detect import Detector, Face, make_detector
from anclaf.faces.frames import read_video
from anclaf.inference.estimator import AffectEstimator
from anclaf.metrics.regression import ccc_score

KEYS = ["clip", "frame"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="folder of a SEWA-layout corpus, with CLIP.avi or CLIP.mp4 in it")
    parser.add_argument("prepared", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--yunet", type=Path, help="YuNet's ONNX file; without it Haar alone is compared")
    parser.add_argument("--variants", nargs="+", default=["base", "S-8", "SA-8"])
    arguments = parser.parse_args()
    fold = arguments.run / f"fold{arguments.fold}"
    clips = json.loads((fold / "split.json").read_text())["test"]
    index = PreparedCorpus.open(arguments.prepared).index.set_index(KEYS).loc[clips]
    landmark = pd.concat(map(pd.read_parquet, fold.glob("*/predictions.parquet"))).set_index(["variant", *KEYS])
    videos = {
        clip: next(p for suffix in ("avi", "mp4") for p in arguments.corpus.rglob(f"{clip}.{suffix}")) for clip in clips
    }
    print(f"{'detector':8} {'variant':8} {'frames':>12} {'V crops':>9} {'V landm.':>9} {'A crops':>9} {'A landm.':>9}")
    for spec in ([f"yunet:{arguments.yunet}"] if arguments.yunet else []) + ["haar"]:
        detector = make_detector(spec)
        faces = {clip: found(detector, video) for clip, video in videos.items()}
        for variant in arguments.variants:
            tables = []
            for clip, video in videos.items():
                estimator = AffectEstimator.load(fold / variant, detector=Known(faces[clip]))
                rows = estimator.predict(video, StreamOptions(faces="largest")).assign(clip=clip)
                tables.append(rows.dropna(subset=["valence", "arousal"]).set_index(KEYS))
            got = index.join(pd.concat(tables)[["valence", "arousal"]], rsuffix="_crop", how="inner")
            got = got.join(landmark.loc[variant][["valence_hat", "arousal_hat"]], how="inner")
            scores = [
                ccc_score(got[f"{name}_{kind}"], got[name])
                for name in ("valence", "arousal")
                for kind in ("crop", "hat")
            ]
            print(
                f"{detector.name:8} {variant:8} {len(got):5} / {len(index):4}", *(f"{score:9.3f}" for score in scores)
            )


def found(detector: Detector, video: Path) -> list[list[Face]]:
    return [detector.detect(frame.image) for frame in read_video(video)]


if __name__ == "__main__":
    main()

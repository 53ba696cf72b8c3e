"""Do estimates tell expressions apart? For a corpus of photographs that say which expression each shows.

    anclaf prepare table labels.csv photos --kind real          # labels.csv with a column `expression`
    anclaf evaluate starter/base starter/S-8 photos --out test
    python benchmarks/expressions.py test photos

For each model that was evaluated: the area under the ROC curve by which valence tells happiness from neutral faces and
from negative ones (anger, contempt, disgust, fear, sadness), arousal tells surprise from neutral ones, and valence
neutral faces from angry ones; and the correlation with the labels. In brackets 95 % intervals over people.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from anclaf.data.store import PreparedCorpus

NEGATIVE = ("anger", "contempt", "disgust", "fear", "sadness")
RESAMPLES = 1000


def auc(higher: pd.Series, lower: pd.Series) -> float:
    """Probability that one of `higher` is above one of `lower`; NaN where one is empty."""
    if not len(higher) or not len(lower):
        return np.nan
    return float(roc_auc_score(np.repeat([1, 0], [len(higher), len(lower)]), np.concatenate([higher, lower])))


def of(rows: pd.DataFrame, *expressions: str) -> pd.DataFrame:
    return rows[rows["expression"].isin(expressions)]


SCORES: dict[str, Callable[[pd.DataFrame], float]] = {
    "happy/neutral, V": lambda t: auc(of(t, "happiness")["valence_hat"], of(t, "neutral")["valence_hat"]),
    "happy/negative, V": lambda t: auc(of(t, "happiness")["valence_hat"], of(t, *NEGATIVE)["valence_hat"]),
    "surprise/neutral, A": lambda t: auc(of(t, "surprise")["arousal_hat"], of(t, "neutral")["arousal_hat"]),
    "neutral/anger, V": lambda t: auc(of(t, "neutral")["valence_hat"], of(t, "anger")["valence_hat"]),
    "r valence": lambda t: float(np.corrcoef(t["valence_hat"], t["valence"])[0, 1]),
    "r arousal": lambda t: float(np.corrcoef(t["arousal_hat"], t["arousal"])[0, 1]),
}


def draws(rows: pd.DataFrame) -> Iterator[NDArray[np.int64]]:
    """Rows of people drawn with replacement, `RESAMPLES` times."""
    rng = np.random.default_rng(0)
    of_person = list(rows.groupby("subject", sort=True).indices.values())
    for _ in range(RESAMPLES):
        yield np.concatenate([of_person[i] for i in rng.integers(0, len(of_person), len(of_person))])


def interval(rows: pd.DataFrame, score: Callable[[pd.DataFrame], float]) -> NDArray[np.float64]:
    """(2,) of a bootstrap that draws people."""
    return np.nanpercentile([score(rows.iloc[drawn]) for drawn in draws(rows)], [2.5, 97.5])


def shown(corpus: Path) -> pd.DataFrame:
    """Which expression each clip of a corpus shows: clip, expression."""
    photos = PreparedCorpus.open(corpus)
    if "expression" not in photos.columns:
        raise SystemExit(f"{corpus}: no column `expression`")
    return pd.DataFrame({"clip": photos.clips, "expression": photos.columns["expression"]}).drop_duplicates("clip")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluation", type=Path, help="what `anclaf evaluate` wrote")
    parser.add_argument("corpus", type=Path, help="the prepared corpus that it evaluated")
    arguments = parser.parse_args()
    known = shown(arguments.corpus)
    print(f"{'':24s}" + "".join(f"{name:>27s}" for name in SCORES))
    for path in sorted((arguments.evaluation / "estimates").glob("*.parquet")):
        rows = pd.read_parquet(path).merge(known, on="clip", validate="many_to_one")
        rows = rows[rows["valence_hat"].notna()]
        cells = []
        for score in SCORES.values():
            low, high = interval(rows, score)
            cells.append(f"{score(rows):.3f} [{low:.3f}, {high:.3f}]")
        print(f"{path.stem:24s}" + "".join(f"{cell:>27s}" for cell in cells))
        if path.stem.startswith("0-"):
            counts = ", ".join(f"{name} {count}" for name, count in rows["expression"].value_counts().items())
            print(f"{'':24s}{len(rows)} photographs of {rows['subject'].nunique()} people: {counts}")


if __name__ == "__main__":
    main()

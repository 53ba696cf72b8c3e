"""Estimates of a network on a prepared corpus: frame by frame, and over windows."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from anclaf.config import WindowMode
from anclaf.core import windows
from anclaf.core.labels import label_quadrant
from anclaf.data.store import PreparedCorpus
from anclaf.faces.align import crop_motion
from anclaf.metrics.regression import metrics
from anclaf.models.network import AffectNetwork, Latents, to_input


def labelled_quadrants(network: AffectNetwork, corpus: PreparedCorpus, rows: NDArray[np.int64]) -> Tensor | None:
    """(N,) the quadrants that a network which needs labels is given of these rows; None for all others.

    A wrong one is drawn among the three others once for each row of the corpus: were it, say, always the next one, it
    would tell as much as the right one.
    """
    if not network.config.needs_labels:
        return None
    given = label_quadrant(*corpus.targets[rows].T)
    if network.config.quadrant_source == "false":
        given = (given + np.random.default_rng(0).integers(1, 4, len(corpus))[rows]) % 4
    return torch.from_numpy(given)


@torch.inference_mode()
def latents_of(
    network: AffectNetwork, corpus: PreparedCorpus, rows: NDArray[np.int64], device: torch.device | str
) -> Latents:
    """Z and Q of these rows' faces as they are."""
    labelled = labelled_quadrants(network, corpus, rows)
    image = to_input(torch.from_numpy(corpus.images(rows)).to(device))
    return network.latents(image, None if labelled is None else labelled.to(device))


@torch.inference_mode()
def features_of(
    network: AffectNetwork,
    corpus: PreparedCorpus,
    rows: NDArray[np.int64],
    device: torch.device | str,
    batch: int = 256,
) -> Tensor:
    """(N, F) x of these rows, each computed once."""
    return features_and_quadrants(network, corpus, rows, device, batch)[0]


@torch.inference_mode()
def features_and_quadrants(
    network: AffectNetwork,
    corpus: PreparedCorpus,
    rows: NDArray[np.int64],
    device: torch.device | str,
    batch: int = 256,
) -> tuple[Tensor, Tensor]:
    """(N, F) x of these rows, and their Q (N, 4), each computed once."""
    network.eval()
    x, q = list[Tensor](), list[Tensor]()
    for i in range(0, len(rows), batch):
        latents = latents_of(network, corpus, rows[i : i + batch], device)
        x.append(network.features(latents))
        q.append(latents.q)
    return torch.cat(x), torch.cat(q)


@torch.inference_mode()
def estimate_of_frames(network: AffectNetwork, x: Tensor) -> NDArray[np.float32]:
    """Base model: (N, 2) valence and arousal in [-1, 1] units of (N, F) features."""
    network.eval()
    return network.estimate(x[:, None]).affect[:, 0].float().cpu().numpy()


@torch.inference_mode()
def estimate_windows(
    network: AffectNetwork,
    x: Tensor,
    motion: Tensor,
    segments: Sequence[NDArray[np.int64]],
    n: int,
    mode: WindowMode,
    only: NDArray[np.int64] | None = None,
    batch: int = 512,
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Sequence models: estimates of frames from windows of n.

    Args:
        x: (N, F) features. motion: (N, 4) of the crop. segments: positions in them of each segment of consecutive
            frames. only: positions whose estimates are wanted, all by default; windows that give none of them are not
            looked at.

    Returns:
        (N, 2) estimates, NaN where `tumbling` dropped a frame or it is not wanted; and for a head that attends
        (N, K) attention to K previous states (`Head.reach`): [i, j] is the weight that frame i gives to the state j + 1
        frames before it, NaN where there is none.
    """
    network.eval()
    head, reach = network.head, network.head.reach(n)
    out = np.full((len(x), 2), np.nan, np.float32)
    attention = np.full((len(x), reach), np.nan, np.float32) if head.attends else None
    wanted = np.ones(len(x), np.bool_) if only is None else np.isin(np.arange(len(x)), only)
    for length, index in _grouped(segments, n, head.lead_in, mode, wanted):
        for i in range(0, len(index), batch):
            part = index[i : i + batch]
            places = torch.from_numpy(part).to(x.device)
            got = network.estimate(x[places], motion[places])
            # a sliding window speaks for its last frame, a tumbling one for all of its frames
            steps = range(length - n, length) if mode == "tumbling" else range(length - 1, length)
            for t in steps:
                out[part[:, t]] = got.affect[:, t].float().cpu().numpy()
                if attention is not None and got.attention is not None and t > 0:
                    first = max(0, t - reach)
                    weights = got.attention[:, t, first:t].flip(1)
                    attention[part[:, t], : t - first] = weights.float().cpu().numpy()
    out[~wanted] = np.nan
    return out, attention


def _grouped(
    segments: Sequence[NDArray[np.int64]], n: int, lead_in: int, mode: WindowMode, wanted: NDArray[np.bool_]
) -> list[tuple[int, NDArray[np.int64]]]:
    """Windows of one length together, each with up to `lead_in` frames before it.

    Args:
        wanted: (N,) of which positions.

    Returns:
        (length, (windows, length) positions).
    """
    by_length: dict[int, list[NDArray[np.int64]]] = {}
    for segment in segments:
        if mode == "tumbling":
            for start in windows.tumbling(len(segment), n):
                window = segment[max(0, start - lead_in) : start + n]
                if wanted[window[-n:]].any():
                    by_length.setdefault(len(window), []).append(window)
        else:
            for end in np.flatnonzero(wanted[segment]) + 1:
                window = segment[max(0, end - n - lead_in) : end]
                by_length.setdefault(len(window), []).append(window)
    return [(length, np.stack(group)) for length, group in sorted(by_length.items())]


def estimate_rows(
    network: AffectNetwork,
    corpus: PreparedCorpus,
    rows: NDArray[np.int64],
    model_fps: float,
    device: torch.device | str,
) -> NDArray[np.float32]:
    """(N, 2) valence and arousal in [-1, 1] units of rows of any corpus, sorted: of a base model frame by frame, of a
    sequence model from the window that ends at each, shorter where a segment begins.

    Args:
        model_fps: frame rate that the model was trained at; where the corpus has k times as many frames a second, the
            frames of a window are k apart (`stride`).
    """
    return estimate_from_features(network, corpus, rows, features_of(network, corpus, rows, device), model_fps)


def estimate_from_features(
    network: AffectNetwork, corpus: PreparedCorpus, rows: NDArray[np.int64], x: Tensor, model_fps: float
) -> NDArray[np.float32]:
    """`estimate_rows` of features (N, F) that are there."""
    if network.variant.kind == "base":
        return estimate_of_frames(network, x)
    apart = stride(corpus.card.fps, model_fps)
    segments = [segment[first::apart] for segment in corpus.segment_positions(rows) for first in range(apart)]
    segments = [segment for segment in segments if len(segment)]
    moved = np.zeros((len(rows), 4), np.float32)
    for segment in segments:
        moved[segment] = crop_motion(corpus.matrices[rows[segment]], corpus.card.image_size)
    motion = torch.from_numpy(moved).to(x.device)
    return estimate_windows(network, x, motion, segments, network.variant.n, "sliding")[0]


def stride(fps: float, model_fps: float) -> int:
    """How many frames lie between two of a window, counting one of them, so that it covers about as much time as in
    training; 1 where a frame rate is not known (0)."""
    return max(1, round(fps / model_fps)) if fps > 0 and model_fps > 0 else 1


def predictions_table(
    corpus: PreparedCorpus, rows: NDArray[np.int64], name: str, estimate: NDArray[np.floating]
) -> pd.DataFrame:
    """A table with the columns of `scores.COLUMNS`: labels and estimates in the corpus's own units.

    Args:
        name: of the model or comparator.
        estimate: (len(rows), 2) in the corpus's units; rows without one (NaN) are left out.
    """
    columns = ["clip", "subject", "frame", "time_s", "valence", "arousal"]
    labels = corpus.index.iloc[rows][columns].reset_index(drop=True)
    known = np.isfinite(estimate).all(1)
    table = labels[known].copy()
    table.insert(0, "variant", name)
    return table.assign(valence_hat=estimate[known, 0], arousal_hat=estimate[known, 1])


TRUSTS = (0.0, 0.5, 1.0)
"""How far appearance may be trusted."""


def choose_trust(network: AffectNetwork, score: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Set the network's `trust` to where its score is best, and return that score and the `trust`.

    Appearance tells who somebody is, so that on the people of training it always helps; how much it helps others can
    only be seen on others.

    Args:
        score: of the network as it is, on people whom it was not trained on; the highest `ccc` is best.
    """
    if network.landmarks is None:
        return score()
    found: list[tuple[float, dict[str, float]]] = []
    for trust in TRUSTS:
        network.trust.fill_(trust)
        found.append((trust, score()))
    # NaN (estimates that do not vary) is never the best
    trust, best = max(found, key=lambda one: -np.inf if np.isnan(one[1]["ccc"]) else one[1]["ccc"])
    network.trust.fill_(trust)
    return best | {"trust": trust}


def agreement_score(estimate: NDArray, target: NDArray) -> dict[str, float]:
    """CCC and RMSE of V, of A and their means, leaving out frames without an estimate: what validation looks at."""
    known = np.isfinite(estimate).all(1)
    valence, arousal = (metrics(estimate[known, d], target[known, d], 0.0) for d in (0, 1))
    return {
        "ccc": (valence["ccc"] + arousal["ccc"]) / 2,
        "valence_ccc": valence["ccc"],
        "arousal_ccc": arousal["ccc"],
        "valence_rmse": valence["rmse"],
        "arousal_rmse": arousal["rmse"],
    }

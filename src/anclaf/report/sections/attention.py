"""Attention weights: the paper's figures 3 and 4, and its section 4.4 as a correlation."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from anclaf.core.words import DASH, count, interval_text, number_text
from anclaf.evaluation.attention_motion import OFFSETS, AttentionScores, Correlation, attended, landmark_motion
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import Variant
from anclaf.report.figures.attention import Window, attention_against_plain, attention_by_length
from anclaf.report.figures.curves import closest
from anclaf.report.figures.motion import attention_and_motion
from anclaf.report.markup import bullets, paragraph, plain_table
from anclaf.report.page import Page
from anclaf.report.sections.curves import middle_clip

_LONGEST = 150
"""Of a longer clip, in frames, figure 4 shows only the part in which the labels change most."""


def parts(run: RunFolder, page: Page) -> Iterable[str]:
    attending = [name for kind in run.attending for name in run.of_kind(kind)]
    if not attending:
        yield paragraph("No SA variant was trained, so there are no attention weights to show.")
        return
    stored = {} if run.fold is None else {name: run.attention(run.fold, name) for name in attending}
    found = {name: both for name, both in stored.items() if both is not None}
    if found and all(weights.shape[1] < 2 for _, weights in found.values()):
        attend = "attends" if len(attending) == 1 else "attend"
        yield paragraph(
            f"{' and '.join(attending)} {attend} to one frame, whose weight is always 1: there is nothing to show."
        )
        return
    lacking = [name for name in attending if name not in found]
    if lacking:
        yield paragraph(f"The attention weights of {', '.join(lacking)} are not in the run's folder.")
    if not any(np.isfinite(weights).all(1).any() for _, weights in found.values() if weights.shape[1] > 1):
        yield paragraph("No test frame has a full window of three frames or more, so there are no weights to compare.")
        return
    if run.corpus is not None:
        yield paragraph("The faces are from the corpus, whose licence may not allow you to pass this page on.")
    else:
        yield paragraph(f"Faces and the motion of the landmarks are left out: {run.corpus_trouble}.")
    for kind in run.attending:
        own = {name: both for name, both in found.items() if Variant.recorded(name).kind == kind}
        if own:
            yield from _figure_3(run, page, own, kind)
            yield from _figure_4(run, page, own, kind)
    yield from _section_4_4(run, page)


_Stored = Mapping[str, tuple[pd.DataFrame, NDArray[np.float32]]]


def _trained_from(run: RunFolder, name: str) -> list[str]:
    """The model with the same window that this one was trained from and compared with (S-n of SA-n), if it has one."""
    n, compared = Variant.recorded(name).n, {pair["b"] for pair in run.metrics.get("paired") or [] if pair["a"] == name}
    return [other for other in run.variants if other in compared and Variant.recorded(other).n == n]


def _picture(name: str, kind: str) -> str:
    """What a picture of this kind of model is called."""
    return name if kind == "SA" else f"{name}-{kind}"


def _figure_3(run: RunFolder, page: Page, stored: _Stored, kind: str) -> Iterable[str]:
    """S-8 against SA-8, or the longest pair there is."""
    choosing = [name for name, (_, w) in stored.items() if w.shape[1] > 1 and np.isfinite(w).all(1).any()]
    full = {Variant.recorded(name).n: name for name in choosing}
    plains = {n: plain for n, name in full.items() for plain in run.predicted(_trained_from(run, name))}
    if not plains:
        without = "S-n" if kind == "SA" else "a model of the same window that it is trained from"
        yield paragraph(f"No {kind}-n has {without} beside it to be compared with (figure 3).")
        return
    n = 8 if 8 in plains else max(plains)
    attending, plain = full[n], plains[n]
    table, weights = stored[attending]
    clip = middle_clip(table[_has_full(table, weights)], 3 * n)
    mine = np.flatnonzero((table["clip"] == clip).to_numpy())
    own, shown = table.iloc[mine], weights[mine]
    rows, moved = _in_corpus(run, own)
    windows = [
        Window(
            title, end, shown[end], None if rows is None else _faces(run, rows[end] - np.arange(weights.shape[1] + 1))
        )
        for title, end in _two_windows(shown, moved)
    ]
    assert run.fold is not None
    both = pd.concat([run.predictions(run.fold, [plain]), table])
    part = both[both["clip"] == clip]
    yield page.picture(
        _picture("figure-3", kind),
        lambda theme: attention_against_plain(
            part, plain, attending, windows, run.caption, run.scale.middle, theme
        ),
        f"Valence and arousal through clip {clip} by {plain} and {attending}, and {len(windows)} windows with the "
        "attention weight of each frame below its face.",
        f"{plain} against {attending} through clip {clip}, the middle one of the test clips for {attending} (compare "
        "figure 3 of the paper). Scores in the legends are of that clip. Below, windows of the shaded parts: each bar "
        "is the weight of the frame whose face is above it, the oldest on the left; dashed: what it would be if all "
        "were equal; framed: the frame estimated.",
        faces=run.corpus is not None,
    )  # fmt: skip


def _in_corpus(run: RunFolder, table: pd.DataFrame) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Rows of the prepared corpus and their motion; None where there is no corpus."""
    if run.corpus is None:
        return None, None
    rows = run.corpus_rows(table)
    return rows, landmark_motion(run.corpus)[rows]


def _faces(run: RunFolder, rows: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    return None if run.corpus is None else run.corpus.images(rows)


def _has_full(table: pd.DataFrame, weights: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Rows of the clips with a full window."""
    clips = table["clip"].to_numpy(str)
    return np.isin(clips, np.unique(clips[np.isfinite(weights).all(1)]))


def _two_windows(weights: NDArray[np.floating], moved: NDArray[np.floating] | None) -> list[tuple[str, int]]:
    """Ends of the full windows in which the face moves the most and the least; without landmarks, those of the most
    concentrated and the most even weights."""
    ends = np.flatnonzero(np.isfinite(weights).all(1))
    n = weights.shape[1] + 1
    names, amount = ("the most concentrated weights", "the most even weights"), (weights[ends] ** 2).sum(1)
    if moved is not None:
        names = ("where the face moves most", "where the face moves least")
        amount = np.array([np.nansum(moved[max(0, end - n + 1) : end + 1]) for end in ends])
    most, least = int(ends[amount.argmax()]), int(ends[amount.argmin()])
    return [(names[0], most)] if most == least else [(names[0], most), (names[1], least)]


def _figure_4(run: RunFolder, page: Page, stored: _Stored, kind: str) -> Iterable[str]:
    """All SA-n, or those of another kind, through a clip and over a part of it as long as the longest window."""
    names = list(stored)
    reference, _ = stored[names[0]]
    longest = max(weights.shape[1] + 1 for _, weights in stored.values())
    clip = middle_clip(reference, longest)
    truth = reference[reference["clip"] == clip]
    first, last = closest(truth[["valence", "arousal"]].to_numpy(np.float64), _LONGEST)
    truth = truth.iloc[first:last]
    frames = truth["frame"]
    weights: dict[str, NDArray[np.floating]] = {}
    tables: list[pd.DataFrame] = []
    for name, (table, own) in stored.items():
        mine = (table["clip"] == clip).to_numpy() & table["frame"].isin(frames).to_numpy()
        tables.append(table[mine])
        weights[name] = pd.DataFrame(own[mine], index=table["frame"][mine]).reindex(frames).to_numpy()
    rows, moved = _in_corpus(run, truth)
    lively = truth[["valence", "arousal"]].to_numpy(np.float64)
    if moved is not None:
        lively = np.nan_to_num(moved).cumsum()[:, None]
    start, stop = closest(lively, longest)
    faces = None if rows is None else _faces(run, rows[start:stop])
    part = pd.concat(tables)
    cut = f", its frames {first} to {last - 1}" if len(truth) == _LONGEST else ""
    motion = (
        "the motion of the landmarks since the frame before, in sides of the crop, and " if rows is not None else ""
    )
    yield page.picture(
        _picture("figure-4", kind),
        lambda theme: attention_by_length(
            part, weights, (start, stop), faces, moved, run.metrics, run.caption, theme
        ),
        f"Valence and arousal through clip {clip} by {', '.join(names)}; the attention weights of each over frames "
        f"{start} to {stop - 1}; their scores.",
        f"All {kind}-n through clip {clip}{cut}, the middle one for {names[0]} of the clips long enough (compare "
        f"figure 4 of the paper). Below, frames {start} to {stop - 1}, where the face moves most: {motion}for each "
        f"{kind}-n windows side by side: a bar for the weight of each frame, a dot at the frame estimated, dashed what "
        "the weights would be if all were equal. The legend has the scores on all test frames.",
        faces=run.corpus is not None,
    )  # fmt: skip


def _section_4_4(run: RunFolder, page: Page) -> Iterable[str]:
    corpus = run.corpus
    if corpus is None:
        return
    scores: dict[str, AttentionScores] = {}
    by_offset: dict[str, list[Correlation]] = {}
    for name in (name for kind in run.attending for name in run.of_kind(kind)):
        found = [run.attention(fold, name) for fold in run.folds]
        parts = [(table, weights, run.corpus_rows(table)) for table, weights in filter(None, found)]
        if not parts or parts[0][1].shape[1] < 2:
            continue
        windows = attended(corpus, parts)
        own = windows.scores()
        if own.localisation.frames == 0:
            continue
        scores[name] = own
        by_offset[name] = [windows.correlation(offset, beyond_place=True) for offset in OFFSETS]
    if not scores:
        yield paragraph(
            "The weights cannot be compared with the motion of the landmarks: no full window has landmarks that move."
        )
        return
    names = list(scores)
    whole, beyond = [one.localisation for one in scores.values()], [one.beyond_place for one in scores.values()]
    by_lag = {name: np.array(one.by_lag) for name, one in scores.items()}
    yield "<h3>Do the weights follow the movements of the face?</h3>"
    yield paragraph(
        "The paper (section 4.4) finds by inspection that weights are higher where the face changes. Measured here: "
        "for every test frame with a full window, Spearman's correlation within the window between the weight of each "
        "state and how far the landmarks moved since the frame before, on the aligned crop; then the mean over frames. "
        "The 95 % intervals are over subjects. Because weights may depend on the position in the window alone (left "
        "panel), each lag's mean weight is subtracted in the second column."
    )
    yield bullets([*verdicts(names, whole, beyond), _heaviest(by_lag)])
    yield paragraph(
        "Intensity is the same question across windows: Spearman's correlation between how concentrated the weights "
        "are (the sum of their squares) and the mean motion of the window. Place is the share of the weights' variance "
        "that how far back a state is explains by itself (R²): at 1 every frame looks at the same places, whatever "
        "there is to be seen."
    )
    heads = ["", "test frames", "subjects", "localisation", "minus each lag's mean", "intensity", "place (R²)"]
    rows = [
        [name, count(one.localisation.frames), count(one.localisation.subjects)]
        + [
            f"{number_text(c.value)} {interval_text(c.low, c.high) or DASH}"
            for c in (one.localisation, one.beyond_place, one.intensity, one.place)
        ]
        for name, one in scores.items()
    ]
    yield plain_table(heads, rows, "Attention weights, the motion of the landmarks, and place; 95 % intervals")
    yield page.picture(
        "motion",
        lambda theme: attention_and_motion(by_lag, whole, beyond, by_offset, run.corpus_words, theme),
        "Mean attention weight by lag, and the correlation of weight and landmark motion of "
        + ", ".join(f"{name} {number_text(c.value)}" for name, c in zip(names, whole, strict=True)) + ".",
        "Attention weight against the motion of the landmarks (section 4.4 of the paper). Left: the mean weight of the "
        "states by how far back they are. Middle: the correlation within windows, with 95 % intervals. Right: "
        "the same minus each lag's mean, with the motion that many frames after the state (above 0: the face moves "
        "later).",
    )  # fmt: skip


def verdicts(names: Sequence[str], whole: Sequence[Correlation], beyond: Sequence[Correlation]) -> Iterable[str]:
    """The correlations in words, a sentence for each of the two."""
    for what, found in (("The weights as they are", whole), ("Beyond each lag's mean weight", beyond)):
        by_sign: dict[str, list[str]] = {}
        for name, one in zip(names, found, strict=True):
            side = "above" if one.low > 0 else "below" if one.high < 0 else "open"
            by_sign.setdefault(side, []).append(f"{name} ({number_text(one.value)})")
        said = [
            words.format(", ".join(by_sign[side]))
            for side, words in (
                ("above", "higher where the face moves more, as the paper says, in {}"),
                ("below", "lower where the face moves more, against the paper, in {}"),
                ("open", "no relation is shown in {}"),
            )
            if side in by_sign
        ]
        yield f"{what}: {'; '.join(said)}."


def _heaviest(by_lag: Mapping[str, NDArray[np.float64]]) -> str:
    said = [
        f"{name} {number_text(float(mean.max()))} to the state {int(mean.argmax()) + 1} frames back (uniform: "
        f"{number_text(1 / len(mean))})"
        for name, mean in by_lag.items()
    ]
    return f"The largest mean weight is given by {', '.join(said)}."

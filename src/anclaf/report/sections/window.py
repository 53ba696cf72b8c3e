"""Scores against the window's length, and the best length."""

from collections.abc import Iterable

from anclaf.core.words import fold_words, interval_text, number_text
from anclaf.evaluation.window_length import Optimum, optimum
from anclaf.experiment.run_folder import RunFolder
from anclaf.models.spec import Variant
from anclaf.report.figures.window import metric_by_length
from anclaf.report.markup import bullets, paragraph
from anclaf.report.page import Page


def parts(run: RunFolder, page: Page, name: str = "window") -> Iterable[str]:
    """name: of the picture."""
    kinds = [kind for kind in run.kinds if kind != "base"]
    if not kinds:
        yield paragraph("Only the base model was trained, which sees one frame at a time: there is no window to vary.")
        return
    yield bullets(_best(run, kind) for kind in kinds)
    yield paragraph(
        "Best is by the CCC averaged over valence and arousal. In the paper 8 frames were best, 160 ms at 50 frames a "
        "second."
    )
    numbers = [f"{variant} {number_text(run.score(variant, 'arousal', 'ccc'))}" for variant in run.variants]
    yield page.picture(
        name,
        lambda theme: metric_by_length(run.metrics, run.corpus_words, run.fps, theme),
        "CCC and RMSE of valence, arousal and their mean against the window length. Arousal CCC: "
        f"{', '.join(numbers)}.",
        "CCC (above, higher is better) and RMSE (below, lower is better) against the window's length in frames and, on "
        f"top, in milliseconds, tested on {fold_words(run.metrics.get('folds') or [])}. Vertical lines: 95 % "
        "intervals. Rings: the best length. Dashed: the best comparators. The paper shows this in tables 1 and 2 "
        "and figure 4.",
    )


def _best(run: RunFolder, kind: str) -> str:
    """The best length of a kind of model, and which others are not shown to be worse on these people."""
    best = run.best(kind)
    assert best is not None
    said = f"{best}, {_lasts(run, Variant.recorded(best).n)}, has the highest CCC of {kind}-n ({_ccc(run, best)})."
    if len(run.of_kind(kind)) == 1:
        return f"{said} No other length of {kind}-n was trained."
    tables = {Variant.recorded(name).n: run.by_seed(name) for name in run.of_kind(kind)}
    found = optimum(tables, run.scale.middle, int(run.metrics.get("resamples") or 1000))
    if found is None:
        return (
            f"{said} Whether other lengths are as good cannot be tested: it takes every length's predictions on two "
            "people or more."
        )
    return f"{said} {_differences(found, kind)}"


def _differences(found: Optimum, kind: str) -> str:
    alike = [n for n in found.alike if n != found.n]
    worse = {n: behind for n, behind in sorted(found.behind.items()) if n not in alike}
    said: list[str] = []
    if alike:
        said.append(f"Not shown to be worse by the paired bootstrap over subjects: {_named(kind, alike)}.")
    if worse:
        gaps = ", ".join(f"{kind}-{n} by {interval_text(low, high)}" for n, (low, high) in worse.items())
        said.append(f"Worse (95 % interval of the difference): {gaps}.")
    if not alike:
        said.append("So every other length is shown to be worse.")
    shares = ", ".join(f"{kind}-{n} {100 * share:.0f} %" for n, share in sorted(found.share.items()) if share >= 0.005)
    said.append(f"Share of the resamples in which each is the best: {shares}.")
    return " ".join(said)


def _named(kind: str, lengths: Iterable[int]) -> str:
    return ", ".join(f"{kind}-{n}" for n in lengths)


def _ccc(run: RunFolder, name: str) -> str:
    entry = run.metrics["variants"][name].get("mean") or {}
    low, high = (entry.get("ci95") or {}).get("ccc") or (None, None)
    interval = "" if low is None or high is None else f" {interval_text(low, high)}"
    return number_text(run.score(name, "mean", "ccc")) + interval


def _lasts(run: RunFolder, n: int) -> str:
    return f"{1000 * n / run.fps:.0f} ms at {run.fps:g} frames a second" if run.fps > 0 else f"{n} frames"

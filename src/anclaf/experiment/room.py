"""Room on the disk for stage 2's latents: how much they take, said and checked before they are computed."""

import shutil
from collections.abc import Sequence

from anclaf.core.errors import OutputError
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import Job
from anclaf.training.latents import frame_bytes


def latent_bytes(fold: Fold) -> int:
    """Bytes of a fold's latents: training rows in all views, validation and test rows as they are."""
    split, config = fold.split, fold.run.config
    frames = len(split.train) * (1 + config.stage2.augmented_views) + len(split.validation) + len(split.test)
    init = fold.run.init
    points = fold.corpus.landmarks_of(split.train) if init is None else init.spec.points
    return frames * frame_bytes(config, points)


def bytes_at_once(jobs: Sequence[Job], written: bool = True) -> int:
    """Bytes of the latents among these jobs: of all where they are kept, otherwise of the largest fold, for each fold's
    go when its models are done.

    Args:
        written: count what is on the disk already, too.
    """
    kept = largest = 0
    for job in jobs:
        if job.kind == "latents":
            needed = latent_bytes(Fold.of(job.run, job.fold))
            if not written:
                needed -= sum(path.stat().st_size for path in job.folder.rglob("*.npy"))
            largest = max(largest, needed)
            kept += needed if job.run.keep_latents else 0
    return max(kept, largest)


def check_room(jobs: Sequence[Job]) -> None:
    """Check that the disk has room for the latents among these jobs, beside those that it has already.

    Raises:
        OutputError: it has not.
    """
    needed = bytes_at_once(jobs, written=False)
    if needed <= 0:
        return
    out = jobs[0].run.out
    free = shutil.disk_usage(next(path for path in (out, *out.absolute().parents) if path.exists())).free
    if needed > free:
        raise OutputError(
            f"{out}: stage 2's latents take {size_text(needed)} at a time, and the disk has {size_text(free)} free; "
            "make room, use an --out on another disk, or fewer --config.stage2.augmented-views"
        )


def room_words(jobs: Sequence[Job]) -> str:
    """How much the latents take, in words; nothing where there are none."""
    if not (needed := bytes_at_once(jobs)):
        return ""
    kept = any(job.run.keep_latents for job in jobs)
    how = "and stay" if kept else "at a time; each fold's go when its models are done"
    return f"latents of stage 2 take {size_text(needed)} on the disk {how}"


def size_text(count: int) -> str:
    """Bytes as `131 kB`, `50.3 GB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.0f} kB"

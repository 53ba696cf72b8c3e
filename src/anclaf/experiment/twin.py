"""Comparators that another run of the same grid has done already: the same settings on the same people.

A comparator sees none of what an ablation takes out, and `paper` and `as-written` train theirs alike. So each run of a
grid has its comparators, and each of them is trained once; but for those that start from the run's own base model.
"""

import shutil

from anclaf.experiment import job_record
from anclaf.experiment.job import Job
from anclaf.experiment.job_folder import JobFolder


def twin_of(job: Job) -> JobFolder | None:
    """The folder of a done job of the same fingerprint, in another run of this grid on this corpus."""
    if not job.run.name:  # not of a grid
        return None
    runs = job.run.out.parents[1]  # of this corpus: RECIPE/seedN
    for path in sorted(runs.glob(f"*/*/{job.folder.relative_to(job.run.out)}/job.json")):
        files = JobFolder(path.parent)
        record = job_record.read(files) if files.path != job.folder else None
        if record is not None and record.state == "done" and record.fingerprint == job.fingerprint:
            return files
    return None


def copy_twin(twin: JobFolder, job: Job) -> None:
    """Copy what a twin has left, without its record, its lock and its board."""
    own = {twin.record, twin.lock}
    for path in sorted(twin.path.iterdir()):
        if path.is_file() and path not in own:
            shutil.copy2(path, job.folder / path.name)

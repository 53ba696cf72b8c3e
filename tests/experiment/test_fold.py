"""A fold's jobs: what is made, from what, and what a change of settings makes anew."""

from dataclasses import replace
from pathlib import Path

from anclaf.comparators.registry import COMPARATORS
from anclaf.config import RunConfig
from anclaf.data.store import PreparedCorpus
from anclaf.experiment.fold import Fold
from anclaf.experiment.job import LATENTS, Job, RunSpec
from anclaf.models.spec import Variant
from tiny_run import CONFIG


def test_the_graph_of_a_fold(jobs: dict[str, Job]):
    assert list(jobs) == ["base", LATENTS, "S-2", "S-4", "SA-4", "S-4+", "mean", "ridge-1"]
    assert jobs[LATENTS].parents == ("base",)
    assert jobs["S-2"].parents == ("base", LATENTS)
    assert jobs["SA-4"].parents == ("S-4", LATENTS)
    assert jobs["S-4+"].parents == ("S-4", LATENTS, "SA-4")
    assert [jobs[name].as_many_as for name in ("SA-4", "S-4+")] == [(), ("SA-4",)]
    assert jobs["mean"].parents == ()
    assert jobs["SA-4"].id == "r/fold0/SA-4"
    assert jobs["SA-4"].parent_ids == ["r/fold0/S-4", "r/fold0/latents"]
    assert [jobs[name].kind for name in ("SA-4", LATENTS, "mean")] == ["model", "latents", "comparator"]
    assert len({job.fingerprint for job in jobs.values()}) == len(jobs)


def test_a_change_of_settings_changes_what_depends_on_it(corpus: PreparedCorpus, tmp_path: Path):
    def fingerprints(config: RunConfig) -> dict[str, str]:
        fold = Fold.of(RunSpec("r", corpus.folder, tmp_path, config), 0)
        jobs = fold.jobs([Variant("SA", 4)], COMPARATORS.names())
        return {job.name: job.fingerprint for job in jobs}

    def changed(config: RunConfig) -> set[str]:
        return {name for name, value in fingerprints(config).items() if value != before[name]}

    before = fingerprints(CONFIG)
    models, trained = (
        {"base", LATENTS, "S-2", "S-4", "SA-4", "S-4+"},
        {"cnn", "cnn-ma", "aeg-cd", "coherence", "tucker"},
    )
    of_base = {"ridge-1@detected", "ridge-8@detected"}
    assert changed(CONFIG) == set()
    assert changed(replace(CONFIG, stage2=replace(CONFIG.stage2, steps=7))) == models - {"base", LATENTS}
    assert changed(replace(CONFIG, stage1=replace(CONFIG.stage1, steps=7))) == models | of_base
    assert changed(replace(CONFIG, comparators=replace(CONFIG.comparators, tucker_rank=7))) == trained
    assert changed(replace(CONFIG, model=replace(CONFIG.model, c_width=7))) == models | trained | of_base
    assert changed(replace(CONFIG, bootstrap=70)) == set()


def test_the_seed_trains_and_the_fold_seed_divides(corpus: PreparedCorpus, tmp_path: Path):
    def people(config: RunConfig) -> list[set[str]]:
        part = Fold.of(RunSpec("r", corpus.folder, tmp_path, config), 0).split
        return [set(corpus.subjects[rows]) for rows in (part.train, part.validation, part.test)]

    def fingerprints(config: RunConfig) -> dict[str, str]:
        jobs = Fold.of(RunSpec("r", corpus.folder, tmp_path, config), 0).jobs([Variant("S", 2)], ["mean", "cnn"])
        return {job.name: job.fingerprint for job in jobs}

    trained, divided = replace(CONFIG, seed=1), replace(CONFIG, fold_seed=1)
    assert people(trained) == people(CONFIG)
    assert people(divided)[2] != people(CONFIG)[2]
    plain, of_seed = fingerprints(CONFIG), fingerprints(trained)
    assert {name for name in plain if plain[name] == of_seed[name]} == {"mean"}, "it is fitted, not trained"
    assert not fingerprints(divided).items() & plain.items()


def test_comparators_that_need_a_sequence_are_left_out_of_stills(make_corpus, tmp_path: Path):
    stills = make_corpus(subjects=40, clips=1, frames=1, fps=0)
    jobs = Fold.of(RunSpec("", stills.folder, tmp_path, CONFIG), 0).jobs([], COMPARATORS.names())
    assert [job.name for job in jobs] == ["mean", "ridge-1", "svr", "cnn", "aeg-cd", "tucker"]

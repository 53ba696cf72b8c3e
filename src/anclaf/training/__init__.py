"""Stage 1, stage 2, and the loop, phases and caches that they share."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.training.curriculum import Lesson as Lesson
    from anclaf.training.curriculum import parse_variants as parse_variants
    from anclaf.training.curriculum import plan as plan
    from anclaf.training.latents import FreshLatents as FreshLatents
    from anclaf.training.latents import LatentCache as LatentCache
    from anclaf.training.latents import LatentSource as LatentSource
    from anclaf.training.latents import write_latents as write_latents
    from anclaf.training.metric_log import MetricLog as MetricLog
    from anclaf.training.phases import Phase as Phase
    from anclaf.training.phases import run_phases as run_phases
    from anclaf.training.stage1 import Stage1 as Stage1
    from anclaf.training.stage1 import Trained as Trained
    from anclaf.training.stage1 import train_base as train_base
    from anclaf.training.stage2 import Stage2 as Stage2
    from anclaf.training.stage2 import train_recurrent as train_recurrent
    from anclaf.training.trainer import Networks as Networks
    from anclaf.training.trainer import Schedule as Schedule
    from anclaf.training.trainer import Trainer as Trainer

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Lesson": "training.curriculum",
        "parse_variants": "training.curriculum",
        "plan": "training.curriculum",
        "FreshLatents": "training.latents",
        "LatentCache": "training.latents",
        "LatentSource": "training.latents",
        "write_latents": "training.latents",
        "MetricLog": "training.metric_log",
        "Phase": "training.phases",
        "run_phases": "training.phases",
        "Stage1": "training.stage1",
        "Trained": "training.stage1",
        "train_base": "training.stage1",
        "Stage2": "training.stage2",
        "train_recurrent": "training.stage2",
        "Networks": "training.trainer",
        "Schedule": "training.trainer",
        "Trainer": "training.trainer",
    },
)

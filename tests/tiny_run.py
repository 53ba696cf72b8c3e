"""A configuration whose whole chain of models trains in a second or two."""

from anclaf.models.spec import Sizes
from anclaf.recipes.run import RunConfig
from anclaf.training.stage1_config import Stage1Config
from anclaf.training.stage2 import Stage2Config

CONFIG = RunConfig(
    "test",
    Sizes(image_size=32, generator=4, discriminator=4, combiner=8, hidden=12),
    Stage1Config(steps=10, batch=16, evaluate_every=5, checkpoint_every=5, warmup=2, interval=2),
    Stage2Config(first_epochs=2, epochs=1, frames=32, views=1, warmup=2),
    lengths=(2, 4),
    bootstrap=50,
)

"""A configuration whose whole chain of models trains in a second or two."""

from anclaf.config import LstmConfig, ModelConfig, RunConfig, Stage1Config, Stage2Config

CONFIG = RunConfig(
    lengths=(2, 4),
    bootstrap=50,
    model=ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12)),
    stage1=Stage1Config(
        steps=10, batch_size=16, evaluate_every=5, checkpoint_every=5, warmup_steps=2, adversarial_interval=2
    ),
    stage2=Stage2Config(
        steps=6, evaluate_every=3, windows_per_step=16, frames_per_step=32, augmented_views=1, warmup_steps=2
    ),
)

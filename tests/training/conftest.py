"""A configuration of tiny networks, and a base model of it."""

import pytest
from lightning_fabric import Fabric

from anclaf.config import LstmConfig, ModelConfig, RunConfig, Stage1Config, Stage2Config
from anclaf.data.folds import Split, split
from anclaf.data.store import PreparedCorpus
from anclaf.models.network import AffectNetwork
from anclaf.training.stage1 import train_base


@pytest.fixture(scope="session")
def config() -> RunConfig:
    return RunConfig(
        model=ModelConfig(image_size=32, g_width=4, d_width=4, c_width=8, lstm=LstmConfig(hidden_size=12)),
        stage1=Stage1Config(steps=12, batch_size=16, evaluate_every=4, checkpoint_every=4, warmup_steps=2),
        stage2=Stage2Config(
            steps=6,
            evaluate_every=3,
            windows_per_step=16,
            frames_per_step=32,
            augmented_views=1,
            warmup_steps=2,
            checkpoint_every=2,
        ),
    )


@pytest.fixture(scope="session")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture(scope="session")
def fold(corpus: PreparedCorpus) -> Split:
    return split(corpus, "strict", 0)


@pytest.fixture(scope="session")
def base(
    fabric: Fabric,
    corpus: PreparedCorpus,
    fold: Split,
    config: RunConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> AffectNetwork:
    return train_base(fabric, corpus, fold, config, tmp_path_factory.mktemp("base")).network

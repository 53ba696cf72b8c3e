"""Every setting there is, without torch: what may be chosen, what it means, and which values are allowed.

Each class is frozen and checked on construction, so that a configuration that exists can be run. The text below each
field is what `anclaf train --help` prints.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal, get_args

from anclaf.core.errors import ConfigError
from anclaf.core.settings import Range, Settings

AdversarialLoss = Literal["gan", "minimax", "wgan-gp", "none"]
"""Eq. 9's log loss, with the non-saturating loss for G; the same with G's loss as printed; Wasserstein with gradient
penalty (Gulrajani et al. 2017), as in the authors' code; none."""
ClassWeighting = Literal["inverse", "count"]
"""What f_i of Eq. 10 is for a class of labels: the inverse of how often it occurs; or how often, as printed."""
Optimizer = Literal["adamw", "adam"]
"""AdamW with PyTorch's own betas; Adam with betas 0.5 and 0.999, as in the authors' code."""
RateSchedule = Literal["cosine", "constant"]
"""How learning rates go on after the warm-up: along half a cosine down to 0, or as they are."""
DiscriminatorInit = Literal["he", "plain"]
"""First weights of D's convolutions: He's, made for LeakyReLU; or PyTorch's own."""
DiscriminatorNorm = Literal["instance", "none"]
"""What is between D's convolutions: each channel of each image normalised, or nothing."""
AttentionScore = Literal["additive", "general", "location", "place"]
"""How previous states are scored: two of Luong et al.'s scores, Eq. 6, or how far back they are."""
AttentionQuery = Literal["previous", "present"]
"""Which state is S_t of Eq. 5: the one after frame t - 1, or the one that frame t would give without a context."""
QuadrantSource = Literal["reconstruction", "image", "none", "true", "false"]
"""What Q is: D's estimate on the reconstruction (the paper) or on the image itself; zeros; or, one-hot, the label's own
quadrant or a wrong one. The last two are an upper bound and a control: they need labels, which a video lacks."""
CropName = Literal["five-point", "paper"]
"""How a face is cut out: eyes, nose and mouth corners to fixed places; or the landmark box, squashed to a square."""
CropWanted = Literal["any", "five-point", "paper"]
"""Which crop a corpus must have been prepared with."""
CorpusKind = Literal["real", "synthetic", "drawn", "unknown"]
"""Whose faces a corpus holds: people who were filmed, rendered ones, those this program draws, or nobody said."""
ScaleName = Literal["unit", "signed", "afew-va", "sam5", "sam7", "sam9", "percent"]
"""A range of labels that has a name (`corpora.labels.SCALES`)."""
Protocol = Literal["strict", "paper", "official"]
"""strict: people in test are never in training. paper: what the paper's authors did. official: the database's own
training and test sets."""
WindowMode = Literal["sliding", "tumbling"]
"""sliding: each frame's window ends at it, and is shorter where a segment begins. tumbling: windows do not overlap and
the remainder of a segment is dropped, as the paper's authors do."""
LossFrames = Literal["tested", "last", "all"]
"""Which frames of a window are in stage 2's loss: those whose estimates the protocol tests (strict: the last; paper:
all), the last one, or all."""
Precision = Literal["32-true", "bf16-mixed"]
FaceChoice = Literal["all", "largest"]
PointsName = Literal["starter", "detector"]
"""Where the five points of a face that a detector found are from: looked for in the face by the starter model, or the
detector's own."""
BackendName = Literal["auto", "torch", "onnx"]
"""What runs a model: the one whose files its folder has; PyTorch; onnxruntime, of what `anclaf export` wrote."""
TableFormat = Literal["csv", "parquet"]
Engine = Literal["local", "ray"]
"""Where many runs or sources are worked on: on this machine, or on a Ray cluster."""
TABLE_SUFFIXES = tuple(f".{name}" for name in get_args(TableFormat))

LENGTHS = (2, 4, 8, 16, 32)
"""The paper's curriculum, in frames."""
DWELL_S = 0.5
"""Seconds that a quadrant must be held to count as visited. Expressions of emotion typically last half a second to four
seconds, and shorter ones are called micro-expressions; what is shorter here is mostly an estimate that trembles at the
border of two quadrants."""

PositiveInt = Annotated[int, Range(1)]
NonNegativeInt = Annotated[int, Range(0)]
NonNegative = Annotated[float, Range(0)]
Probability = Annotated[float, Range(0, 1)]
Fraction = Annotated[float, Range(0, 1, below=True)]
Positive = Annotated[float, Range(0, above=True)]
WeightLimit = Annotated[float, Range(1, or_zero=True)]


@dataclass(frozen=True)
class LstmConfig(Settings):
    """The recurrent head of ANCLaF-S and ANCLaF-SA (Eq. 4)."""

    section: ClassVar[str] = "model.lstm"

    hidden_size: PositiveInt = 512
    """Size of the LSTM's state h."""
    change_input: bool = True
    """The LSTM also sees how much x has changed since the frame before. Not in the paper, whose LSTM sees x alone."""
    residual: bool = True
    """S and SA correct what the base model says of each frame, from which they begin. Not in the paper; they would have
    to learn that again."""
    forget_bias: float = 1.0
    """Added to the forget gate's first bias, so that the LSTM remembers from the first step on; 0 is PyTorch's own."""


@dataclass(frozen=True)
class AttentionConfig(Settings):
    """Attention over previous states of ANCLaF-SA (Eq. 5-7)."""

    section: ClassVar[str] = "model.attention"

    score: AttentionScore = "additive"
    """additive: v tanh(W_a [S_t; S_i]), the concat score of Luong et al. 2015. general: theirs of that name, S_t W_a
    S_i. location: W_a S_i (Eq. 6). place: a weight for each place in the window whatever the states hold, a control."""
    query: AttentionQuery = "previous"
    """Which state asks, S_t of Eq. 5. previous: the one before frame t is seen. present: the one that frame t would
    give without a context, so that what is seen now decides where to look."""
    normalise_states: bool = False
    """States are normalised to mean 0 and variance 1 before they are scored and summed up."""
    lead_in: bool = False
    """The LSTM also reads the n frames before a window, which it does not estimate, so that every frame has n previous
    states, as the paper writes; otherwise a window's first frame has none and its last one n - 1."""
    pad_states: bool = False
    """Every frame has n previous states, as Eq. 5-7 print, without a frame from before the window: those that the
    window has not are 0, as the LSTM's first state is."""
    divide_context: bool = False
    """Divide the context by the number of states, as printed in Eq. 7."""
    attend_cell: bool = True
    """A state is [h; c], as the paper proposes; otherwise h alone, as in Luong et al. 2015."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lead_in and self.pad_states:
            raise ConfigError(
                "model.attention: lead_in and pad_states are two ways to n previous states; expected one of them"
            )


@dataclass(frozen=True)
class ModelConfig(Settings):
    """Sizes and parts of the networks. The sizes are the paper's unless a recipe changes them; `change_input` and the
    additive score are ours (docs/method.md)."""

    section: ClassVar[str] = "model"

    image_size: Annotated[int, Range(32)] = 128
    """Side of the face in pixels, a power of two."""
    g_width: PositiveInt = 16
    """Channels of G's first layer; Z has four times as many."""
    d_width: PositiveInt = 16
    """Channels of D's first layer."""
    c_width: PositiveInt = 64
    """Channels of C's first layer."""
    discriminator_init: DiscriminatorInit = "he"
    """First weights of D's convolutions. he: made for LeakyReLU, so that D's outputs depend on the face from the start.
    plain: PyTorch's own."""
    discriminator_norm: DiscriminatorNorm = "instance"
    """Between D's convolutions. instance: each channel of each face is normalised, so that D reads quadrants off new
    people's faces, whatever the light. none: nothing, as in the paper."""
    quadrant_source: QuadrantSource = "reconstruction"
    """What Q is: reconstruction (D on G(I), the paper), image (D on I), none (zeros), true or false (from the labels;
    for comparison only, such a model cannot be used on video)."""
    geometry: bool = True
    """Landmarks are found, where the corpus has any to learn from, and are a part of x beside C's features. Not in
    the paper; what C learns of few people's labels is who they are, and where landmarks are carries over to others."""
    landmark_refinements: NonNegativeInt = 2
    """How often landmarks, once found, are corrected by a closer look at what is around them; only with geometry."""
    crop_motion: bool = True
    """Sequence models also see how the crop itself moves from frame to frame (shift, scale, turn), which an aligned
    face no longer shows. Not in the paper."""
    lstm: LstmConfig = field(default_factory=LstmConfig)
    """Of S and SA."""
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    """Of SA."""
    options: dict[str, float] = field(default_factory=dict)
    """Settings of heads that other packages bring, each called KIND.NAME (docs/extending.md)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size & (self.image_size - 1):
            raise ConfigError(f"model.image_size: got {self.image_size}; expected a power of two, 32 or more")

    def sizes(self) -> "ModelConfig":
        """The same sizes, and all else by default: all that comparators are given, so that ablations share them."""
        return ModelConfig(
            self.image_size, self.g_width, self.d_width, self.c_width, lstm=LstmConfig(self.lstm.hidden_size)
        )

    @property
    def needs_labels(self) -> bool:
        """Whether the model is given each frame's quadrant, so that it cannot be used on unlabelled video."""
        return self.quadrant_source in ("true", "false")

    @property
    def judges_faces(self) -> bool:
        """Whether Q is an estimate of D's."""
        return self.quadrant_source in ("reconstruction", "image")


@dataclass(frozen=True)
class AugmentationConfig(Settings):
    """Largest change of each kind that keeps a face's valence and arousal."""

    section: ClassVar[str] = "stage1.augmentation"

    flip: Probability = 0.5
    """Probability that the face is mirrored."""
    angle: Annotated[float, Range(0, 180)] = 5.0
    """Rotation in degrees, to either side."""
    scale: NonNegative = 0.06
    """Logarithm of the scale, both sides alike."""
    stretch: NonNegative = 0.05
    """Logarithm of the scale, each side apart."""
    shift: NonNegative = 0.03
    """Shift, in sides of the face's picture."""
    brightness: Fraction = 0.35
    """Change of the mean brightness, as a part of it."""
    contrast: Fraction = 0.40
    """Change of the contrast, as a part of it."""
    gamma: NonNegative = 0.40
    """Logarithm of the exponent."""
    tint: Fraction = 0.25
    """Change of each colour channel, as a part of it."""
    noise: NonNegative = 0.05
    """Standard deviation of noise, of the range 0..1."""
    grey: Probability = 0.2
    """Probability that colour is lost."""
    erase: Probability = 0.3
    """Probability that a rectangle is covered."""
    surround: Probability = 0.6
    """Probability that what is around the face (hair, background) is painted over: it tells who somebody is, not how
    they feel."""

    @classmethod
    def none(cls) -> "AugmentationConfig":
        """One that changes nothing."""
        return cls(**dict.fromkeys((one.name for one in fields(cls)), 0.0))


@dataclass(frozen=True)
class Stage1Config(Settings):
    """How the base model is trained: G, D and C together (Eq. 9)."""

    section: ClassVar[str] = "stage1"

    steps: PositiveInt = 3000
    """Updates of C."""
    batch_size: Annotated[int, Range(4)] = 48
    """Frames a step, of all processes together; a correlation needs at least 4."""
    lr: Positive = 1e-3
    """Learning rate of C's phase."""
    optimizer: Optimizer = "adamw"
    """Of C's phase. adam: with betas 0.5 and 0.999, as the authors train everything."""
    weight_decay: NonNegative = 0.01
    """Of C's phase."""
    schedule: RateSchedule = "cosine"
    """Learning rates after the warm-up. cosine: along half a cosine down to 0. constant: as they are."""
    warmup_steps: NonNegativeInt = 50
    """Steps over which the learning rates rise."""
    clip_norm: NonNegative = 5.0
    """Largest norm of the gradient in C's phase; 0 for none."""
    dropout: Fraction = 0.3
    """Part of x that is left out before the affect layer."""
    max_class_weight: WeightLimit = 3.0
    """Largest class weight f_i/F of Eq. 10; 1 gives every frame the weight 1, 0 is no limit."""
    class_weighting: ClassWeighting = "inverse"
    """f_i of Eq. 10. inverse: of how often a class occurs, so that rare labels weigh more. count: how often, as
    printed, so that common labels do."""
    class_bins: PositiveInt = 10
    """Classes of Eq. 10: equal parts of each dimension. The authors' code has 21 of AFEW-VA, one for each label."""
    adversarial_loss: AdversarialLoss = "gan"
    """gan: Eq. 9's log loss, G's being -log D(G(I)). minimax: G's is log(1 - D(G(I))), as printed. wgan-gp: as the
    authors' code runs. none: D estimates quadrants only."""
    adversarial_lr: Positive = 5e-4
    """Learning rate of D's and G's phases (Adam)."""
    adversarial_interval: PositiveInt = 1
    """D and G are updated at every so many steps."""
    reconstruction_weight: NonNegative = 10.0
    """Of L1(G(distorted I), I) in G's loss."""
    quadrant_weight: NonNegative = 1.0
    """Of the quadrants' cross-entropy in D's and G's losses; of L_afc in AEG-CD's. 0: D learns no quadrants."""
    quadrant_lr: NonNegative = 1e-3
    """Learning rate of Q's phase (AdamW), in which D learns quadrants at every step, on I and on G(I), which is what it
    judges in use. 0, as in the paper: no such phase, D learns quadrants in its own, on I."""
    quadrant_landmarks: NonNegative = 2.0
    """Weight of landmarks in Q's phase, beside the quadrants' cross-entropy: a linear layer on D's last plane finds
    them, and is dropped after training. Without it D knows the people of training, not their expressions."""
    gradient_penalty_weight: NonNegative = 10.0
    """Of WGAN-GP's penalty in D's loss."""
    distortion_probability: Probability = 0.5
    """Probability that G's input is distorted."""
    appearance_dropout: Probability = 0.5
    """Probability that a frame's appearance, C's own features, is left out in training, so that the head learns to do
    without; how far it is trusted is then chosen on the validation people. Only where there is geometry beside it."""
    landmark_weight: Positive = 50.0
    """Of the landmarks' mean absolute error, in half sides of the crop, in C's loss; only with `model.geometry`."""
    landmark_jitter: NonNegative = 0.02
    """How far landmarks are moved before each correction, in half sides of the crop; in training, where they are found
    more precisely than on other people."""
    terms: dict[str, NonNegative] = field(default_factory=dict)
    """Weights of further terms in C's loss, by name (docs/extending.md)."""
    ema_decay: Fraction = 0.99
    """Decay of the running average of the weights, which is what is evaluated and kept; 0 for none."""
    evaluate_every: PositiveInt = 250
    """Steps between two looks at the validation people."""
    checkpoint_every: PositiveInt = 250
    """Steps between two checkpoints."""
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    """Changes of the faces, in both stages."""


@dataclass(frozen=True)
class Stage2Config(Settings):
    """How each S-n and SA-n is trained (section 3.4)."""

    section: ClassVar[str] = "stage2"

    steps: PositiveInt = 1000
    """Most updates of a model; those of a control are as many as the models have had that it is compared with."""
    evaluate_every: PositiveInt = 25
    """Steps between two looks at the validation people."""
    patience: PositiveInt = 8
    """After so many looks in a row without a better score than before, a model's training stops."""
    loss_frames: LossFrames = "tested"
    """Which frames of a window are in the loss. tested: those that the protocol tests, in strict the last one, in paper
    all; or last, or all."""
    windows_per_step: Annotated[int, Range(4)] = 128
    """Windows a step, of all processes together, with the last frame in the loss; a correlation needs at least 4."""
    frames_per_step: Annotated[int, Range(8)] = 512
    """Frames a step, of all processes together, with all frames in the loss: frames_per_step / n windows."""
    augmented_views: NonNegativeInt = 5
    """Augmented views of each clip in the latent cache, beside the plain one."""
    lr: Positive = 1e-3
    """Learning rate of the head."""
    optimizer: Optimizer = "adamw"
    """adam: with betas 0.5 and 0.999, as the authors train."""
    combiner_lr_scale: NonNegative = 0.0
    """Learning rate of C's convolutions, as a part of `lr`. 0: they stay as the base model has them, and x is computed
    once instead of in every step."""
    attention_lr_scale: NonNegative = 3.0
    """Learning rate of what attention adds to the LSTM, as a part of `lr`: it alone begins untrained."""
    weight_decay: NonNegative = 0.01
    """Of all weights trained."""
    warmup_steps: NonNegativeInt = 10
    """Steps over which the learning rates rise; then they stay, for nobody knows yet which step will be the last. What
    a falling rate does, the running average of the weights does."""
    clip_norm: NonNegative = 1.0
    """Largest norm of the gradient; 0 for none."""
    dropout: Fraction = 0.3
    """Part of x, and of its changes, that is left out before the head."""
    appearance_dropout: Probability = 0.5
    """As `stage1.appearance_dropout`, of a window."""
    max_class_weight: WeightLimit = 3.0
    """Largest class weight f_i/F of Eq. 10; 1 gives every frame the weight 1, 0 is no limit."""
    class_weighting: ClassWeighting = "inverse"
    """f_i of Eq. 10. inverse: of how often a class occurs, so that rare labels weigh more. count: how often, as
    printed, so that common labels do."""
    class_bins: PositiveInt = 10
    """Classes of Eq. 10: equal parts of each dimension. The authors' code has 21 of AFEW-VA, one for each label."""
    terms: dict[str, NonNegative] = field(default_factory=dict)
    """Weights of further terms in the loss, by name."""
    ema_decay: Fraction = 0.98
    """Decay of the running average of the weights, which is what is evaluated and kept; 0 for none."""
    checkpoint_every: PositiveInt = 50
    """Steps between two checkpoints."""


@dataclass(frozen=True)
class ComparatorConfig(Settings):
    """How the comparators that are networks are trained."""

    section: ClassVar[str] = "comparators"

    training: Stage1Config = field(default_factory=Stage1Config)
    """As the base model, without further terms; only aeg-cd has an adversary, and coherence takes pairs of adjacent
    frames, twice as many frames a step."""
    coherence_weight: Positive = 10.0
    """Of the term that keeps features of adjacent frames as near as their labels, in coherence."""
    tucker_rank: PositiveInt = 32
    """Rank of the channels in tucker's regression."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training.terms:
            raise ConfigError(
                f"comparators.training.terms: got {', '.join(self.training.terms)}; expected none, for no comparator "
                "has further terms"
            )


@dataclass(frozen=True)
class RunConfig(Settings):
    """Everything that decides a run's numbers, beside the corpus and its folds. Written whole into `run.json`."""

    seed: NonNegativeInt = 0
    """Decides the training: the first weights, the order, and every random change."""
    fold_seed: NonNegativeInt = 0
    """Decides who is in which fold, and who of the others chooses the checkpoint, so that runs that differ in `seed`
    differ by their training alone. `paper`, whose folds are blocks of clips, takes 0 only."""
    lengths: tuple[Annotated[int, Range(2)], ...] = LENGTHS
    """The curriculum's windows in frames, rising."""
    curriculum: bool = True
    """Each S-n starts from the one before; otherwise each starts from the base model."""
    crop: CropWanted = "any"
    """The crop that a corpus must have been prepared with (`anclaf prepare --crop`)."""
    bootstrap: Annotated[int, Range(10)] = 1000
    """Resamples of people for intervals."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The networks."""
    stage1: Stage1Config = field(default_factory=Stage1Config)
    """Training of the base model."""
    stage2: Stage2Config = field(default_factory=Stage2Config)
    """Training of the sequence models."""
    comparators: ComparatorConfig = field(default_factory=ComparatorConfig)
    """Training of what the models are compared with."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.lengths or list(self.lengths) != sorted(set(self.lengths)):
            raise ConfigError(f"lengths: got {self.lengths}; expected window lengths, each longer than the one before")

    def to_json(self) -> dict[str, Any]:
        """Plain values, of which `Settings.from_json` makes this configuration again."""
        return asdict(self)


@dataclass(frozen=True)
class Resources(Settings):
    """What each job runs on."""

    cpus: PositiveInt = 1
    """Threads of a job. Results are equal to the bit only where threads are equal."""
    gpus: NonNegative = 0.0
    """A job's share of GPUs on a cluster; 0.25 lets four share one."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""
    precision: Precision = "32-true"
    """32-true, or bf16-mixed on a GPU that has it."""


@dataclass(frozen=True)
class StreamOptions(Settings):
    """How the frames of a video or camera are analysed."""

    faces: FaceChoice = "all"
    """all, or largest: in each frame only the person whose face is largest."""
    windows: WindowMode = "sliding"
    """tumbling: windows that do not overlap, as the paper evaluates."""
    attention: bool = False
    """Whether the attention weights of SA models are given."""
    min_size: NonNegative = 32.0
    """A crop that covers fewer pixels of the frame along its side is `too_small`; 32 is a face of about 20."""
    min_sharpness: NonNegative = 0.012
    """A crop of less is `blurred`."""
    max_gap_s: NonNegative = 1.0
    """A person who is not seen for more seconds gets a new track."""


@dataclass(frozen=True)
class OutputOptions(Settings):
    """What is written of a source."""

    format: TableFormat = "csv"
    """Of the table."""
    overlay: bool = True
    """Write the overlay video."""
    plot: bool = True
    """Draw valence and arousal of each person over time, and their path through the circumplex."""
    overwrite: bool = False
    """Replace results that are there."""
    resume: bool = False
    """Leave complete results alone and go on with those that were broken off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resume and self.overwrite:
            raise ConfigError("resume and overwrite contradict each other; choose one")

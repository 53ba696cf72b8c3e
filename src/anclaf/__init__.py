"""ANCLaF: valence and arousal of a face, frame by frame, from video (Aspandi et al., VISAPP 2021)."""

__version__ = "0.1.0"

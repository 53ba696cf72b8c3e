"""Ratings of valence and arousal while a video plays, by people: as they come, as files, and together."""

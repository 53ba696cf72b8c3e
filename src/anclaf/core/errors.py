"""The errors that a user can cause. Each message says what was got, what was expected, and what to do."""


class AnclafError(Exception):
    """Anything that the command line answers with one line and a non-zero exit."""


class ConfigError(AnclafError):
    """A setting is out of range, contradicts another one, or has no effect."""


class CorpusError(AnclafError):
    """A corpus, on disk or prepared, is incomplete, damaged, or not of the expected layout."""


class VideoError(AnclafError):
    """A video or an image cannot be read."""


class DetectorError(AnclafError):
    """A face detector's file is missing or is not one."""


class ModelError(AnclafError):
    """A model's folder is missing, damaged, foreign, or does not fit what it is used for."""


class StaleError(AnclafError):
    """Something cached was made from other inputs than the present ones."""


class LeakError(AnclafError):
    """A model would be tested on people it was trained on."""


class RunError(AnclafError):
    """A folder is not a run's, is damaged, or has nothing to report yet."""


class TrainingError(AnclafError):
    """Training cannot start or go on (a loss that is not finite, for example)."""


class OutputError(AnclafError):
    """A result cannot be written: it exists already, the disk is full, or the folder is not writable."""


class TableError(AnclafError):
    """A table of `anclaf predict` cannot be read, or is not one."""


class TravelError(AnclafError):
    """A place that models travel to or from cannot be used, or what lies there is not the model that it says."""


class DownloadError(AnclafError):
    """A file that is fetched once cannot be had."""

"""What other packages would report to their makers stays on this machine."""

import os
from types import ModuleType

from anclaf.core.extras import naming_extras


def load_onnxruntime() -> ModuleType:
    """The package onnxruntime. Its builds of 1.29 and later send how they are used to their maker, with an identifier
    that they keep in the user's cache, unless they are told not to before they are loaded.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # who sets it to 0 wants it
    with naming_extras():
        import onnxruntime

    return onnxruntime

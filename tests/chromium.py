"""The Chromium that tests drive: looked for, or named by CHROMIUM; None where there is none."""

import os
import shutil

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

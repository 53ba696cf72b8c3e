"""The fixtures of `app_helpers` and `browsing`."""

from app_helpers import served as served
from app_helpers import steady as steady
from browsing import browser as browser
from browsing import visit as visit

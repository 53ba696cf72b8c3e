"""The fixtures of `app_helpers`."""

from app_helpers import served as served
from app_helpers import steady as steady

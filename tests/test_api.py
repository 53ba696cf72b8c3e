"""The API pages: every public name is on its package's page."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("api")
    command = [sys.executable, "-W", "error::UserWarning", str(ROOT / "docs" / "api.py"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_every_public_name_has_an_entry(pages: Path):
    start = (pages / "anclaf.html").read_text(encoding="utf-8")
    linked = re.findall(r'<li><a href="anclaf/([a-z]+)\.html">', start)
    assert {"config", "core", "inference", "losses", "metrics", "models", "recipes", "training"} <= {*linked}
    for name in ("anclaf", *(f"anclaf.{page}" for page in linked)):
        page = (pages / f"{name.replace('.', '/')}.html").read_text(encoding="utf-8")
        for public in getattr(importlib.import_module(name), "__all__", ()):
            assert f'id="{public}"' in page, f"{name}.{public}"


def test_docstrings_are_read_as_google_style(pages: Path):
    losses = (pages / "anclaf" / "losses.html").read_text(encoding="utf-8")
    assert '<h6 id="arguments">Arguments:</h6>' in losses
    assert "RMSE (Eq. 11), COR (Eq. 12)" in losses
    settings = (pages / "anclaf" / "config.html").read_text(encoding="utf-8")
    assert "Updates of C." in settings, "the text below a setting"

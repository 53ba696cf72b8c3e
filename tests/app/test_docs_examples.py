"""The client and the curl line of docs/app.md run as they stand."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app_helpers import Served, write_video

PAGE = (Path(__file__).parents[2] / "docs" / "app.md").read_text(encoding="utf-8")


def test_the_python_client(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_video(tmp_path / "talk.mp4")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    found: dict[str, str] = {}
    exec(code.replace(":8642", f":{served.port}"), found)
    assert found["state"] == "done"
    assert found["table"].startswith("frame,time_s,track,")
    assert len(found["table"].splitlines()) == 20


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_curl_line(served: Served, tmp_path: Path):
    write_video(tmp_path / "talk.mp4")
    (line,) = re.findall(r"^(curl .*?)  +#", PAGE, re.MULTILINE)
    command = line.replace(":8642", f":{served.port}")
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert '"name":"talk.mp4"' in done.stdout
    assert served.named("talk.mp4")["uploaded"]

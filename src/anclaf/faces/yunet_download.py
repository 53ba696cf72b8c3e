"""YuNet's file, downloaded once and checked."""

import hashlib
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path

from anclaf.core.errors import DetectorError
from anclaf.core.files import atomic_path
from anclaf.faces.detect import YUNET_FILE

YUNET_URL = "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/master/onnx/yunet_n_dynamic.onnx"
YUNET_SHA256 = "104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12"
YUNET_BYTES = 322_906

_INSTEAD = "Try again, or get the file by other means and name it with yunet:PATH, or use detector=haar"


def download_yunet(
    folder: Path, url: str = YUNET_URL, sha256: str = YUNET_SHA256, size: int = YUNET_BYTES, timeout_s: float = 30.0
) -> Path:
    """The file in `folder`, downloaded unless it is already there and whole.

    Args:
        folder: the cache folder; made where it is missing.
        url: http or https.
        sha256: of the file, hexadecimal. size: of the file in bytes.
        timeout_s: for the whole download.

    Raises:
        DetectorError: no connection, an answer other than the file, too slow, cut short, or other content than known.
        OutputError: the folder cannot be written.
    """
    path = Path(folder) / YUNET_FILE
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    content = _fetch(url, size, timeout_s)
    if len(content) != size:
        raise DetectorError(f"{url}: got {len(content)} bytes or more, expected {size}. {_INSTEAD}")
    if (got := hashlib.sha256(content).hexdigest()) != sha256:
        raise DetectorError(f"{url}: sha256 {got}, expected {sha256}; nothing was kept. {_INSTEAD}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return path


def _fetch(url: str, size: int, timeout_s: float) -> bytes:
    """At most one byte more than `size`."""
    if not url.startswith(("http://", "https://")):
        raise DetectorError(f"{url}: expected an http or https address")
    deadline = time.monotonic() + timeout_s
    content = b""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            # read1 returns what has come, so that a server that drips is noticed
            while len(content) <= size and (piece := answer.read1(size + 1 - len(content))):
                content += piece
                if time.monotonic() > deadline:
                    raise TimeoutError(f"more than {timeout_s:g} s")
    except urllib.error.HTTPError as error:
        raise DetectorError(f"{url}: the server answers {error.code} {error.reason}. {_INSTEAD}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DetectorError(f"{url}: cannot be downloaded ({reason}). {_INSTEAD}") from error
    return content

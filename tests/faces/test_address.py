from pathlib import Path

import pytest

from anclaf.core.errors import VideoError
from anclaf.faces.address import Address


@pytest.mark.parametrize(
    ("name", "address", "file_name"),
    [
        ("rtsp://10.0.0.5:554/cam/1", Address("rtsp://10.0.0.5:554/cam/1"), "rtsp_10.0.0.5_554_cam_1"),
        ("http://host/talk.mp4", Address("http://host/talk.mp4"), "http_host_talk.mp4"),
        ("udp://239.0.0.1:1234", Address("udp://239.0.0.1:1234"), "udp_239.0.0.1_1234"),
        ("lavfi:testsrc=size=64x48", Address("testsrc=size=64x48", "lavfi"), "lavfi_testsrc_size_64x48"),
    ],
)
def test_streams_and_devices(name: str, address: Address, file_name: str):
    assert Address.parse(name) == address
    assert str(address) == name
    assert address.name == file_name


def test_secrets_are_not_shown():
    address = Address.parse("rtsp://ann:secret@host:554/cam?token=secret")
    assert address is not None
    assert address.url == "rtsp://ann:secret@host:554/cam?token=secret"
    assert (str(address), address.name) == ("rtsp://host:554/cam", "rtsp_host_554_cam")


@pytest.mark.parametrize("name", ["talk.mp4", r"C:\talks\a.mp4", "at 10:30.mp4", "mov:talk", "a/b:c.mp4"])
def test_files(name: str):
    assert Address.parse(name) is None


def test_a_file_that_exists_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("lavfi:testsrc").touch()
    assert Address.parse("lavfi:testsrc") is None


def test_a_device_of_another_platform_is_refused():
    with pytest.raises(VideoError, match="android_camera:0: this PyAV has no input device 'android_camera'"):
        Address.parse("android_camera:0")

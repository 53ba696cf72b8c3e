"""Frames, faces found in them, and the crops that the networks see."""

from typing import TYPE_CHECKING

from anclaf.core.lazy import attach

if TYPE_CHECKING:
    from anclaf.faces.align import TEMPLATE as TEMPLATE
    from anclaf.faces.align import FaceQuality as FaceQuality
    from anclaf.faces.align import crop_matrix as crop_matrix
    from anclaf.faces.align import face_quality as face_quality
    from anclaf.faces.align import five_points as five_points
    from anclaf.faces.align import similarity as similarity
    from anclaf.faces.align import warp as warp
    from anclaf.faces.detect import DETECTORS as DETECTORS
    from anclaf.faces.detect import Detector as Detector
    from anclaf.faces.detect import Face as Face
    from anclaf.faces.detect import make_detector as make_detector
    from anclaf.faces.frames import Address as Address
    from anclaf.faces.frames import VideoFrame as VideoFrame
    from anclaf.faces.frames import probe as probe
    from anclaf.faces.frames import read_live as read_live
    from anclaf.faces.frames import read_video as read_video
    from anclaf.faces.haar import HaarDetector as HaarDetector
    from anclaf.faces.images import read_image as read_image
    from anclaf.faces.video_info import VideoInfo as VideoInfo
    from anclaf.faces.yunet import YuNetDetector as YuNetDetector
    from anclaf.faces.yunet import download_yunet as download_yunet

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "TEMPLATE": "faces.align",
        "FaceQuality": "faces.align",
        "crop_matrix": "faces.align",
        "face_quality": "faces.align",
        "five_points": "faces.align",
        "similarity": "faces.align",
        "warp": "faces.align",
        "DETECTORS": "faces.detect",
        "Detector": "faces.detect",
        "Face": "faces.detect",
        "make_detector": "faces.detect",
        "Address": "faces.frames",
        "VideoFrame": "faces.frames",
        "VideoInfo": "faces.video_info",
        "probe": "faces.frames",
        "read_image": "faces.images",
        "read_live": "faces.frames",
        "read_video": "faces.frames",
        "HaarDetector": "faces.haar",
        "YuNetDetector": "faces.yunet",
        "download_yunet": "faces.yunet",
    },
)

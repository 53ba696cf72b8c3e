"""Catmull-Clark subdivision of a mesh of quads, as a matrix that applies to whatever lies at its vertices."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack


def subdivide(quads: NDArray[np.int32], count: int) -> tuple[csr_matrix, NDArray[np.int32]]:
    """One step (Catmull and Clark 1978; DeRose et al. 1998 for edges of the surface, which stay sharp).

    Args:
        quads: (Q, 4), each edge at most twice.
        count: of vertices V; those of no quad stay where they are.

    Returns:
        (V + Q + E, V) float32, of new points from old: old vertices first, then a point for each face, then one for
        each edge; and the quads (4 Q, 4), four for each old one, in order.
    """
    sides = np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2)
    edges, edge_of, uses = np.unique(np.sort(sides, 1), axis=0, return_inverse=True, return_counts=True)
    edge_of = edge_of.reshape(-1, 4)
    faces, total = len(quads), len(edges)
    face_points = _rows(np.repeat(np.arange(faces), 4), quads.ravel(), np.full(4 * faces, 0.25), (faces, count))
    middles = _rows(np.repeat(np.arange(total), 2), edges.ravel(), np.full(2 * total, 0.5), (total, count))
    rim = uses == 1
    beside = _rows(edge_of.ravel(), np.repeat(np.arange(faces), 4), np.full(4 * faces, 0.5), (total, faces))
    smooth = _scaled(0.5 * ~rim, middles + beside @ face_points) + _scaled(1.0 * rim, middles)
    touch = _rows(edges.ravel(), np.repeat(np.arange(total), 2), np.ones(2 * total), (count, total))
    corner = _rows(quads.ravel(), np.repeat(np.arange(faces), 4), np.ones(4 * faces), (count, faces))
    valence = np.asarray(touch.sum(1)).ravel()
    on_rim = np.asarray(touch @ rim).ravel()
    inner, outer = (valence > 0) & (on_rim == 0), on_rim == 2
    n = np.maximum(valence, 1)
    own = np.where(inner, (n - 3) / n, np.where(outer, 0.5, 1.0))
    old = _rows(np.arange(count), np.arange(count), own, (count, count))
    old = old + _scaled(inner / n**2, corner @ face_points) + _scaled(2 * inner / n**2, touch @ middles)
    old = old + _scaled(0.25 * outer, touch @ _scaled(1.0 * rim, middles))
    f = count + np.arange(faces)
    e = count + faces + edge_of
    fine = np.stack([np.stack([quads[:, k], e[:, k], f, e[:, k - 1]], 1) for k in range(4)], 1).reshape(-1, 4)
    return csr_matrix(vstack([old, face_points, smooth]), dtype=np.float32), fine.astype(np.int32)


def _rows(row: NDArray, column: NDArray, value: NDArray, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((value, (row, column)), shape)


def _scaled(factor: NDArray, matrix: csr_matrix) -> csr_matrix:
    return csr_matrix(matrix.multiply(np.asarray(factor, float)[:, None]))

import numpy as np

from starter.subdivide import subdivide

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
SIDES = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]], np.int32)


def test_a_cube_worked_by_hand():
    matrix, quads = subdivide(SIDES, 8)
    points = matrix @ CUBE
    assert points.shape == (8 + 6 + 12, 3)
    np.testing.assert_allclose(points[:8], CUBE * 5 / 9, atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(points[8:14]), 1), np.tile([0, 0, 1], (6, 1)), atol=1e-6)
    np.testing.assert_allclose(np.sort(np.abs(points[14:]), 1), np.tile([0, 0.75, 0.75], (12, 1)), atol=1e-6)
    a, b, _, d = (points[quads[:, k]] for k in range(4))
    assert quads.shape == (24, 4)
    assert (np.einsum("ij,ij->i", np.cross(b - a, d - a), points[quads].mean(1)) > 0).all()  # as before, from outside


def test_the_edge_of_a_sheet_stays_on_its_line_and_loose_points_stay():
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0), indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), np.zeros(12)], 1)
    k = np.array([3 * i + j for i in range(3) for j in range(2)])
    quads = np.stack([k, k + 3, k + 4, k + 1], 1).astype(np.int32)
    matrix, _ = subdivide(quads, 13)
    fine = matrix @ np.vstack([points, [[9, 9, 9]]])
    np.testing.assert_array_equal(fine[12], [9, 9, 9])
    np.testing.assert_allclose(fine[:12][(x == 1).ravel() & (y == 0).ravel()], [[1, 0, 0]], atol=1e-6)
    rim = fine[13 + 6 :]
    assert {(0.5, 0.0), (1.5, 0.0), (0.0, 0.5)} <= {(round(float(p[0]), 5), round(float(p[1]), 5)) for p in rim}
    assert fine[:, 2].max() == 9
    np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-6)

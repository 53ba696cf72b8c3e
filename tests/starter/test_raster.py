import numpy as np
import pytest

pytest.importorskip("numba")

from starter.film import _turned, rotation
from starter.light import _directions, irradiance_factors
from starter.raster import _irradiance, normals, project, rasterise, visibility
from starter.wardrobe import sphere


def drawn(pixels, triangles, thin=0, side=16):
    index = np.full((side, side), -1, np.int32)
    bary = np.zeros((side, side, 2), np.float32)
    depth = np.full((side, side), -1e9, np.float32)
    triangles = np.array(triangles, np.int32)
    rasterise(np.array(pixels, np.float32), triangles, np.full(len(triangles), thin, np.uint8), index, bary, depth)
    return index, bary, depth


CORNERS = [[2.2, 1.7, 0], [3.1, 13.2, 6], [14.3, 9.4, 3]]  # anticlockwise as seen, since y points down


def test_a_triangle_covers_the_pixel_centres_inside_it():
    index, bary, depth = drawn(CORNERS, [[0, 1, 2]])
    a, b, c = np.array(CORNERS)
    for y in range(16):
        for x in range(16):
            weights = np.linalg.solve(np.stack([[*a[:2], 1], [*b[:2], 1], [*c[:2], 1]], 1), [x + 0.5, y + 0.5, 1])
            assert (index[y, x] == 0) == bool((weights > 0).all())
            if index[y, x] == 0:
                np.testing.assert_allclose(bary[y, x], weights[:2], atol=1e-5)
                np.testing.assert_allclose(depth[y, x], weights @ [0, 6, 3], atol=1e-4)


def test_the_nearest_is_seen_in_any_order():
    near = [[p[0], p[1], 20] for p in CORNERS]
    for order in ([[0, 1, 2], [3, 4, 5]], [[3, 4, 5], [0, 1, 2]]):
        index, _, _ = drawn(CORNERS + near, order)
        assert set(np.unique(index)) == {-1, order.index([3, 4, 5])}


def test_a_back_is_seen_only_of_a_thin_sheet():
    assert drawn(CORNERS, [[0, 2, 1]])[0].max() == -1
    np.testing.assert_array_equal(drawn(CORNERS, [[0, 2, 1]], thin=1)[0], drawn(CORNERS, [[0, 1, 2]])[0])


def test_normals_of_a_sphere_point_outwards():
    points, triangles = sphere(24, 32)
    np.testing.assert_allclose(normals(points.astype(np.float32), triangles), points, atol=0.1)


def test_projection_is_that_of_a_pinhole():
    points = np.array([[0, 0, 0], [3, 4, 0], [3, 4, 50]], np.float32)
    out = np.empty_like(points)
    project(points, np.eye(3, dtype=np.float32), np.zeros(3, np.float32), 100.0, np.eye(2, 3, dtype=np.float32), out)
    np.testing.assert_allclose(out, [[0, 0, 0], [3, -4, 0], [6, -8, 50]], atol=1e-5)


def test_what_lies_behind_a_plate_is_in_shadow():
    plate = np.array([[-4, -4, 6], [4, -4, 6], [4, 4, 6], [-4, 4, 6], [0, 0, 0], [8, 0, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    lit = visibility(plate, triangles, np.array([0, 0, 1], np.float32), np.float32(0.7))
    np.testing.assert_allclose(lit, [1, 1, 1, 1, 0, 1], atol=1e-6)
    aside = visibility(plate, triangles, np.array([0.8, 0, 0.6], np.float32), np.float32(0.7))
    assert aside[4] == 1


def picture():
    rng = np.random.default_rng(0)
    direction, _ = _directions(32, 64)
    return np.exp(direction @ rng.normal(0, 0.6, (3, 3))).astype(np.float32)


def test_harmonics_give_the_irradiance_of_the_surroundings():
    image = picture()
    direction, solid = _directions(32, 64)
    sh = irradiance_factors(image)
    for normal in np.eye(3):
        cosine = np.maximum(direction @ normal, 0) * solid
        expected = (cosine[..., None] * image).sum((0, 1)) / np.pi
        got = [_irradiance(sh, normal[0], normal[1], normal[2], channel) for channel in range(3)]
        np.testing.assert_allclose(got, expected, rtol=0.03)


def test_turning_the_head_turns_the_light():
    sh = irradiance_factors(picture())
    turn = rotation(0.3, -0.7, 0.2)
    turned = _turned(sh, turn)
    for normal in np.random.default_rng(1).normal(size=(5, 3)):
        normal = normal / np.linalg.norm(normal)
        x, y, z = turn @ normal
        got = [_irradiance(turned, normal[0], normal[1], normal[2], channel) for channel in range(3)]
        expected = [_irradiance(sh, x, y, z, channel) for channel in range(3)]
        np.testing.assert_allclose(got, expected, rtol=1e-4)

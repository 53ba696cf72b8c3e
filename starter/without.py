"""What can be held still of all that varies, to see what each is worth: otherwise the same people and clips."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from anclaf.core.errors import ConfigError
from starter.film import Person, Shot
from starter.light import BACKDROP, Light

PARTS = {
    "shape": "every head is the model's mean",
    "skin": "everybody has one skin, its marks and folds too",
    "hair": "no hair but brows",
    "worn": "no hats, glasses or hands",
    "light": "the same light from everywhere, no lamp",
    "backdrop": "a grey wall",
    "pose": "all look straight ahead but for how the head moves",
    "camera": "a good camera, nothing compressed",
    "crop": "the detector makes no mistakes, and no crop leaves the picture",
    "muscles": "posed emotions alone, none of their muscles missing, no other combinations, no speech",
    "rest": "no resting faces",
}
"""Each part's name, and what is there in its place."""


def check_parts(names: Collection[str]) -> None:
    """Raises: ConfigError: there is no such part."""
    if unknown := sorted(set(names) - PARTS.keys()):
        raise ConfigError(f"without {unknown[0]!r}: expected some of {', '.join(PARTS)}")


def good_camera(shot: Shot, size: int) -> Shot:
    """The shot by a camera without faults, the face well exposed."""
    lens = replace(
        shot.lens, exposure=0.25, balance=np.ones(3, np.float32), curve=1.1, black=0.0, noise=0.0, blur=0.0,
        shutter=0.0, resolution=size, quality=0, grey=False, sharpen=0.0, soft=0.0,
    )  # fmt: skip
    return replace(shot, lens=lens)


def nothing_worn(shot: Shot, person: Person) -> Shot:
    """The shot without hats, glasses and hands."""
    return replace(shot, pieces=list(person.hair), lenses=[])


def hold(shot: Shot, person: Person, size: int, without: Collection[str]) -> Shot:
    """The shot with these of `PARTS` held still, as far as they are the shot's."""
    if "worn" in without:
        shot = nothing_worn(shot, person)
    if "light" in without:
        sh = np.zeros((9, 3), np.float32)
        sh[0] = 1.0
        shot = replace(shot, light=Light(sh, shot.light.lamp, np.zeros(3, np.float32)))
    if "backdrop" in without:
        shot = replace(shot, backdrop=np.full((BACKDROP, BACKDROP, 3), 0.2, np.float32))
    if "pose" in without:
        shot = replace(shot, base=np.zeros(3))
    if "camera" in without:
        shot = good_camera(shot, size)
    if "crop" in without:
        shot = replace(shot, error=np.zeros((5, 2)), shake=0.0, cut=np.full(4, 99.0))
    return shot

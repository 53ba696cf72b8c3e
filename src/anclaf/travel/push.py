"""A model to a folder, a store or the Hub: its spec, its networks and a card, and nothing that names a person."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from anclaf.core.arguments import checked
from anclaf.core.errors import ModelError, OutputError
from anclaf.core.files import write_json, write_text
from anclaf.models.calibration import load_calibration, save_calibration
from anclaf.models.folder import ENCODER, HEAD, POINTS, SPEC, model_folder
from anclaf.travel.card import card_text
from anclaf.travel.manifest import CARD, MANIFEST, Manifest, fingerprint_of
from anclaf.travel.stores import Store, open_store


@dataclass(frozen=True)
class Pushed:
    """where: as it was named. fingerprint: 64 hex digits, for `pull_model`. size: bytes. people: whom the model knows,
    as digests."""

    where: str
    fingerprint: str
    size: int
    people: int


@checked
def push_model(model: Path | str, dest: str, *, licence: str | None = None, overwrite: bool = False) -> Pushed:
    """Put a model where `pull_model` finds it: `model.json`, `model.safetensors` (or the two files of an export),
    `calibration.safetensors`, a card (`README.md`), and `manifest.json`, which is written last.

    The weights are written anew from what was loaded, so that nothing else travels in them. A new repository of the
    Hugging Face Hub is private.

    Args:
        model: its folder, or the name of one that comes with the package. dest: `stores.PLACES`.
        licence: of the weights, for the card. overwrite: replace the model that is there.

    Raises:
        ModelError: no model, a damaged one, or an export by an earlier version, which names people.
        TravelError: no such place, or it cannot be written. OutputError: something is there.
    """
    folder, store = model_folder(model), open_store(dest)
    if licence is not None and not licence.strip():
        raise OutputError("licence: got nothing; expected a name such as cc-by-nc-4.0, or leave it out")
    with tempfile.TemporaryDirectory(prefix="anclaf-push-") as temporary:
        staged = Path(temporary)
        people = _stage(folder, staged, licence)
        manifest = Manifest.of(staged)
        content = manifest.text
        write_text(staged / MANIFEST, content)
        _refuse_others(store, overwrite)
        store.write(staged, [*manifest.files, MANIFEST])
    return Pushed(dest, fingerprint_of(content.encode()), manifest.size, people)


def _stage(folder: Path, staged: Path, licence: str | None) -> int:
    """Write what travels; returns how many people the model knows."""
    if (folder / ENCODER).is_file():
        from anclaf.inference import onnx_backend

        backend = onnx_backend.load(folder)
        spec, calibration = backend.spec, backend.calibration
        if backend.about["spec"]["spec_version"] < 5:
            raise ModelError(f"{folder}: exported by an earlier version, with people's names in it; export it again")
        for name in (ENCODER, HEAD, POINTS):
            if (folder / name).is_file():  # an export of before has no points
                (staged / name).write_bytes((folder / name).read_bytes())
        write_json(staged / SPEC, asdict(spec))
    else:
        from anclaf.models.io import load_model, save_model

        network, spec = load_model(folder)
        calibration = load_calibration(folder, spec)
        save_model(staged, network, spec)
    if calibration is not None:
        save_calibration(staged, spec, calibration)
    write_text(staged / CARD, card_text(folder, spec, calibration, licence))
    return len(spec.subjects)


def _refuse_others(store: Store, overwrite: bool) -> None:
    there = store.names() or set()
    if MANIFEST in there and not overwrite:
        raise OutputError(f"{store.where}: a model is there; give another place, or --overwrite to replace it")
    if there and MANIFEST not in there:
        raise OutputError(
            f"{store.where}: {', '.join(sorted(there)[:3])} is there, and no model that `anclaf push` put there; "
            "give a place of its own"
        )

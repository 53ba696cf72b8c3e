"""What is each part of what varies in rendered heads worth on real faces? Each is held still, and a model trained anew.

    python benchmarks/starter_parts.py OUT PHOTOS --rig ict_facekit_light_id40.npz --assets assets

PHOTOS is a corpus with a column `expression` (benchmarks/expressions.py). The base model of the recipe `starter` learns
from the same people and clips each time, but for what is held still, for as many updates. In brackets: how far it is
from the model that learnt from all of it, with 95 % intervals over the photographs' people, who are the same for both;
chance in training is not in them, and `all again` says how large that is. The same command goes on where it stopped.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from expressions import SCORES, draws, shown

from anclaf.cli import main as anclaf

sys.path.append(str(Path(__file__).parents[1]))  # `starter` lies beside the package and is not installed

from starter.cli import main as starter
from starter.without import PARTS


def run(command: list[str], entry=anclaf.main) -> None:
    if entry(command):
        raise SystemExit(f"failed: {' '.join(command)}")


def estimates(arguments: argparse.Namespace, name: str, without: list[str], seed: int) -> pd.DataFrame:
    """What a base model says of the photographs that learnt with these parts held still."""
    heads, trained, test = (str(arguments.out / name / step) for step in ("heads", "run", "test"))
    held = [word for part in without for word in ("--without", part)]
    rigs = [word for rig in arguments.rig for word in ("--rig", str(rig))]
    run(["render", heads, *rigs, "--assets", str(arguments.assets), "--identities", str(arguments.identities),
         "--jobs", str(arguments.jobs), *held], starter)  # fmt: skip
    run(["train", heads, "--out", trained, "--recipe", "starter", "--variants", "base", "--comparators", "none",
         "--config.stage1.steps", str(arguments.steps), "--seed", str(seed), "--threads", "1", "--device", "cpu"]
        )  # fmt: skip
    run(["evaluate", f"{trained}/fold0/base", str(arguments.photos), "--out", test, "--device", "cpu"])
    (path,) = Path(test, "estimates").glob("*.parquet")
    return pd.read_parquet(path)


def compare(rows: pd.DataFrame, whole: pd.DataFrame | None) -> str:
    """The scores, and how far they are from those of `whole`, as cells of a Markdown table."""
    cells = []
    for score in SCORES.values():
        cell = f"{score(rows):.3f}"
        if whole is not None:
            found = [score(rows.iloc[drawn]) - score(whole.iloc[drawn]) for drawn in draws(rows)]
            low, high = np.nanpercentile(found, [2.5, 97.5])
            cell += f" ({score(rows) - score(whole):+.3f} [{low:+.3f}, {high:+.3f}])"
        cells.append(cell)
    return " | ".join(cells)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--rig", type=Path, action="append", required=True)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--identities", type=int, default=800)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    arguments = parser.parse_args()
    known = shown(arguments.photos)
    asked = {"all": ([], 0), "all again": ([], 1), **{f"without {part}": ([part], 0) for part in arguments.parts}}
    lines, whole = list[str](), None
    for name, (without, seed) in asked.items():
        said = estimates(arguments, name.replace(" ", "_"), without, seed)
        rows = said.merge(known, on="clip", validate="many_to_one")
        if whole is not None and not rows["clip"].equals(whole["clip"]):
            raise SystemExit(f"{name}: estimates of other photographs")
        lines.append(f"| {name} | {compare(rows, whole)} |")
        whole = rows if whole is None else whole
    print(f"| | {' | '.join(SCORES)} |\n|---|{'---|' * len(SCORES)}")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

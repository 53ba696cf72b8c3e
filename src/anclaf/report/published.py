"""The paper's tables 1 and 2 (Aspandi, Sukno, Schuller, Binefa; VISAPP 2021), and where they may be shown.

Names and bold type are as printed, errors included: in table 1 the arousal RMSE in bold is 2.225, though ANCLaF-S-8 has
2.202; and the paper spells Tellamekala in two ways.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from anclaf.core.words import count, counted
from anclaf.data.store import corpus_kind

DIMENSIONS = ("valence", "arousal", "mean")


@dataclass(frozen=True)
class PublishedRow:
    """A line of a table. values: by (metric, dimension), NaN where the paper prints a dash. bold: printed in bold."""

    name: str
    values: Mapping[tuple[str, str], float]
    bold: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class PublishedTable:
    """number: the table's number in the paper. database: its name; clips: how many it has (section 4.1)."""

    number: int
    caption: str
    database: str
    clips: int
    metrics: tuple[str, ...]
    rows: tuple[PublishedRow, ...]


def _rows(metrics: tuple[str, ...], text: str) -> tuple[PublishedRow, ...]:
    """Lines `name | nine numbers`, each metric's valence, arousal and mean; `*` before what is printed in bold."""
    columns = [(metric, dimension) for metric in metrics for dimension in DIMENSIONS]
    rows: list[PublishedRow] = []
    for line in text.strip().splitlines():
        name, _, numbers = line.partition("|")
        cells = dict(zip(columns, numbers.split(), strict=True))
        values = {key: math.nan if cell == "-" else float(cell.lstrip("*")) for key, cell in cells.items()}
        rows.append(PublishedRow(name.strip(), values, frozenset(k for k, cell in cells.items() if cell[0] == "*")))
    return tuple(rows)


_TABLE_1 = """
Baseline (Kossaifi et al., 2017)        |  2.680  2.275  2.478 *0.407  0.450 *0.429  0.290  0.356  0.323
Coherent(Tellamekalla and Valstar, 2019)|      -      -      -  0.293  0.426  0.360      -      -      -
Simul (Handrich et al., 2020)           |  2.600  2.500  2.550  0.390  0.290  0.340 *0.320  0.210  0.265
ANCLaF                                  |  2.682  2.344  2.513  0.306  0.399  0.353  0.219  0.309  0.264
ANCLaF-S-2                              |  2.675  2.295  2.485  0.314  0.410  0.362  0.236  0.296  0.266
ANCLaF-S-4                              |  2.654  2.279  2.467  0.303  0.420  0.361  0.224  0.307  0.266
ANCLaF-S-8                              |  2.595  2.202  2.398  0.328  0.425  0.377  0.272  0.344  0.308
ANCLaF-S-16                             |  2.617  2.292  2.454  0.302  0.401  0.351  0.224  0.299  0.261
ANCLaF-S-32                             |  2.568  2.328  2.448  0.288  0.405  0.346  0.214  0.304  0.259
ANCLaF-S-AVG                            |  2.622  2.279  2.450  0.307  0.412  0.360  0.234  0.310  0.272
ANCLaF-SA-2                             |  2.540  2.241  2.390  0.373  0.454  0.413  0.291  0.353  0.322
ANCLaF-SA-4                             |  2.586  2.260  2.423  0.386  0.445  0.415  0.302  0.342  0.322
ANCLaF-SA-8                             | *2.481  2.239 *2.360  0.371 *0.467  0.419  0.294 *0.367 *0.331
ANCLaF-SA-16                            |  2.601 *2.225  2.413  0.377  0.467  0.422  0.294  0.363  0.328
ANCLaF-SA-32                            |  2.581  2.256  2.419  0.361  0.436  0.399  0.270  0.332  0.301
ANCLaF-SA-AVG                           |  2.558  2.244  2.401  0.373  0.454  0.414  0.290  0.352  0.321
"""

_TABLE_2 = """
Baseline (Kossaifi et al., 2019)        |      -      -      -  0.350  0.350  0.350  0.350  0.290  0.320
Tensor (Mitenkova et al., 2019)         |  0.334  0.380  0.357  0.503  0.439  0.471  0.469  0.392  0.431
AEG-CD-SZ(Aspandi et al., 2020)         | *0.323  0.350  0.337  0.442 *0.478  0.460  0.405 *0.430  0.418
ANCLaF                                  |  0.354  0.347  0.351  0.530  0.395  0.462  0.492  0.364  0.428
ANCLaF-S-2                              |  0.349  0.345  0.347  0.533  0.396  0.464  0.503  0.368  0.436
ANCLaF-S-4                              |  0.344  0.336  0.340  0.536  0.403  0.469  0.510  0.382  0.446
ANCLaF-S-8                              |  0.341  0.339  0.340  0.538  0.404  0.471  0.514  0.381  0.448
ANCLaF-S-16                             |  0.354  0.344  0.349  0.527  0.395  0.461  0.490  0.369  0.429
ANCLaF-S-32                             |  0.353  0.346  0.349  0.527  0.396  0.461  0.494  0.368  0.431
ANCLaF-S-AVG                            |  0.348  0.342  0.345  0.532  0.399  0.465  0.502  0.374  0.438
ANCLaF-SA-2                             |  0.343  0.333  0.338  0.545  0.420  0.482  0.509  0.390  0.449
ANCLaF-SA-4                             |  0.336 *0.328 *0.332  0.550  0.429  0.490  0.526  0.399  0.463
ANCLaF-SA-8                             |  0.336  0.332  0.334 *0.558  0.424 *0.491 *0.529  0.405 *0.467
ANCLaF-SA-16                            |  0.334  0.331 *0.332  0.556  0.421  0.488  0.528  0.393  0.461
ANCLaF-SA-32                            |  0.336  0.362  0.349  0.550  0.418  0.484  0.513  0.389  0.451
ANCLaF-SA-AVG                           |  0.337  0.337  0.337  0.552  0.422  0.488  0.521  0.395  0.458
"""

AFEW_VA = PublishedTable(
    1,
    "Quantitative comparisons on the AFEW-VA dataset.",
    "AFEW-VA",
    600,
    ("rmse", "cor", "icc"),
    _rows(("rmse", "cor", "icc"), _TABLE_1),
)
SEWA = PublishedTable(
    2,
    "Quantitative comparisons on the SEWA dataset.",
    "SEWA",
    538,
    ("rmse", "cor", "ccc"),
    _rows(("rmse", "cor", "ccc"), _TABLE_2),
)

PAPER_TABLES = {"afew-va": AFEW_VA, "sewa": SEWA}
"""By a corpus card's source, which says how the corpus is laid out and not whose it is."""


def published_for(card: Mapping[str, Any]) -> PublishedTable | None:
    """The paper's table to set beside scores on a corpus: only where its card says that its people are real."""
    return PAPER_TABLES.get(str(card.get("source"))) if corpus_kind(card) == "real" else None


def apart_for(card: Mapping[str, Any]) -> PublishedTable | None:
    """The paper's table to show apart: the layout is a database's, and nobody stated whether the people are real."""
    return PAPER_TABLES.get(str(card.get("source"))) if corpus_kind(card) == "unknown" else None


def published_title(protocol: str) -> str:
    """Heads the published rows: how the authors' protocol compares with the one measured here."""
    how = {"strict": "under another protocol", "paper": "under a protocol of the same kind"}
    return f"Published by the authors, {how.get(protocol, 'under a protocol of their own')}"


def published_statements(card: Mapping[str, Any], protocol: str) -> list[str]:
    """What must be said where a table has the columns of the paper's: whose the numbers are, or why they are absent."""
    form = PAPER_TABLES.get(str(card.get("source")))
    if form is None:
        return []
    table = f"table {form.number} of Aspandi et al. 2021"
    columns = f"The columns are those of {table}, because the corpus is laid out as {form.database} is."
    kind = corpus_kind(card)
    if kind == "unknown":
        return [
            f"{columns} The paper's numbers are not beside these, because it has not been stated whether the people of "
            f"this corpus are real. If it is {form.database}, run the `anclaf prepare` command that made it again with "
            "`--kind real` (only its card changes) and then report again; if its people are rendered, with "
            "`--kind synthetic`."
        ]
    if kind != "real":
        return [f"{columns} The paper's numbers are not beside these, because it is not {form.database}."]
    how = {
        "strict": " under another protocol (contiguous blocks of clips, the checkpoint chosen on the tested block)",
        "paper": " under a protocol of the same kind",
    }
    said = [
        f"The published rows are {table}, measured by the authors on {form.database}{how.get(protocol, '')} and "
        "printed here as published, bold type included: they are no measurement of this software. Rows with a citation "
        "are other people's, as the authors quote them."
    ]
    if protocol == "paper":
        said.append(
            "Here, and in the code that the authors published, folds are contiguous blocks of clips and the checkpoint "
            "is chosen on the tested block; the paper calls its folds subject-independent. People may be in training "
            "and in test: these rows do not say how well the networks do on people they have not seen."
        )
    clips = card.get("clips")
    if clips is not None and clips != form.clips:
        said.append(
            f"This corpus has {counted(clips, 'clip')} where {form.database} has {count(form.clips)}: it is not the "
            "same material, and the two groups of rows cannot be compared."
        )
    return said

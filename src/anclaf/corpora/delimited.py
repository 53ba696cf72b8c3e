"""CSV as people write it: separated by comma, semicolon or tab, perhaps with a decimal comma."""

from io import StringIO

import numpy as np
import pandas as pd

from anclaf.core.errors import CorpusError

SEPARATORS = (",", ";", "\t")


def read_delimited(content: bytes, name: str) -> pd.DataFrame:
    """The cells as text, stripped, empty where there is nothing; column names stripped. The first line is the header.

    Raises:
        CorpusError: empty, not text, or not a table.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name}: not UTF-8 text; expected a CSV file") from error
    header = text.lstrip().partition("\n")[0]
    if not header or "\0" in header:
        raise CorpusError(f"{name}: {'not a text' if header else 'empty'}; expected a CSV file with a header line")
    separator = max(SEPARATORS, key=header.count)
    try:
        table = pd.read_csv(StringIO(text), sep=separator, dtype=str, keep_default_na=False, skipinitialspace=True)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise CorpusError(f"{name}: not a table ({' '.join(str(error).split())}); expected a CSV file") from error
    if isinstance(table.index, pd.MultiIndex) or not isinstance(table.index, pd.RangeIndex):
        raise CorpusError(f"{name}: rows have more cells than the header; expected as many")
    table = table.fillna("").apply(lambda column: column.str.strip())
    if separator != ",":
        for column in table:
            cells = table[column]
            if cells.str.fullmatch(r"[+-]?\d*,\d+|[+-]?\d*").all():
                table[column] = cells.str.replace(",", ".")
    return table.rename(columns=lambda title: str(title).strip())


def numbers(cells: pd.Series) -> np.ndarray:
    """(N,) float64; NaN where a cell holds no number."""
    return pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)

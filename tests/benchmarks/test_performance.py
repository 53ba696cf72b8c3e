"""docs/performance.md has a place for each table that `benchmarks/performance.py` writes, and it writes only there."""

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import backends
import performance
import predict_speed


@pytest.mark.parametrize("name", performance.TABLES)
def test_a_table_is_replaced_and_nothing_else(name: str):
    page = performance.PAGE.read_text()
    found = performance.replaced(page, name, "THE TABLE")
    before, after = page.partition(f"<!-- {name} -->")[0], page.partition(f"<!-- end {name} -->")[2]
    assert found.startswith(before)
    assert found.endswith(after)
    assert found[len(before) : len(found) - len(after)] == f"<!-- {name} -->\n\nTHE TABLE\n\n<!-- end {name} -->"
    assert "| " in page[len(before) : len(page) - len(after)], "a table is there"


def test_the_page_has_the_columns_that_are_written():
    page = performance.PAGE.read_text()
    for columns in (("model", *predict_speed.COLUMNS), backends.COLUMNS):
        assert backends.table(columns, []).rstrip("\n") in page


def test_a_page_without_a_place_is_refused():
    with pytest.raises(SystemExit, match="no <!-- training -->"):
        performance.replaced("<!-- networks -->\n<!-- end networks -->", "training", "")

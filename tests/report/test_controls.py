"""The table of what attention, further training and the curriculum give."""

from typing import Any

from anclaf.report.sections.controls import contrast_table, parts


def _metrics(*models: str, **differences: float) -> dict[str, Any]:
    """differences: a__b -> of the CCC of valence."""
    pairs = [name.replace("_plus", "+").replace("_", "-").split("--") for name in differences]
    return {
        "variants": {name: {} for name in models},
        "paired": [
            {
                "a": a,
                "b": b,
                "dimension": "valence",
                "metric": "ccc",
                "difference": d,
                "ci95": [d - 0.1, d + 0.1],
                "p": 1,
            }
            for (a, b), d in zip(pairs, differences.values(), strict=True)
        ],
    }


def test_attention_is_credited_with_what_it_is_ahead_of_its_control():
    metrics = _metrics(
        "base", "S-8", "S-8+", "S-8-direct", "SA-8", SA_8__S_8_plus=0.01, S_8_plus__S_8=0.05, S_8__S_8_direct=-0.02
    )
    table = contrast_table(metrics)
    assert table is not None
    assert [row[:3] for row in table.rows] == [
        ["attention", "SA-8 − S-8+", "+0.010 [-0.090, 0.110]"],
        ["further training", "S-8+ − S-8", "+0.050 [-0.050, 0.150]"],
        ["the curriculum", "S-8 − S-8-direct", "-0.020 [-0.120, 0.080]"],
    ]
    assert table.rows[0][3:] == ["–"] * 3, "what was not compared has no number"
    said = "".join(parts(metrics))
    assert "SA-8 − S-8+" in said
    assert "SA-8 − S-8<" not in said
    assert "Where there is no S-n+" not in said


def test_without_a_control_attention_is_not_credited_alone():
    metrics = _metrics("base", "S-8", "SA-8", SA_8__S_8=0.06)
    table = contrast_table(metrics)
    assert table is not None
    assert [row[0] for row in table.rows] == ["attention and further training"]
    assert "the difference may be that alone" in "".join(parts(metrics))


def test_without_contrasts_there_is_no_table():
    assert contrast_table(_metrics("base", "S-8")) is None
    assert not list(parts(_metrics("base", "S-8")))

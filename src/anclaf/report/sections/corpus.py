"""The corpus and the settings."""

import json
import math
from collections.abc import Iterable
from html import escape
from typing import Any

from anclaf.core.words import count, number, size_words
from anclaf.experiment.run_folder import Run
from anclaf.report.markup import details


def parts(run: Run) -> Iterable[str]:
    card = run.card
    skipped = card.get("skipped") or {}
    facts = [
        ("Name", run.name),
        ("Read as", card.get("source")),
        ("Size", size_words(card)),
        ("Labels", f"{card['low']:g} to {card['high']:g}" if "low" in card and "high" in card else None),
        ("Frame rate", _frame_rate(card.get("fps"))),
        (
            "Faces",
            f"{card.get('image_size')} × {card.get('image_size')} pixels, crop {card.get('crop')}, detector "
            f"{card.get('detector')}",
        ),
        ("Left out", ", ".join(f"{reason}: {count(n)}" for reason, n in skipped.items()) or "nothing"),
        ("Notes", "; ".join(card.get("notes") or []) or "none"),
        ("Fingerprint", card.get("fingerprint")),
        ("Seed", run.config.get("seed")),
        ("Versions", ", ".join(f"{k} {v}" for k, v in (run.config.get("versions") or {}).items())),
    ]
    items = "".join(f"<dt>{escape(a)}</dt><dd>{escape(str(b))}</dd>" for a, b in facts if b not in (None, ""))
    yield f'<dl class="facts">{items}</dl>'
    whole = json.dumps(run.config, indent=1, ensure_ascii=False)
    yield details("The whole configuration (run.json)", f'<pre tabindex="0">{escape(whole)}</pre>')


def _frame_rate(fps: Any) -> str | None:
    rate = number(fps)
    if not math.isfinite(rate):
        return None
    return f"{rate:g} frames a second" if rate else "stills"

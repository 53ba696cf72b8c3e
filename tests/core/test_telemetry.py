"""onnxruntime is loaded in one place, where it is told to report nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import anclaf

SOURCE = Path(anclaf.__file__).parent
CODE = """
import sys
from anclaf.core.telemetry import load_onnxruntime
load_onnxruntime().InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
"""


def test_it_keeps_no_identifier_and_no_events(tmp_path: Path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    names = [value(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "neg", names[:1], names[1:])
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "neg.onnx")
    (tmp_path / "home").mkdir()
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(tmp_path / "home"))
    environment = {name: text for name, text in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"} | places
    subprocess.run([sys.executable, "-c", CODE, str(tmp_path / "neg.onnx")], check=True, env=environment)
    assert [path for path in (tmp_path / "home").rglob("*") if path.is_file()] == []


def test_nothing_else_loads_it_first():
    load = re.compile(r"^\s*(import|from) onnxruntime\b", re.MULTILINE)
    found = {path: load.search(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}
    loads = {path.relative_to(SOURCE).as_posix() for path, match in found.items() if match}
    assert loads == {"core/telemetry.py", "models/onnx_graph.py"}
    text = (SOURCE / "models/onnx_graph.py").read_text(encoding="utf-8")
    before = re.findall(r"(.*)\n.*from onnxruntime", text)
    assert before == ["    load_onnxruntime()"]

"""Nothing is imported before it is used: not ndonnx, and not the plugin where nothing asks for it."""

import subprocess
import sys

CODE = """
import sys
import agnograd as ag
def loaded():
    return {name for name in ("ndonnx", "onnx", "onnxruntime", "spox", "agnograd_onnx") if name in sys.modules}
assert not loaded(), loaded()
(ag.ones(2, requires_grad=True) * 2).sum().backward()
assert not loaded(), loaded()
import agnograd_onnx.plugin
(backend,) = agnograd_onnx.plugin.agnograd_backends()
from agnograd import plugins
assert "onnx" in plugins.manager.backends()
assert loaded() == {"agnograd_onnx"}, loaded()
ag.namespace("onnx")
assert {"ndonnx", "onnxruntime"} <= loaded()
assert agnograd_onnx.export
"""


def test_nothing_is_imported_before_it_is_used():
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", CODE], check=True)

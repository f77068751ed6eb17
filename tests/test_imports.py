"""What turns a program into C needs neither torch nor a network: it loads in a moment, on a machine that has neither."""

import json
import subprocess
import sys

import pytest

LOADED = "import json, sys, {0}; print(json.dumps(sorted(sys.modules)))"
FORBIDDEN = "torch", "torchaudio", "matplotlib", "optuna", "tinycourse.models", "tinycourse.training.checkpoint"


@pytest.mark.parametrize("module", ["tinycourse.codegen.emitter", "tinycourse.program.program", "tinycourse.program.block_sparse"])
def test_programs_and_their_c_load_neither_torch_nor_a_model(module):
    done = subprocess.run([sys.executable, "-c", LOADED.format(module)], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout)
    assert module in loaded
    assert [name for name in loaded if name.startswith(FORBIDDEN)] == []


def test_a_synthesizer_needs_no_widgets():
    done = subprocess.run([sys.executable, "-c", LOADED.format("tinycourse.data.synthesis")], capture_output=True, text=True, check=True)
    assert not {"tinycourse.widgets.recorder", "anywidget", "ipywidgets"} & set(json.loads(done.stdout))

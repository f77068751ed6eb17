"""Settings that make one x86 processor compute like others, and what shows that each of them does.

Libraries choose their kernels by the processor's instructions: ATen (torch's own operations), oneDNN (convolutions), MKL (matrix products),
and the C compiler for what runs on this machine. Another choice adds the same numbers up in another order, and other bits come out.

    python tests/processors.py            which bits each setting changes; fails where one changes none
    python tests/processors.py run        beside that, numerical tests and notebooks under every setting (`make test-processors`)
    python tests/processors.py run sse,avx2 00 01 02 ...      the same under these settings, with these lessons
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
X86 = platform.machine().lower() in ("x86_64", "amd64")
CPU = "TINYCOURSE_TEST_CPU"  # what zig compiles for in tests (conftest.py)
SETTINGS = {  # name: variables of the environment, beside one thread
    "sse": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE", CPU: "x86_64"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2", CPU: "x86_64_v3"},
    "mixed": {"ONEDNN_MAX_CPU_ISA": "AVX", "MKL_CBWR": "COMPATIBLE"},
    "two threads": {"OMP_NUM_THREADS": "2"},
}
EXTREMES = "sse", "avx2"  # the two that differ most
QUICK = ["features/test_streaming.py", "quantization/test_tracing.py", "host/test_products.py::test_float"]
QUICK += [f"models/test_rnnt.py::test_streaming_is_the_batch_for_every_chunk_size[{kinds}]" for kinds in ("ln-lstm-sru", "sru-lstm")]
NUMERICAL = (
    "models/test_rnnt.py models/test_cells.py transducer/test_loss.py transducer/test_pruned_loss.py features/test_streaming.py "
    "spotting/test_detector.py features/test_frontend.py quantization/test_tracing.py quantization/test_integer_frontend.py "
    "quantization/test_recurrent_layers.py quantization/test_integer_transducer.py models/test_models.py models/test_baselines.py "
    "quantization/test_post_training.py quantization/test_qat.py pruning/test_pruning.py quantization/test_observers.py "
    "program/test_block_sparse.py training/test_metrics.py host/test_products.py host/test_layers.py features/test_augmentation.py "
    "export/test_onnx.py test_exercises.py"
).split()
LESSONS = "02", "03", "06"


def environment(name: str = "") -> dict[str, str]:
    """The variables of a process under a setting; without a name none is set."""
    ours = {key for variables in SETTINGS.values() for key in variables}
    kept = {key: value for key, value in os.environ.items() if key not in ours}
    return kept | {"TINYCOURSE_FAST": "1", "OMP_NUM_THREADS": "1"} | SETTINGS.get(name, {})


def pytest_run(name: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    """pytest with arguments in a process of its own, under a setting."""
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment(name), **options)


def paths(tests) -> list[str]:
    """Files of tests, or single ones in them, as pytest wants them."""
    return [f"tests/{test}" for test in tests]


def bits() -> dict[str, str]:
    """Digests of what each library computes in this process, of numbers that no setting changes."""
    import numpy as np
    import torch
    from torch.nn import functional as F

    from tinycourse.host.products import FloatProduct
    from tinycourse.targets import toolchain

    rng = np.random.default_rng(0)

    def draw(*shape):
        return torch.from_numpy(rng.random(shape, np.float32) - 0.5)

    x, weight = draw(256, 300), draw(300, 200)
    cpu = os.environ.get(CPU)
    made = {  # sums are those of threads: each adds up its part
        "ATen": F.layer_norm(x, (300,)).tanh(),
        "sums": torch.stack([draw(1_000_000).sum() for _ in range(4)]),
        "oneDNN": F.conv2d(draw(4, 8, 40, 30), draw(16, 8, 3, 3)),
        "MKL, matrices": x @ weight,
        "MKL, vectors": x @ weight[:, 0],
    }
    if toolchain.available():
        product = FloatProduct(weight.t().numpy(), flags=(f"-mcpu={cpu}",) if cpu else ())
        made["C"] = torch.from_numpy(product(x[0].numpy()))
    return {name: hashlib.sha256(y.contiguous().numpy().tobytes()).hexdigest() for name, y in made.items()}


def bits_under(name: str = "") -> dict[str, str]:
    """`bits` in a process under a setting."""
    command = [sys.executable, __file__, "bits"]
    return json.loads(subprocess.run(command, cwd=ROOT, env=environment(name), check=True, capture_output=True, text=True).stdout)


def changed(name: str, plain: dict[str, str]) -> list[str]:
    """Whose bits a setting changes."""
    return [who for who, digest in bits_under(name).items() if digest != plain[who]]


def main(arguments: list[str]) -> int:
    """The exit status."""
    if arguments == ["bits"]:
        print(json.dumps(bits()))
        return 0
    run, lessons = arguments[:1] == ["run"], arguments[2:] or LESSONS
    names = arguments[1].split(",") if arguments[1:] else list(SETTINGS)
    plain, failed = bits_under(), []
    for name in names:
        who = changed(name, plain)
        print(f"{name}: other bits from {', '.join(who) or 'nobody'}: {SETTINGS[name]}", flush=True)
        if not who:
            failed.append(f"{name}: changes nothing")
        notebooks = [str(path) for n in lessons for path in sorted(ROOT.glob(f"*s/{n}_*.ipynb")) if path.parent.name != "exercises"]
        nbval = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=3600"]
        if run and pytest_run(name, *paths(NUMERICAL)).returncode:
            failed.append(f"{name}: tests")
        if run and pytest_run(name, *nbval, *notebooks).returncode:
            failed.append(f"{name}: notebooks")
    print("\n".join(failed) or "Everything holds under every setting.")
    return bool(failed)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # this checkout's library
    sys.exit(main(sys.argv[1:]))

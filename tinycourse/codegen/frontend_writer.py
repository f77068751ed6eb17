"""The streaming front end in C: its parameters, tables and buffers, for kernels/ears.c."""

import numpy as np

from tinycourse.codegen import emitter
from tinycourse.program.ops.base import Kernel
from tinycourse.program.streaming_frontend import StreamingFrontend


def kernel(frontend: StreamingFrontend) -> Kernel:
    """What computes a frame: its parameters, tables and scratch."""
    return frontend.operation.kernel([frontend.samples], frontend.features)


def buffers(frontend: StreamingFrontend) -> dict[str, tuple[np.dtype, int]]:
    """The memory that C needs for it: {name: (type, count)}."""
    kept = max(frontend.size, 2 * frontend.lead) + frontend.chunk  # twice the lead is one more than a centred window of odd length
    scratch = kernel(frontend).scratch - 2 * frontend.size  # a frame is read where it was kept
    return {"kept": (np.dtype("int16"), kept), "scratch": (np.dtype("int32"), -(-scratch // 4))}


def generate(frontend: StreamingFrontend, name: str) -> str:
    """C text that defines `ears` of type tc_ears_params, with its tables, whose names begin with `name`, and its buffers."""
    made = kernel(frontend)
    arrays = "".join(emitter.constant(f"{name}_{k}", a) for k, a in made.arrays.items())
    parameters = "\n".join(emitter.wrap([f".{k} = {emitter.initialiser(v, name)}" for k, v in made.fields.items()]))
    return f"""{arrays}static const tc_features_params features = {{
{parameters}
}};
{emitter.static(buffers(frontend))}
static const tc_ears_params ears = {{.features = &features, .chunk = {frontend.chunk}, .kept = kept, .scratch = (int8_t *)scratch}};
"""

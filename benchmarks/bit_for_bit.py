"""Whether the exported networks say the same everywhere: python benchmarks/bit_for_bit.py [NAME ...] [--clips 1000] [--samples]

Real test clips go through the interpreter, and through its C on this machine, as WebAssembly, and on both emulated Cortex-M, there with the
DSP kernels too. Counted are clips of which one bit of one score differs. A network takes some minutes; transducers have
`chip_rnnt.py` and `integer_rnnt.py`, listeners `live.py`.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import torch
from tqdm.auto import tqdm

from tinycourse import checkpoint, data, deploy
from tinycourse.mcu import package

WAYS = {  # column: target, and whether with the DSP kernels
    "host": ("host", False),
    "host DSP": ("host", True),
    "WebAssembly": ("wasm", False),
    "M4": ("cortex-m4", False),
    "M4 DSP": ("cortex-m4", True),
    "M0+": ("cortex-m0plus", False),
}
SHARE = 100  # clips between two steps of the progress bar


def different(program, way: str, x, expected) -> int:
    """Clips x [N, *input shape] to which a build answers otherwise than `expected` [N, *output shape]."""
    target, dsp = WAYS[way]
    with tempfile.TemporaryDirectory() as folder:
        package.export(program, target, Path(folder, "m"), dsp)
        runner, found = package.load(Path(folder, "m")), 0
        for i in tqdm(range(0, len(x), SHARE), desc=way, leave=False):
            said = runner.run(x[i : i + SHARE])
            found += int((said != expected[i : i + SHARE]).reshape(len(said), -1).any(1).sum())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--samples", action="store_true", help="with the front end, in integers")
    a = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'network':20}{'clips':>7}" + "".join(f"{way:>13}" for way in WAYS) + "   of them different", flush=True)
    differ = 0
    for name in a.names or [*checkpoint.shipped(), *checkpoint.shipped("pruned")]:
        recogniser = checkpoint.load(name)
        clips = data.open_for(recogniser.classes, "speech-commands").clips("testing")
        clips = clips.subset(torch.randperm(len(clips), generator=torch.Generator().manual_seed(0))[: a.clips])
        program = deploy.program_of(recogniser, deploy.calibration_audio(recogniser), samples=a.samples)
        x = deploy.inputs(program, clips.audio)
        expected = program.run(x)
        found = {way: different(program, way, x, expected) for way in WAYS}
        print(f"{name:20}{len(x):7,}" + "".join(f"{n:13,}" for n in found.values()), flush=True)
        differ += sum(found.values())
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()

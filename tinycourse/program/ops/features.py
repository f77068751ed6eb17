"""The front end as an operation: samples in, features out. Its arithmetic is in frontend.py."""

import numpy as np

from tinycourse.program.frontend import POWER_BITS, recording, spectrum_bits, twiddles
from tinycourse.program.ops.base import Kernel, Operation
from tinycourse.program.ops.recurrent import Linear16

TABLES = "window", "twiddle", "mel", "counts", "dct", "bias", "multiplier", "shift"  # the DCT of MFCC only


class Features(Operation):
    """int16 samples (S,) to int8 features (frames, bands, 1), with the settings and the tables of `integer_frontend.features_operation`.

    Parameters hop, lead (samples by which the first frame begins before the recording, whose ends are mirrored), fft, first (bin with
    a mel weight), floor (added to energies). Arrays window int16 [W]; twiddle int16 [fft / 2, 2]; mel int16 [bins]; counts int16
    [mels + 1]; for MFCC dct int16 [bands, mels]; bias, multiplier int32 [bands]; shift int8 [bands].
    """

    bits = (16,), 8
    without_onnx = "it is the front end; export without --samples, and give the network features"

    def reference(self, xs, ins, out):
        return np.stack([recording(self, x, out.shape[0], out.zero_point)[..., None] for x in xs[0]])

    def kernel(self, ins, out):
        """Scratch holds one spectrum, its logarithms and a frame that reaches over an edge."""
        p, size = self.parameters, len(self.arrays["window"])
        sizes = {"samples": ins[0].size, "frames": out.shape[0], "window_size": size, "hop": p["hop"], "lead": p["lead"], "fft": p["fft"]}
        sizes |= {"first": p["first"], "mels": len(self.arrays["counts"]) - 1, "bands": out.shape[1], "floor": p["floor"]}
        sizes |= {"down": spectrum_bits(p["fft"]) - POWER_BITS, "zero_point": out.zero_point}
        scratch = 4 * p["fft"] + 2 * size + 2 * sizes["mels"]
        tables = {k: self.arrays[k] for k in TABLES if k in self.arrays}
        return Kernel("tc_features", sizes | {k: k for k in tables}, tables, scratch)

    @classmethod
    def random(cls, s):
        """A small FFT and tables of noise, but for the twiddles: the kernel counts on their never letting sums grow."""
        fft, frames, mels = 2 ** int(s.rng.integers(4, 8)), int(s.rng.integers(1, 5)), int(s.rng.integers(1, 7))
        size = int(s.rng.integers(fft // 2, fft + 1))
        hop, lead = (int(n) for n in s.rng.integers(1, size // 2, 2))
        counts = s.rng.multinomial(int(s.rng.integers(1, fft // 2)), np.full(mels + 1, 1 / (mels + 1)))
        multiplier, shift = s.factor(2.0 ** s.rng.integers(8, 14), bands := int(s.rng.integers(1, mels + 1)))
        arrays = {
            "window": s.rng.integers(0, 2**15 * fft // (2 * size), size).astype(np.int16),
            "twiddle": twiddles(fft),
            "mel": s.rng.integers(0, 2**12 + 1, counts.sum()).astype(np.int16),
            "counts": counts.astype(np.int16),
            "dct": s.rng.integers(-1000, 1000, (bands, mels)).astype(np.int16),
        }
        if bands == mels and s.rng.random() < 0.5:
            del arrays["dct"]
        arrays |= dict(bias=s.rng.integers(-(2**16), 0, bands).astype(np.int32), multiplier=multiplier, shift=shift)
        first = int(s.rng.integers(1, fft // 2 - counts.sum() + 1))
        parameters = dict(hop=hop, lead=lead, fft=fft, first=first, floor=int(2.0 ** s.rng.uniform(0, 28)))
        x = Linear16.random(s, size + (frames - 1) * hop - int(s.rng.integers(0, lead + 1)))
        return s.add("features", (x,), (frames, bands, 1), parameters, arrays)

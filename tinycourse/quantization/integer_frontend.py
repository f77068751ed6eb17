"""The float front end as an integer operation in front of a network, or of a transducer: the program then takes int16 samples."""

import dataclasses

import numpy as np
import torch
from torch import nn

from tinycourse.errors import TinycourseError
from tinycourse.features.audio import to_int16
from tinycourse.features.frontend import FLOOR, Frontend
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.frontend import LOG_BITS, MEL_BITS, POWER_BITS, twiddles
from tinycourse.program.ops.base import OPS, Operation, Tensor
from tinycourse.program.program import Program
from tinycourse.program.streaming_frontend import StreamingFrontend
from tinycourse.program.transducer import FRONTEND, TransducerProgram

SAMPLES = "samples"
ENERGY_BITS = 30 + 2 * POWER_BITS + MEL_BITS  # log2 of the integer that an energy of 1 becomes: samples have 15 bits, squares 30
LARGEST_LOG = 63 << LOG_BITS


def with_samples(program: Program, front: Frontend) -> Program:
    """`program`, which takes the features of `front`, as one that takes a second of int16 samples. The network stays as it is.

    Raises TinycourseError for a front end that has no integer form (PCEN, an FFT that is no power of two from 16 to 1024, windows that
    leave gaps), and for a network that takes other features than those of `front`.
    """
    x, config = program.tensors[program.input], front.config
    if x.shape != (*config.shape[1:], 1):
        raise TinycourseError(f"This network takes {list(x.shape)}, not the {list(config.shape[1:])} of its front end; train it again.")
    samples = Tensor(SAMPLES, (config.rate,), 2.0**-15, 0, 16)
    operations = [features_operation(front, x), *program.operations]
    return dataclasses.replace(program, input=SAMPLES, tensors={SAMPLES: samples} | program.tensors, operations=operations)


def with_frontend(program: TransducerProgram, front: Frontend) -> TransducerProgram:
    """The same for a transducer: it then takes the samples between two frames. Its networks stay as they are.

    Raises TinycourseError as `with_samples`, and where one run could complete two outputs of the encoder: callers see the last one only.
    """
    network, config = program.programs["front"], front.config
    if program.features != config.bands:
        raise TinycourseError(
            f"This transducer takes {program.features} features, not the {config.bands} of its front end; train it again."
        )
    programs = program.programs | {FRONTEND: frontend_program(front, network.tensors[network.input])}
    made = dataclasses.replace(program, programs=programs, rate=config.rate / config.hop)
    if made.outputs_after(made.frontend.lead // config.hop + 1) > 1:  # the run that brings the mirror image may complete two frames
        raise TinycourseError(
            f"The first frames of {config.window} samples every {config.hop} come two at a time, and this transducer encodes each alone; "
            "train one that joins frames, or with a window of which half is no whole number of hops."
        )
    return made


def frontend_program(front: Frontend, x: Tensor) -> Program:
    """What `front` does to the samples of one frame, in integers, with the scale and the zero point of x."""
    samples = Tensor(SAMPLES, (front.config.window,), 2.0**-15, 0, 16)
    features = Tensor("features", (1, front.config.bands, 1), x.scale, x.zero_point)
    return Program(SAMPLES, features.name, {t.name: t for t in (samples, features)}, [features_operation(front, features)])


class IntegerFrontend(nn.Module):
    """A `Frontend` as a transducer on a chip has it: audio [N, S] -> features [N, 1, frames, bands], real numbers on the steps of x.

    Samples that fill no chunk are left out, as `deploy.rows` does.
    """

    def __init__(self, front: Frontend, x: Tensor):
        super().__init__()
        self.frontend = StreamingFrontend(frontend_program(front, x), front.config.hop)
        self.register_buffer("mean", front.mean)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio [N, S] to features [N, 1, frames, bands]."""
        whole = audio[:, : audio.shape[1] // self.frontend.chunk * self.frontend.chunk]
        heard = np.stack([self.frontend.recording(to_int16(one.numpy())) for one in whole])
        step, zero_point = self.frontend.features.scale, self.frontend.features.zero_point
        return torch.from_numpy((heard[:, None] - np.float32(zero_point)) * np.float32(step))


def features_operation(front: Frontend, out: Tensor) -> Operation:
    """What `front` does, in integers: samples to the tensor `out`. Raises TinycourseError as `with_samples`."""
    c = front.config
    window = front.window[(c.fft - c.window) // 2 :][: c.window].double().numpy()
    if c.kind == "pcen" or c.fft & (c.fft - 1) or not 16 <= c.fft <= 1024 or c.window < c.hop:
        raise TinycourseError(
            f"The integer front end computes log-mel and MFCC with an FFT of 16 to 1024, a power of two, and windows that leave no "
            f"gap: not {c.kind} with an FFT of {c.fft} and a window of {c.window} every {c.hop} samples."
        )
    mel, counts, first = mel_tables(front.bank.double().numpy())
    arrays = {
        "window": np.rint(window * 2**15).clip(max=2**15 - 1).astype(np.int16),
        "twiddle": twiddles(c.fft),
        "mel": np.rint(mel * 2**MEL_BITS).astype(np.int16),
        "counts": counts.astype(np.int16),
    }
    parameters = {"hop": c.hop, "lead": c.edge - (c.fft - c.window) // 2, "fft": c.fft, "first": first}
    parameters["floor"] = round(FLOOR * 2**ENERGY_BITS)
    arrays |= finish_tables(front, out)
    return OPS["features"]((SAMPLES,), out.name, parameters, arrays, "frontend")


def mel_tables(bank: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Triangles [bins, mels] as one weight for each bin, how many bins lie between two peaks [mels + 1], and the first bin.

    A bin between the peaks of bands m - 1 and m weighs w in band m and 1 - w in band m - 1; segment m holds these bins.
    """
    heard, last = bank.any(1).nonzero()[0], bank.shape[1] - 1
    upper = last - (bank[heard, ::-1] > 0).argmax(1)  # the highest band that listens to each bin
    falling = (upper == last) & (heard >= bank[:, last].argmax()) & (bank[heard, :last].sum(1) == 0)  # behind the last peak
    weight = np.abs(falling - bank[heard, upper])
    return weight, np.bincount(upper + falling, minlength=last + 2), int(heard[0])


def finish_tables(front: Frontend, out: Tensor) -> dict[str, np.ndarray]:
    """Mean, deviation, the step of the network's input and, for MFCC, the DCT, as integers.

    A logarithm L of `program.frontend.log2` stands for ln 2 * (L / 2**LOG_BITS - ENERGY_BITS).
    """
    step = np.log(2) / 2**LOG_BITS  # a real logarithm for each integer of it
    mean, deviation = front.mean.double().numpy(), front.deviation.double().numpy()
    if front.config.kind == "mfcc":
        dct = front.dct.double().numpy().T  # [bands, mels]
        fine = 2.0**30 / (LARGEST_LOG * np.abs(dct).sum(1).max())  # the largest scale whose sums stay below 2**30
        dct = np.rint(dct * fine).astype(np.int16)
        tables, zero = {"dct": dct}, (ENERGY_BITS << LOG_BITS) * dct.sum(1, dtype=np.int64)
    else:
        fine, tables, zero = 1.0, {}, ENERGY_BITS << LOG_BITS
    bias = np.rint(-mean * fine / step) - zero
    if np.abs(bias).max() >= 2**30:
        raise TinycourseError("The means of this front end are far from any sound; measure them again with `Frontend.fit`.")
    multiplier, shift = fixed_point(step / fine / (deviation * out.scale))
    return tables | {"bias": bias.astype(np.int32), "multiplier": multiplier, "shift": shift}

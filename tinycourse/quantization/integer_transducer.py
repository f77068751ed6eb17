"""A trained transducer in integers: four programs, and the networks of `models.rnnt` made of them.

    front        stacked features -> the encoder's layers before frames are joined         every `hop` frames
    back         joined outputs   -> what was heard                                        every `hop * reduction` frames
    prediction   a label          -> what may follow                                       for every label that is said
    joint        what was heard, and as its state what may follow -> logits (int16)        for every frame and every label

`IntegerTransducer` has the interface of `models.rnnt.Transducer`, with integers between its parts: `decoding` searches it as it is,
`transducers.evaluate` measures it. For the chip `to_program` puts the four, the frames between them and the search into one.
"""

import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tinycourse.errors import TinycourseError
from tinycourse.models.rnnt import BLANK, EncoderState, RNNTConfig, Transducer, join
from tinycourse.program.program import Program
from tinycourse.program.transducer import PARTS, TransducerProgram, pack, unpack
from tinycourse.quantization.graph import Graph
from tinycourse.quantization.observers import MeanSquareError, MinMax
from tinycourse.quantization.ops.base import Input, State
from tinycourse.quantization.ops.recurrent import Embedding, Linear16, Tanh8
from tinycourse.quantization.post_training import Ranges, compare, quantize_graph
from tinycourse.quantization.recurrent_layers import choose_scales, graph_of, observe_steps, run_steps, stack, trace_steps
from tinycourse.training.checkpoint import Recogniser, as_float, describe, described, read, write_whole
from tinycourse.transducer.decoding import Greedy, Limits

FORMAT = "tinycourse-integers-1"
MADE_BY = {"back": {"input": "front"}, "joint": {"input": "back", "expected": "prediction"}}  # part: its tensor: what it is the output of


class IntegerEncoder(nn.Module):
    """`models.rnnt.Encoder` in integers: features [B, T, bands], float, to what was heard, int8 [B, T', outputs]."""

    def __init__(self, config: RNNTConfig, front: Program, back: Program):
        super().__init__()
        self.config, self.front, self.back = config, front, back

    def lengths(self, frames: Tensor) -> Tensor:
        """How many outputs so many frames give."""
        return frames // self.config.hop // self.config.reduction

    def start(self, x: Tensor) -> EncoderState:
        """The state before the first frame of features like x [B, T, bands]."""
        c, b = self.config, len(x)
        width = self.front.tensors[self.front.output].shape[0]
        waiting = x.new_zeros(b, c.stack - c.hop, c.features), x.new_zeros(b, 0, width, dtype=torch.int8)
        return EncoderState(waiting, (self.front.start(b), self.back.start(b)))

    def forward(self, x: Tensor, state: EncoderState | None = None) -> tuple[Tensor, EncoderState]:
        """A chunk of any length, and the state before it -> its outputs, often none, and the state after it."""
        c, ((first, second), (lower, upper)) = self.config, state or self.start(x)
        x, first = join(first, x, c.stack, c.hop)
        y, lower = run_steps(self.front, self.front.quantize_input(x), lower)
        y, second = join(second, torch.from_numpy(y), c.reduction, c.reduction)
        y, upper = run_steps(self.back, y.numpy(), upper)
        return torch.from_numpy(y), EncoderState((first, second), (lower, upper))


class IntegerPrediction(nn.Module):
    """`models.rnnt.Prediction` in integers: labels [B, U] to what may follow each, int8 [B, U, outputs]."""

    def __init__(self, program: Program):
        super().__init__()
        self.program = program

    def forward(self, labels: Tensor, state: tuple[tuple[Tensor, ...], ...] | None = None) -> tuple[Tensor, tuple[tuple[Tensor, ...], ...]]:
        """Labels [B, U], and the state before them, to int8 [B, U, outputs] and the state after them."""
        before = {name: x.numpy() for name, x in zip(self.program.state, state[0])} if state else None
        y, after = run_steps(self.program, labels[..., None].numpy().astype(np.int16), before)
        return torch.from_numpy(y), (tuple(map(torch.from_numpy, after.values())),)


class IntegerJoint(nn.Module):
    """`models.rnnt.Joint` in integers: int8 [..., heard] and [..., expected] to logits [..., labels], as real numbers.

    Logits are int16 times one scale, so the most likely label is that of the integers.
    """

    def __init__(self, program: Program):
        super().__init__()
        self.program = program
        self.heard = self.expected = nn.Identity()  # both products are in the program

    def forward(self, encoder_out: Tensor, prediction_out: Tensor) -> Tensor:
        """int8 from encoder and prediction network, with axes that broadcast, to logits [..., labels]."""
        batch = torch.broadcast_shapes(encoder_out.shape[:-1], prediction_out.shape[:-1])
        encoder_out, prediction_out = (
            x.expand(*batch, x.shape[-1]).reshape(-1, x.shape[-1]).numpy() for x in (encoder_out, prediction_out)
        )
        y, _ = self.program.step(encoder_out, {next(iter(self.program.state)): prediction_out})
        return torch.from_numpy(self.program.dequantize_output(y)).unflatten(0, batch)


class IntegerTransducer(nn.Module):
    """A transducer of four programs, {name: Program} by PARTS. It takes features as the float one does and searches as it does."""

    device = torch.device("cpu")

    def __init__(self, config: RNNTConfig, programs: dict[str, Program]):
        super().__init__()
        self.config, self.programs = config, programs
        self.encoder = IntegerEncoder(config, programs["front"], programs["back"])
        self.prediction, self.joint = IntegerPrediction(programs["prediction"]), IntegerJoint(programs["joint"])

    @property
    def weight_bytes(self) -> int:
        """Of all constants: weights, biases, scales."""
        return sum(op.weight_bytes for program in self.programs.values() for op in program.operations)

    def to_program(self, limits: Limits | None = None, rate: float = 100.0, metadata: dict | None = None) -> TransducerProgram:
        """All that runs on the chip: it says what `decoding.Greedy` says with these limits. `rate`: frames of features a second.

        Integers differ by at least 1, so blank leads by at least its penalty where it leads by that, rounded up, in units of the logits.
        """
        c, joint, limits = self.config, self.programs["joint"], limits or Limits()
        penalty = math.ceil(limits.blank_penalty / joint.tensors[joint.output].scale)
        return TransducerProgram(self.programs, c.stack, c.hop, c.reduction, limits.symbols, penalty, rate, metadata or {})


def prediction_graph(network: Transducer) -> Graph:
    """A label [N, 1] through the embedding and the recurrent layers: one step."""
    table = network.prediction.embedding.weight.detach().double().cpu()
    label = Input([], (1,))
    return stack(network.prediction.layers, [label, Embedding([label], (table.shape[1],), {}, {"table": table}, name="embedding")])


def joint_graph(network: Transducer) -> Graph:
    """What was heard, and as a state what may follow, to logits."""
    joint = network.joint

    def arrays(layer: nn.Linear, **more) -> dict[str, Tensor]:
        bias = torch.zeros(layer.out_features) if layer.bias is None else layer.bias
        return {k: v.detach().double().cpu() for k, v in ({"weight": layer.weight, "bias": bias} | more).items()}

    encoder_out = Input([], (joint.heard.in_features,))
    prediction_out = State([], (joint.expected.in_features,), name="expected")
    both = arrays(joint.heard, weight_recurrent=joint.expected.weight)
    total = Linear16([encoder_out, prediction_out], (joint.heard.out_features,), {}, both, name="sum")
    hidden = Tanh8([total], total.shape, name="hidden")
    logits = Linear16([hidden], (joint.output.out_features,), {}, arrays(joint.output), name="logits")
    return Graph([encoder_out, prediction_out, total, hidden, logits], {prediction_out.name: prediction_out.name})


def stacked(config: RNNTConfig, features: Sequence[Tensor]) -> list[Tensor]:
    """Features [T, bands] as the encoder's first layer meets them."""
    silence = torch.zeros(1, config.stack - config.hop, config.features)
    return [join(silence, x.detach().float().cpu()[None], config.stack, config.hop)[0][0] for x in features]


def reduced(config: RNNTConfig, outputs: Sequence[Tensor]) -> list[Tensor]:
    """Outputs [T, outputs] of the layers in front, joined for those behind."""
    return [join(y[None, :0], y[None], config.reduction, config.reduction)[0][0] for y in outputs]


def graphs_of(network: Transducer) -> dict[str, Graph]:
    """One step of each part as a float graph, by PARTS."""
    layers, middle = network.encoder.layers, network.config.reduce_after
    return dict(zip(PARTS, (graph_of(layers[:middle]), graph_of(layers[middle:]), prediction_graph(network), joint_graph(network))))


@torch.no_grad()
def measure(network: Transducer, features: Sequence[Tensor], observer: str | Callable[[], MinMax] = MeanSquareError) -> dict[str, Ranges]:
    """The ranges of a trained transducer's tensors, by PARTS, on features [T, bands] of recordings as it will meet them.

    Labels come from its own greedy search, so transcripts are not needed, and each is said once more. The network is left as it is.
    Raises TinycourseError where no recording fills a frame of the encoder, or the network gives nan.
    """
    network, config, ranges = network.cpu().eval(), network.config, {}
    graphs = graphs_of(network)
    ranges["front"], outputs = observe_steps(graphs["front"], stacked(config, features), observer)
    ranges["back"], encoder_out = observe_steps(graphs["back"], reduced(config, outputs), observer)

    labels = [[BLANK, *Greedy(network).push(y[None]).labels[0]] for y in encoder_out]
    labels.append(range(network.labels))  # none shall be a surprise, whatever was said here
    labels = [torch.tensor([*one], dtype=torch.float32)[:, None] for one in labels]
    ranges["prediction"], prediction_out = observe_steps(graphs["prediction"], labels, observer)

    seen, everything = MinMax(), torch.cat(encoder_out)
    everything = everything[torch.arange(network.labels) % len(everything), None]  # a frame for each label
    for h, e in zip([*encoder_out, everything], [*(e[None] for e in prediction_out[:-1]), prediction_out[-1][:, None]]):
        if len(h):
            seen.observe(network.joint(network.joint.heard(h.view(len(h), 1, -1)), network.joint.expected(e)))
    return ranges | {"joint": {"logits": seen.range()}}


def from_ranges(network: Transducer, ranges: dict[str, Ranges]) -> IntegerTransducer:
    """A trained transducer in integers, its scales from the ranges that `measure` found. The network is left as it is."""
    programs = {}
    for part, graph in graphs_of(network.cpu().eval()).items():
        settled = {"input": (1.0, 0)} if part == "prediction" else {}  # labels
        for name, maker in MADE_BY.get(part, {}).items():
            made = programs[maker].tensors[programs[maker].output]
            settled[name] = made.scale, made.zero_point
        programs[part] = quantize_graph(graph, choose_scales(graph, ranges[part], settled))
    return IntegerTransducer(network.config, programs)


def quantize_transducer(
    network: Transducer, features: Sequence[Tensor], observer: str | Callable[[], MinMax] = MeanSquareError
) -> IntegerTransducer:
    """A trained transducer in integers, its scales chosen on features [T, bands] of recordings; raises what `measure` raises."""
    return from_ranges(network, measure(network, features, observer))


@torch.no_grad()
def features_of(recogniser: Recogniser, audio: Sequence[Tensor]) -> list[Tensor]:
    """Recordings int16 or float [samples] each as features [T, bands]."""
    return [recogniser.frontend(as_float(one)[None])[0, 0] for one in audio]


def in_integers(recogniser: Recogniser, ranges: dict[str, Ranges]) -> Recogniser:
    """A trained recogniser whose transducer is in integers, its scales from the ranges that `measure` found.

    `transducers.transcribe` and `evaluate` take it as they take the float one; the front end stays float.
    """
    integers = copy.copy(recogniser)
    integers._modules = recogniser._modules | {"network": from_ranges(recogniser.network, ranges)}
    return integers


def integer_recogniser(
    recogniser: Recogniser, audio: Sequence[Tensor], observer: str | Callable[[], MinMax] = MeanSquareError
) -> Recogniser:
    """The same with scales chosen on recordings, int16 or float [samples] each."""
    return in_integers(recogniser, measure(recogniser.network, features_of(recogniser, audio), observer))


# ------------------------------------------------------------------------------------------ how far from float


@torch.no_grad()
def error_report(network: Transducer, integers: IntegerTransducer, features: Sequence[Tensor]) -> list[dict]:
    """How far each tensor of the four programs is from the float network's on features [T, bands] of recordings, all errors before it
    included, through the layers and through time.

    One dict per tensor, in running order: part (of PARTS), tensor, kind, path, and snr in dB. Labels are those that the float network
    hears; the joint network meets every frame with everything said in its recording. Gates that reach beyond 8 look bad and do no harm:
    there the integers stop, and sigmoid and tanh are flat. Raises TinycourseError where nothing is heard.
    """
    network, config, programs, rows = network.cpu().eval(), network.config, integers.programs, []
    graphs = graphs_of(network)

    def add(part: str, floats: list[dict], exact: list[dict]) -> tuple[list[Tensor], list[Tensor]]:
        """Note what the graph and the program of a part gave for each sequence; their outputs."""
        rows.extend({"part": part} | row for row in compare(graphs[part], programs[part], together(floats), together(exact)))
        return tuple([torch.as_tensor(values[programs[part].output]) for values in side] for side in (floats, exact))

    def steps(part: str, floats: list[Tensor], exact: list[np.ndarray]) -> tuple[list[Tensor], list[Tensor]]:
        return add(part, [trace_steps(graphs[part], x) for x in floats], [trace_steps(programs[part], x) for x in exact])

    x = [x for x in stacked(config, features) if len(x) >= config.reduction]
    if not x:
        raise TinycourseError("The report needs at least one recording that fills a frame; give longer ones.")
    floats, exact = (reduced(config, side) for side in steps("front", x, [programs["front"].quantize_input(one) for one in x]))
    encoder_out = steps("back", floats, [one.numpy() for one in exact])
    labels = [np.array([BLANK, *Greedy(network).push(one[None]).labels[0]], np.int16)[:, None] for one in encoder_out[0]]
    said = steps("prediction", [torch.from_numpy(one).float() for one in labels], labels)
    pairs = [[(h.repeat_interleave(len(e), 0), e.repeat(len(h), 1)) for h, e in zip(*side)] for side in zip(encoder_out, said)]
    floats = [graphs["joint"].trace(h, {"expected": e}) for h, e in pairs[0]]
    add("joint", floats, [programs["joint"].trace(h.numpy(), {"expected": e.numpy()}) for h, e in pairs[1]])
    return rows


def together(traces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What several sequences gave, by name, one behind the other."""
    return {name: np.concatenate([np.asarray(values[name]) for values in traces]) for name in traces[0]}


# ------------------------------------------------------------------------------------------ files


def save(recogniser: Recogniser, path: str | Path) -> None:
    """Write a recogniser that `integer_recogniser` made to `path` (.safetensors): programs, front end, vocabulary, whole or not at all."""
    arrays, descriptions = pack(recogniser.network.programs)
    tensors = recogniser.state_dict() | {name: torch.from_numpy(array) for name, array in arrays.items()}
    write_whole(path, tensors, {"format": FORMAT, "programs": descriptions} | describe(recogniser))


def load(path: str | Path) -> Recogniser:
    """What `save` wrote. Raises TinycourseError on a missing file or one of another kind."""
    tensors, header = read(path, FORMAT)
    recogniser, programs = described(header), unpack({name: tensor.numpy() for name, tensor in tensors.items()}, header["programs"])
    front = {name.removeprefix("frontend."): tensor for name, tensor in tensors.items() if name.startswith("frontend.")}
    recogniser.frontend.load_state_dict(front)
    recogniser.network = IntegerTransducer(recogniser.network.config, programs)
    return recogniser

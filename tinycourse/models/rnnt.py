"""The RNN transducer (Graves 2012, arXiv 1211.3711) as Shangguan et al. 2019 (arXiv 1909.12408) use it: three networks.

    encoder      frames of sound  -> what was heard     recurrent layers; between two of them, neighbouring frames are joined
    prediction   labels so far    -> what may follow    an embedding and recurrent layers: a language model
    joint        one of each      -> logits of the next label, or blank: go on to the next frame

Label 0 is blank, and stands for the beginning where the prediction network has heard nothing yet. Everything runs forward in time
and hands its state on, so a recording may come in chunks. Chunks give what the whole gives, but for rounding: the same products are summed
in another order, which depends on the processor. In float64 they agree to 2**-33; in float32 about 1e-5 is usual where gates are loud.
"""

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tinycourse.models.cells import CellConfig, Recurrent, State

BLANK = 0


@dataclass(frozen=True)
class RNNTConfig:
    """A transducer. Widths in numbers, times in frames."""

    features: int = 40  # bands of the front end
    stack: int = 3  # frames that the encoder sees at once,
    hop: int = 3  # every so many
    layers: int = 2  # of the encoder
    cell: CellConfig = field(default_factory=lambda: CellConfig(units=128, clip=10.0))
    reduce_after: int = 1  # encoder layers before neighbouring frames are joined,
    reduction: int = 2  # so many of them
    prediction_layers: int = 1  # 0: the prediction network remembers one label
    prediction: CellConfig = field(default_factory=lambda: CellConfig(units=64, clip=10.0))
    embedding: int = 64
    joint: int = 128
    bias: bool = True  # in the joint network
    dropout: float = 0.2  # in front of every layer but the first, while training

    def encoder_inputs(self) -> list[int]:
        """Width of the input of every encoder layer."""
        widths = [self.stack * self.features] + [self.cell.outputs] * (self.layers - 1)
        widths[self.reduce_after] *= self.reduction
        return widths

    def prediction_inputs(self) -> list[int]:
        """Width of the input of every layer of the prediction network."""
        return ([self.embedding] + [self.prediction.outputs] * self.prediction_layers)[: self.prediction_layers]

    def counts(self, labels: int) -> dict[str, int]:
        """Parameters by what pruning does with them, without making the network: gates and projections can be pruned, the rest not."""
        layers = [(self.cell, width) for width in self.encoder_inputs()] + [(self.prediction, width) for width in self.prediction_inputs()]
        matrices = [cell.matrices(width) for cell, width in layers]
        said = self.prediction.outputs if self.prediction_layers else self.embedding
        return {
            "gates": sum(m["input"] + m["recurrent"] for m in matrices),
            "projections": sum(m["projection"] for m in matrices),
            "biases and scales": sum(cell.parameters(width) for cell, width in layers) - sum(sum(m.values()) for m in matrices),
            "embedding": labels * self.embedding,
            "joint": (self.cell.outputs + said + self.bias) * self.joint,
            "output": (self.joint + self.bias) * labels,
        }

    def sparse(self, labels: int, sparsity: float, projections: bool = False) -> int:
        """Parameters left where a share `sparsity` of the gates' weights, and on request of the projections', is pruned."""
        counts = self.counts(labels)
        pruned = counts["gates"] + (counts["projections"] if projections else 0)
        return sum(counts.values()) - round(sparsity * pruned)


class EncoderState(NamedTuple):
    """What the encoder remembers: frames that wait for their neighbours, at the input and where frames are joined, and its cells."""

    waiting: tuple[Tensor, Tensor]  # [B, fewer than `stack`, features], [B, fewer than `reduction`, outputs]
    cells: tuple[State | None, ...]


def join(waiting: Tensor, x: Tensor, size: int, hop: int) -> tuple[Tensor, Tensor]:
    """Put `size` neighbouring frames side by side, once every `hop`: [B, w, F], [B, T, F] -> [B, n, size * F], and what waits for more."""
    x = torch.cat([waiting, x], 1)
    n = max(0, (x.shape[1] - size) // hop + 1)
    if not n:
        return x.new_zeros(len(x), 0, size * x.shape[2]), x
    return x.unfold(1, size, hop).transpose(2, 3).flatten(2), x[:, n * hop :]


class Encoder(nn.Module):
    """Features [B, T, bands] to what was heard [B, T // (hop * reduction), outputs]; frames that fill no group at the end are left."""

    def __init__(self, config: RNNTConfig):
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Recurrent(width, config.cell) for width in config.encoder_inputs())
        self.dropout = nn.Dropout(config.dropout)

    def start(self, x: Tensor) -> EncoderState:
        """The state before the first frame of features like x [B, T, bands]: silence was there."""
        c, b = self.config, len(x)
        return EncoderState((x.new_zeros(b, c.stack - c.hop, c.features), x.new_zeros(b, 0, c.cell.outputs)), (None,) * c.layers)

    def lengths(self, frames: Tensor) -> Tensor:
        """How many outputs so many frames give."""
        return frames // self.config.hop // self.config.reduction

    def forward(self, x: Tensor, state: EncoderState | None = None) -> tuple[Tensor, EncoderState]:
        """A chunk of any length, and the state before it -> its outputs, often none, and the state after it."""
        c, (waiting, before) = self.config, state or self.start(x)
        x, first = join(waiting[0], x, c.stack, c.hop)  # [B, T', stack * features]
        second, after = waiting[1], []
        for number, (layer, cell) in enumerate(zip(self.layers, before)):
            if number == c.reduce_after:
                x, second = join(second, x, c.reduction, c.reduction)  # [B, T' / reduction, reduction * outputs]
            x, cell = layer(self.dropout(x) if number else x, cell)  # [B, T' or T' / reduction, outputs]
            after.append(cell)
        return self.dropout(x), EncoderState((first, second), tuple(after))


class Prediction(nn.Module):
    """Labels [B, U] to what may follow each [B, U, outputs]."""

    def __init__(self, config: RNNTConfig, labels: int):
        super().__init__()
        self.embedding = nn.Embedding(labels, config.embedding)
        self.layers = nn.ModuleList(Recurrent(width, config.prediction) for width in config.prediction_inputs())
        self.dropout = nn.Dropout(config.dropout)
        self.outputs = config.prediction.outputs if config.prediction_layers else config.embedding

    def forward(self, labels: Tensor, state: tuple[State, ...] | None = None) -> tuple[Tensor, tuple[State, ...]]:
        """Labels [B, U], and the state before them, to outputs [B, U, outputs] and the state after them."""
        x, after = self.embedding(labels), []  # [B, U, embedding]
        for layer, cell in zip(self.layers, state or (None,) * len(self.layers)):
            x, cell = layer(self.dropout(x), cell)  # [B, U, outputs]
            after.append(cell)
        return self.dropout(x), tuple(after)


class Joint(nn.Module):
    """What was heard and what may follow, each brought to one width by `heard` and `expected`, to logits of the next label.

    At first blank is said nine times out of ten. Were all labels alike, nearly every alignment would say its first label before it
    has heard anything, and training would rest there: at guessing.
    """

    def __init__(self, config: RNNTConfig, said: int, labels: int):
        super().__init__()
        self.heard = nn.Linear(config.cell.outputs, config.joint, bias=config.bias)
        self.expected = nn.Linear(said, config.joint, bias=False)
        self.output = nn.Linear(config.joint, labels, bias=config.bias)
        if config.bias:
            self.output.bias.data[BLANK] = math.log(9 * (labels - 1))

    def forward(self, encoder_out: Tensor, prediction_out: Tensor) -> Tensor:
        """[..., joint], [..., joint], of shapes that go together -> [..., labels]."""
        return self.output((encoder_out + prediction_out).tanh())


class Transducer(nn.Module):
    """Features [B, 1, T, bands] and labels [B, U] to the logits of the lattice [B, T', U + 1, labels].

    Pruning takes the gates, as in the paper, unless it is told other patterns: "*.layers.*" for projections too, "*" for the joint network
    as well.
    """

    prunable = ("*.weight_[ir]*",)  # weight_input, and weight_recurrent where there is one

    def __init__(self, config: RNNTConfig, labels: int):
        super().__init__()
        self.config, self.labels = config, labels
        self.encoder = Encoder(config)
        self.prediction = Prediction(config, labels)
        self.joint = Joint(config, self.prediction.outputs, labels)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.joint.output.weight.device

    def forward(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Without labels: the logits before the first is said, [B, T', 1, labels]: what a streaming recogniser computes for every frame."""
        encoder_out, _ = self.encoder(features[:, 0])  # [B, T', outputs]
        return self.lattice(encoder_out, features.new_zeros(len(features), 0, dtype=torch.int64) if labels is None else labels)

    def lattice(self, encoder_out: Tensor, labels: Tensor) -> Tensor:
        """Outputs of the encoder [B, T', outputs] and labels [B, U] -> logits [B, T', U + 1, labels]."""
        prediction_out, _ = self.prediction(nn.functional.pad(labels, (1, 0), value=BLANK))  # [B, U + 1, outputs]
        return self.joint(self.joint.heard(encoder_out)[:, :, None], self.joint.expected(prediction_out)[:, None])  # T' x 1 and 1 x U + 1


KINDS = {name: CellConfig(kind, layer_norm=norm, clip=10.0) for kind in ("lstm", "cifg", "sru")
         for name, norm in ((kind, False), (f"ln-{kind}", True))}  # fmt: skip


def sized(kind: str, units: int, projection: int | None = None) -> CellConfig:
    """A cell of KINDS at a size."""
    return replace(KINDS[kind], units=units, projection=projection)


def digits(encoder: str = "lstm", prediction: str = "lstm", units: int = 128) -> RNNTConfig:
    """Connected digits: at most 400,000 parameters, with any two of KINDS."""
    return RNNTConfig(cell=sized(encoder, units), prediction=sized(prediction, units // 2))


def paper(encoder: str = "ln-lstm", prediction: str = "ln-lstm") -> RNNTConfig:
    """The baseline of Shangguan et al. 2019, section 4: 8 + 2 layers of 2,048 units projected to 640, 4,096 word pieces.

    Widths that the paper leaves open are those of its authors' other recognisers: 128 mel bands, four frames stacked every three,
    two joined behind the second layer, embeddings of 128. With them the count is the paper's, 122.1 million, and gates have the
    104.9 million weights that its pruned networks imply.
    """
    return RNNTConfig(
        features=128, stack=4, hop=3, layers=8, cell=sized(encoder, 2048, 640), reduce_after=2, reduction=2, prediction_layers=2,
        prediction=sized(prediction, 2048, 640), embedding=128, joint=640, bias=False,
    )  # fmt: skip


AN4 = RNNTConfig(layers=3, cell=sized("ln-lstm", 160), prediction_layers=0, embedding=128, joint=160, dropout=0.3)

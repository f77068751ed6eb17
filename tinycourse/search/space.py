"""The search space: a fixed list of choices, what a sampler sees, and the design that they stand for.

A `Design` has a number of channels for every layer. Thirty free numbers would drown a sampler, so here they follow from four: width,
growth, bottleneck and copies. Evolution, which changes a design in place, needs no such list: see `mutate`.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tinycourse.models.design import ACTIVATIONS, FORMS, LASTS, Design, Window

CHOICES = {
    "high": (4_000, 7_600),  # Hz, upper edge of the mel bank
    "stem": (8, 12, 16, 20, 24),  # channels
    "stem_kernel": ("3x3", "5x5", "3 x bands"),  # the last turns bands into channels: what follows sees time alone
    "frames": (26, 51),  # behind the stem
    "bands": (10, 20),
    "reduce": ("pool", "stride"),  # how the stem gets there from 101 x 40: the convolution halves, the rest is pooled; or it strides
    "blocks": (2, 3, 4, 5, 6, 7, 8),
    "width": (6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 32),  # channels that the first block puts out
    "growth": (1.0, 1.25, 1.5, 2.0),  # of the last block's to the first one's
    "bottleneck": (0.5, 0.75, 1.0),  # channels between the two condensers of a block to those behind it
    "near_copies": (1, 2),  # of each channel, in the embedding; two look aside, in opposite directions
    "near_kernel": ("1x1", "3x1", "1x3", "3x3"),
    "near_pool": ("1x1", "2x1", "1x2", "2x2"),
    "far_copies": (1, 2),
    "far_kernel": ("1x1", "3x1", "5x1"),
    "far_pool": ("1 x bands", "2x2"),
    "condense": ("max", "mean"),
    "dilate": (False, True),
    "halve": (0, 1, 2),  # how often the bands are halved on the way
    "form": tuple(FORMS),
    "skip": (True, False),
    "inner": ACTIVATIONS,
    "between": ("identity", "relu"),
    "outer": ACTIVATIONS,  # of stem and last convolution
    "last_kind": LASTS,
    "last": (16, 24, 32, 40, 48, 64),  # channels
    "last_pool": (1, 2),
}
PLAIN = ("condense", "dilate", "form", "skip", "inner", "between", "outer", "last_kind", "last_pool")  # as they are in a Design

# Points put in by hand, if asked for: attention condensers in the manner of BC-ResNet (arXiv 2106.04140), which mixes along time and along
# frequency by kernels of its own, and one that looks along time alone.
BROADCAST = {
    "high": 7_600, "stem": 16, "stem_kernel": "3x3", "frames": 26, "bands": 10, "reduce": "pool", "blocks": 4, "width": 16, "growth": 1.0,
    "bottleneck": 1.0, "near_copies": 1, "near_kernel": "3x3", "near_pool": "1x1", "far_copies": 1, "far_kernel": "5x1",
    "far_pool": "1 x bands", "condense": "mean", "dilate": True, "halve": 1, "form": "add", "skip": True, "inner": "silu",
    "between": "identity", "outer": "relu", "last_kind": "1 x bands", "last": 32, "last_pool": 1,
}  # fmt: skip
STARTS = (
    BROADCAST,
    BROADCAST | {"stem": 12, "width": 12, "last": 24},
    BROADCAST | {"blocks": 5, "halve": 2, "last": 24},
    BROADCAST | {"stem": 20, "blocks": 5, "width": 24, "halve": 2, "last": 48},
    BROADCAST | {"stem_kernel": "3 x bands", "blocks": 3, "last_kind": "1x1", "last": 24},
)


def size() -> int:
    """How many points the space has."""
    return math.prod(map(len, CHOICES.values()))


def suggest(trial) -> dict:
    """One value of every choice, drawn by an Optuna trial."""
    return {name: trial.suggest_categorical(name, values) for name, values in CHOICES.items()}


def draw(random: Random) -> dict:
    """One value of every choice, each as likely as the others."""
    return {name: random.choice(values) for name, values in CHOICES.items()}


def window(text: str) -> Window:
    """ "3x1" as (3, 1), "1 x bands" as (1, None)."""
    time, frequency = text.replace(" ", "").split("x")
    return int(time), None if frequency == "bands" else int(frequency)


def design_of(c: Mapping) -> Design:
    """The design that a value of every choice stands for."""
    flat = c["stem_kernel"] == "3 x bands"  # nothing is left of the frequency axis, so nothing looks or pools along it

    def of_map(text):
        time, bands = window(text)
        return time, 1 if flat else bands

    reduction = (100 // c["frames"] + 1, 1 if flat else 40 // c["bands"])  # 2 or 4 each
    stride = reduction if c["reduce"] == "stride" else (2, min(2, reduction[1]))
    blocks, channels = [], c["stem"]
    for i in range(c["blocks"]):
        width = round(c["width"] * (1 + (c["growth"] - 1) * i / (c["blocks"] - 1)))
        middle = max(2, round(width * c["bottleneck"]))
        blocks.append(((c["near_copies"] * channels, middle), (c["far_copies"] * middle, width)))
        channels = width
    plain = {name: c[name] for name in PLAIN}
    if flat and c["last_kind"] == "1 x bands":
        plain["last_kind"] = "1x1"
    return Design(
        stem=c["stem"],
        blocks=tuple(blocks),
        last=c["last"],
        high=c["high"],
        stem_kernel=window(c["stem_kernel"]),
        stem_stride=stride,
        stem_pool=tuple(whole // part for whole, part in zip(reduction, stride)),
        near_kernel=of_map(c["near_kernel"]),
        near_pool=of_map(c["near_pool"]),
        near_aside=c["near_copies"] == 2,
        far_kernel=of_map(c["far_kernel"]),
        far_pool=of_map(c["far_pool"]),
        far_aside=c["far_copies"] == 2,
        halve=() if flat else tuple(c["blocks"] * (i + 1) // (c["halve"] + 1) for i in range(c["halve"])),
        activation=c["outer"],
        **plain,
    )


# ------------------------------------------------------------------------------------------------- changing a design

FREE = {  # what `mutate` may set anew; channels, blocks and where the bands are halved it changes by little
    "high": CHOICES["high"],
    "near_kernel": tuple(map(window, CHOICES["near_kernel"])),
    "near_pool": tuple(map(window, CHOICES["near_pool"])),
    "far_kernel": tuple(map(window, CHOICES["far_kernel"])),
    "far_pool": tuple(map(window, CHOICES["far_pool"])),
    "stem_kernel": ((3, 3), (5, 5)),
    "stem_pool": ((1, 1), (1, 2), (2, 1), (2, 2)),
    "activation": ACTIVATIONS,
    **{name: CHOICES[name] for name in PLAIN},
}


def shapes(design: Design) -> list[tuple[int, int, int, int]]:
    """Every block as (near copies, b, far copies, d): what is left when its input may change."""
    into = [design.stem] + [block[1][1] for block in design.blocks]
    return [(a // channels, b, c // b, d) for channels, ((a, b), (c, d)) in zip(into, design.blocks)]


def with_shapes(design: Design, blocks: list[tuple[int, int, int, int]]) -> Design:
    """The design with blocks as `shapes` gives them."""
    into, built = [design.stem] + [d for *_, d in blocks], []
    for channels, (near, b, far, d) in zip(into, blocks):
        built.append(((near * channels, b), (far * b, d)))
    return replace(design, blocks=tuple(built), halve=tuple(i for i in design.halve if i < len(built)))


def mutate(design: Design, random: Random) -> Design:
    """The design with one thing different: a number of channels, a block more or less, a halving, or one of FREE."""
    blocks = shapes(design)
    kind = random.choice(("channels", "channels", "channels", "blocks", "copies", "halve", *FREE))
    if kind == "channels":
        layer = random.randrange(2 * len(blocks) + 2)
        if layer >= 2 * len(blocks):
            name = ("stem", "last")[layer % 2]
            return with_shapes(replace(design, **{name: near_to(getattr(design, name), random)}), blocks)
        block = list(blocks[layer // 2])
        block[1 + layer % 2 * 2] = near_to(block[1 + layer % 2 * 2], random)
        blocks[layer // 2] = tuple(block)
    elif kind == "blocks":
        i = random.randrange(len(blocks))
        if len(blocks) > 1 and random.random() < 0.5:
            blocks.pop(i)
        else:
            blocks.insert(i, blocks[i])
    elif kind == "copies":
        i = random.randrange(len(blocks))
        near, b, far, d = blocks[i]
        blocks[i] = random.choice(((3 - near, b, far, d), (near, b, 3 - far, d)))
    elif kind == "halve":
        return replace(design, halve=tuple(sorted({*design.halve} ^ {random.randrange(len(blocks))})))
    else:
        return replace(design, **{kind: random.choice([v for v in FREE[kind] if v != getattr(design, kind)])})
    return with_shapes(design, blocks)


def near_to(channels: int, random: Random) -> int:
    """Another number of channels, up to a third more or less."""
    return max(2, channels + random.choice((-1, 1)) * random.randint(1, max(1, channels // 3)))

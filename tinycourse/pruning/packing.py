"""Packed checkpoints: the file of a pruned network without its empty blocks of weights, and back, bit for bit."""

import json
from pathlib import Path

import numpy as np
import torch

from tinycourse.program.block_sparse import Block, cut, grid, joined
from tinycourse.training.checkpoint import FORMAT as CHECKPOINT
from tinycourse.training.checkpoint import read, write_whole

FORMAT = "tinycourse-sparse-1"


def pack(checkpoint: str | Path, out: str | Path, names: list[str], block: Block) -> None:
    """Write a checkpoint again without the empty blocks of the weights `names`: their values, and a bitmap of which are there."""
    tensors, header = read(checkpoint, CHECKPOINT)
    shapes = {}
    for name in names:
        weight = tensors.pop(name)
        blocks = cut(weight.numpy(), block)
        keep = blocks.any((2, 3))
        shapes[name] = list(weight.shape)
        tensors |= {f"{name}:values": torch.from_numpy(blocks[keep]), f"{name}:bitmap": torch.from_numpy(np.packbits(keep))}
    write_whole(out, tensors, header | {"format": FORMAT, "shapes": json.dumps(shapes), "block": json.dumps(block)})


def unpack(packed: str | Path, out: str | Path) -> None:
    """The checkpoint that `pack` read, bit for bit."""
    tensors, header = read(packed, FORMAT)
    block = tuple(json.loads(header.pop("block")))
    for name, shape in json.loads(header.pop("shapes")).items():
        down, across = grid(shape, block)
        keep = np.unpackbits(tensors.pop(f"{name}:bitmap").numpy(), count=down * across).reshape(down, across).astype(bool)
        blocks = np.zeros((down, across, *block), np.float32)
        blocks[keep] = tensors.pop(f"{name}:values").numpy()
        tensors[name] = torch.from_numpy(joined(blocks, shape).copy())
    write_whole(out, tensors, header | {"format": CHECKPOINT})

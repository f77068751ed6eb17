"""The widgets of lesson 07, over the pictures of `plots/lesson07.py`. Only what ipywidgets 7.7 and 8 share."""

import copy
from collections.abc import Callable

import ipywidgets as w
from torch import Tensor, nn

from tinycourse.plots import lesson07 as figures
from tinycourse.program import block_sparse
from tinycourse.pruning.masks import SCOPES, choose, prunable
from tinycourse.widgets.explorer import Explorer, png


class MaskExplorer(Explorer):
    """Choose a weight, a block, a sparsity and how it is shared out; see the mask, the bytes, and what the network still knows.

    `score` judges a network, a share. The network given stays as it is: `pruned` is a copy, `masks` its last masks, `size` their bytes.
    """

    def __init__(self, network: nn.Module, score: Callable[[nn.Module], float]):
        self.network, self.score = network, score
        sizes = {name: p.numel() for name, p in prunable(network).items()}
        self.weight = w.Dropdown(options=list(sizes), value=max(sizes, key=sizes.get), description="weight")
        self.block = w.Dropdown(options=["1x1", "8x1", "1x8", "4x4"], value="8x1", description="block")
        self.scope = w.Dropdown(options=list(SCOPES), description="budget")
        self.sparsity = w.FloatSlider(value=0.5, min=0, max=0.95, step=0.05, description="sparsity", continuous_update=False)
        self.words = w.HTML()
        super().__init__((self.weight, self.block), (self.scope, self.sparsity), below=(self.words,))

    def redraw(self, change=None) -> None:
        """Prune a copy as the controls say, and judge it."""
        block = block_sparse.parse_block(self.block.value)
        self.pruned = copy.deepcopy(self.network)
        weights = prunable(self.pruned)
        self.masks = choose(weights, block, self.sparsity.value, self.scope.value)
        for name, mask in self.masks.items():
            weights[name].data *= mask
        self.size = block_sparse.total({name: p.detach().numpy() for name, p in weights.items()}, block)
        name = self.weight.value
        gone = 1 - self.masks[name].float().mean().item()
        title = f"{name}, {gone:.0%} gone"
        self.picture.value = png(figures.masks({title: self.masks[name].flatten(1)}))
        self.words.value = (
            f"All pruned weights: {self.size.dense:,} bytes dense, {self.size.indexed:,} with indices, {self.size.bitmap:,} with a bitmap. "
            f"Without training on: {self.score(self.pruned):.1%} right."
        )


class MaskFilm(Explorer):
    """How a mask changed while a network was trained: play it, or go to any moment of `masks`, step -> bool [outputs, inputs]."""

    def __init__(self, masks: dict[int, Tensor]):
        self.masks, self.steps = masks, sorted(masks)
        last = len(masks) - 1  # where the course of it can be seen without playing
        self.moment = w.IntSlider(value=last, min=0, max=last, description="moment")
        self.play = w.Play(value=last, min=0, max=last, interval=400)
        w.jslink((self.play, "value"), (self.moment, "value"))
        super().__init__((self.moment,), below=(self.play,))

    def redraw(self, change=None) -> None:
        """Show the moment that the slider says."""
        self.picture.value = png(figures.moment(self.masks, self.steps[self.moment.value]))

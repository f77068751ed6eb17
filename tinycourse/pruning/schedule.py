"""When to prune and how far: the cubic schedule of Zhu and Gupta (2017, arXiv 1710.01878), and a recipe around it."""

from dataclasses import dataclass, field

from tinycourse.program.block_sparse import Block


@dataclass(frozen=True)
class Schedule:
    """Sparsity over the steps of a training: s_f + (s_i - s_f) (1 - (t - start) / (end - start))**power (arXiv 1710.01878, eq. 1).

    Fast at first, while there is much to spare, and slower and slower. Masks are drawn at `start`, every `every` steps and at `end`; then
    they stay. With start = end all go at once: one-shot pruning.
    """

    start: int
    end: int
    final: float
    initial: float = 0.0
    every: int = 10
    power: int = 3

    def at(self, step: int) -> float:
        """The sparsity wanted at a step; 0 before the start."""
        if step < self.start:
            return 0.0
        left = 1 - min(1.0, (step - self.start) / max(1, self.end - self.start)) if step < self.end else 0.0
        return self.final + (self.initial - self.final) * left**self.power

    def due(self, step: int) -> bool:
        """Whether masks are drawn at this step."""
        return self.start <= step <= self.end and ((step - self.start) % self.every == 0 or step == self.end)


@dataclass(frozen=True)
class PruneConfig:
    """What to prune, how far, and when. Times are shares of the whole training."""

    sparsity: float = 0.7
    block: Block = (8, 1)  # outputs x inputs
    scope: str = "layer"  # each weight as sparse as the other; or one budget for all, shared out by "lamp" or by "global" magnitude
    only: tuple[str, ...] = ()  # patterns of parameter names (default: what the network calls `prunable`, or all that have inputs)
    layers: dict[str, float] = field(default_factory=dict)  # exceptions: pattern -> sparsity of its own; 0 leaves it dense
    start: float = 0.0
    end: float = 0.6
    every: int = 10  # steps
    straight_through: bool = True  # weights behind the mask get the gradient of their place; without, only weight decay moves them

    def schedule(self, steps: int, final: float) -> Schedule:
        """For a weight that shall end at sparsity `final` in a training of so many steps."""
        return Schedule(round(self.start * steps), round(self.end * steps), final, every=self.every)

"""The larger of two numbers, element by element."""

import numpy as np

from tinycourse.program.fixed_point import requantize
from tinycourse.program.ops.base import Kernel, Operation, activation
from tinycourse.program.ops.elementwise import broadcast, random_pair


class Maximum(Operation):
    """max(a, b) as real numbers, broadcast as in `Add`: multiplier, shift (two each, of a and b). Parameter clamp."""

    in_place = can_clamp = True

    def reference(self, xs, ins, out):
        scaled = [
            requantize(x.astype(np.int64) - t.zero_point, multiplier, shift)
            for x, t, multiplier, shift in zip(xs, ins, self.parameters["multiplier"], self.parameters["shift"])
        ]
        return np.maximum(*scaled) + out.zero_point

    def kernel(self, ins, out):
        each = zip("ab", ins, self.parameters["multiplier"], self.parameters["shift"])
        sides = {f"side_{x}": {"zero_point": t.zero_point, "multiplier": m, "shift": s} for x, t, m, s in each}
        return Kernel("tc_maximum", broadcast(ins, out) | sides | {"activation": activation(self, out)})

    @classmethod
    def random(cls, s):
        a, b, shape = random_pair(s)
        multiplier, shift = s.factor(100, 2)
        return s.add("maximum", (a, b), shape, {"multiplier": tuple(multiplier.tolist()), "shift": tuple(shift.tolist())})

"""Tracing: any torch module made of supported operations becomes a small graph of float operations.

`torch.export` runs the module once and writes down every ATen operation with its shapes. `LOWER` turns each of them into a
node of `graph.py`, or refuses it by name. After folding, `Graph.run` computes what the module computes in evaluation mode.
No model class is known here.
"""

import copy
import operator
import warnings

import torch
from torch import Tensor, nn
from torch.fx.node import map_arg

from tinycourse.errors import TinycourseError
from tinycourse.float_ops import NODES, Input, Node
from tinycourse.graph import Graph, fold
from tinycourse.lowering import ARITHMETIC, LOWER, ON_VIEWS, View, as_map, counted, settle


class UnsupportedOperation(TinycourseError):
    """The network holds an operation that has no integer form here; the message names it and the module it is in."""


@torch.no_grad()
def trace(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    """The folded float graph of a module for inputs of `shape`, (C, H, W) or (C,) without the batch.

    The module itself is left as it is; the graph describes it in evaluation mode.
    Raises UnsupportedOperation, naming the operation and the path of the module it is in.
    """
    module = copy.deepcopy(module).cpu().float().eval()
    example = torch.zeros(2, *shape)  # two, so that an operation across the batch shows in the shapes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export warns of its own internals
        try:
            exported = torch.export.export(module, (example,))
            if any(n.target._schema.is_mutable for n in exported.graph.nodes if hasattr(n.target, "_schema")):
                exported = exported.run_decompositions({})  # slow; makes in-place operations functional
        except Exception as error:  # whatever the module's own code raises, and torch's dozen errors
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UnsupportedOperation(
                f"{type(module).__name__} cannot be traced with an input of shape [2, {', '.join(map(str, shape))}]: {reason}"
            ) from error
    return Graph(fold(*lower_all(exported, type(module).__name__, tuple(shape))))


# ----------------------------------------------------------------------------------------------- lowering


class Call:
    """One ATen call while it is lowered: its first argument, the rest by their ATen names, what it returns, how to refuse it."""

    def __init__(self, fx_node, values: dict, nodes: list[Node], root: str):
        self.target, self.op, self.nodes = fx_node.target, str(fx_node.target).split(".")[1], nodes
        stack = list((fx_node.meta.get("nn_module_stack") or {}).values())
        self.path = (stack[-1][0] if stack else "") or root
        if self.op not in LOWER:
            self.refuse()
        schema = [a.name for a in self.target._schema.arguments]
        self.arguments = {a.name: a.default_value for a in self.target._schema.arguments}
        self.arguments |= dict(zip(schema, fx_node.args)) | fx_node.kwargs
        result = fx_node.meta["val"]
        result = result[0] if isinstance(result, (tuple, list)) else result
        known_rank = self.op in ON_VIEWS or len(result.shape) in (2, 3, 4)
        if not known_rank or result.dim() < 2 or result.shape[0] != 2 or not result.dtype.is_floating_point:
            self.refuse(f"its result {list(result.shape)} is no float map [N, C, H, W] or vector [N, C] of a batch N = 2")
        self.shape = tuple(result.shape[1:])
        self.arguments = {k: map_arg(v, lambda n: self.read(values[n])) for k, v in self.arguments.items()}
        self.first = schema[0]
        self.rest = {k: v for k, v in self.arguments.items() if k != self.first}
        if self.op not in ARITHMETIC and any(isinstance(v, (View, Node)) for v in self.rest.values()):
            self.refuse("its weights may not depend on the input")

    def refuse(self, reason: str = "tinycourse cannot turn this operation into integers"):
        """Raise UnsupportedOperation with the path, the operation and what is supported."""
        known = ", ".join(sorted(k for k in LOWER if not k.startswith("_")))
        raise UnsupportedOperation(f"{self.path} (aten.{self.op}): {reason}; supported are {known}.")

    def evaluate(self, x: Tensor) -> Tensor:
        """This very operation on other numbers."""
        return self.target(**self.arguments | {self.first: x})

    def read(self, x):
        """An argument: a view for those who work element by element, a settled node for the others, a constant as it is."""
        return self.settled(x) if isinstance(x, View) and self.op not in ON_VIEWS else x

    def settled(self, x: View) -> Node:
        """See `settle`; refused where it is impossible."""
        node = settle(x, self.nodes, self.path)
        if node is None:
            self.refuse(f"its input {list(x.shape)} is a view of {list(x.node.shape)} whose elements would have to change places")
        return node

    def node(self, kind: str, *inputs: Node, arrays: dict | None = None, shape=None, **parameters) -> Node:
        """Append a node with this call's path, and its shape unless another is given."""
        shape = as_map(self.shape) if shape is None else tuple(shape)
        self.nodes.append(NODES[kind](list(inputs), shape, parameters, arrays or {}, path=self.path))
        return self.nodes[-1]

    def like(self, kind: str, x: View, arrays: dict | None = None, **parameters) -> View:
        """A node that works element by element on x, seen as x is seen."""
        return View(self.node(kind, x.node, arrays=arrays, shape=x.node.shape, **parameters), x.index)

    def constant(self, value, x: View) -> Tensor:
        """A number or a constant tensor as float64 beside x's node: [C], or [C, H, W] with length 1 where it does not vary."""
        try:
            value = torch.as_tensor(value, dtype=torch.float64).broadcast_to((1, *x.shape)).flatten()
        except RuntimeError:
            self.refuse(f"a constant of shape {list(value.shape)} does not fit an activation of shape {list(x.shape)}")
        beside = torch.empty_like(value).index_copy(0, x.index.flatten(), value).reshape(x.node.shape)
        for axis in range(1, beside.dim()):
            first = beside.narrow(axis, 0, 1)
            beside = first if (beside == first).all() else beside
        return beside

    def affine(self, x: View, factor: Tensor, bias: Tensor) -> View:
        """x * factor + bias.

        What varies along H or W becomes a scale of its own behind the typical factor and bias of each channel, because only
        those can be folded into a convolution; it then has little left to do. Neighbours that cannot be folded meet again.
        """
        if factor.numel() > len(factor) or bias.numel() > len(bias):
            usual = factor.square().mean((1, 2), keepdim=True).sqrt()
            usual[usual == 0] = 1.0
            offset = bias.mean((1, 2), keepdim=True)
            x = self.like("scale", x, {"factor": usual, "bias": offset})
            factor = factor / usual
            bias = bias - factor * offset
        return self.like("scale", x, {"factor": factor, "bias": bias})


def lower_all(exported, root: str, shape: tuple[int, ...]) -> tuple[list[Node], Node]:
    """Nodes in running order, and the output among them. What depends on parameters alone is computed here and now."""
    signature, state = exported.graph_signature, {**exported.state_dict, **exported.constants}
    constants = {s.arg.name: state[s.target] for s in signature.input_specs if s.target is not None}
    values, nodes = {}, [Input([], shape)]
    x = View(nodes[0], counted(shape))
    for fx_node in exported.graph.nodes:
        if fx_node.op == "placeholder":
            value = constants.get(fx_node.name, x)
        elif fx_node.op == "output":
            break
        elif fx_node.meta.get("val") is None:  # an assertion
            continue
        elif fx_node.target is operator.getitem:
            source, index = fx_node.args
            value = values[source] if isinstance(values[source], View) else values[source][index]
        elif all(isinstance(values[n], Tensor) for n in fx_node.all_input_nodes):
            value = fx_node.target(*map_arg(fx_node.args, values.get), **map_arg(fx_node.kwargs, values.get))
        else:
            call = Call(fx_node, values, nodes, root)
            value = LOWER[call.op](call, call.arguments[call.first], **call.rest)
            if isinstance(value, Node):
                value = View(value, counted(value.shape).reshape(call.shape))
        values[fx_node] = value
    results = [values[n] for n in fx_node.all_input_nodes]
    match results:
        case [View() as x] if len(signature.output_specs) == 1 and len(x.shape) in (1, 3) and (output := settle(x, nodes, root)):
            return nodes, output
    raise UnsupportedOperation(
        f"{root} must return one tensor, a map or a vector computed from the input, and may not change its own buffers."
    )

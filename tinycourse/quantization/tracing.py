"""Tracing: any torch module made of supported operations becomes a small graph of float operations.

`torch.export` runs the module once and writes down every ATen operation with its shapes. `LOWER` turns each of them into a
node of `graph.py`, or refuses it by name. After folding, `Graph.run` computes what the module computes in evaluation mode.
No model class is known here.
"""

import contextlib
import copy
import io
import logging
import operator
import random
import traceback
import warnings

import numpy as np
import torch
from torch import Tensor, nn
from torch.export.graph_signature import OutputKind
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.fx.node import map_arg
from torch.nn.utils import prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from tinycourse.errors import TinycourseError
from tinycourse.quantization.graph import Graph, fold
from tinycourse.quantization.lowering import LOWER, ON_VIEWS, PAIRS, View, as_map, counted, settle
from tinycourse.quantization.ops.base import NODES, Input, Node

DRAW_ONCE = "a chip has none, draw them once, in __init__, and register them as a buffer"


class UnsupportedOperation(TinycourseError):
    """The network holds an operation that has no integer form here; the message names it and the module it is in."""


@torch.no_grad()
def trace(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    """The folded float graph of a module for inputs of `shape`, (C, H, W) or (C,) without the batch.

    The module itself is left as it is; the graph describes it in evaluation mode.
    Raises UnsupportedOperation, naming the operation and the path of the module it is in.
    """
    root = type(module).__name__
    if not 1 <= len(shape) <= 3 or not all(type(n) is int and n > 0 for n in shape):
        raise UnsupportedOperation(f"{root} needs the shape of its input without the batch, (C, H, W) or (C,), not {shape}.")
    try:
        module = copied(module)
    except Exception as error:  # of tensors without data, or of whatever the module holds
        raise UnsupportedOperation(f"{root} cannot be copied: {first_line(error)}") from error
    return Graph(fold(*lower_all(export(module, root, shape), root, tuple(shape))))


def copied(module: nn.Module) -> nn.Module:
    """The module in evaluation mode and float32, with the weights that hooks would make of others at every call made for good."""
    made = [x for part in module.modules() for x in vars(part).values() if isinstance(x, Tensor) and not x.is_leaf]
    module = copy.deepcopy(module, {id(x): x.detach().clone() for x in made}).cpu().float().eval()
    for part in module.modules():
        for key, hook in list(part._forward_pre_hooks.items()):
            if isinstance(hook, prune.BasePruningMethod | WeightNorm | SpectralNorm):
                hook.remove(part)
                del part._forward_pre_hooks[key]
    return module


def export(module: nn.Module, root: str, shape: tuple[int, ...]):
    """What torch.export makes of the module. Raises UnsupportedOperation where it cannot, or where numbers were drawn meanwhile."""
    example = torch.zeros(2, *shape)  # two, so that an operation across the batch shows in the shapes
    before = drawn()
    try:
        with quiet():
            exported = torch.export.export(module, (example,))
            if any(n.target._schema.is_mutable for n in exported.graph.nodes if hasattr(n.target, "_schema")):
                exported = exported.run_decompositions({})  # slow; makes in-place operations functional
    except GuardOnDataDependentSymNode as error:
        reason = "what it does depends on the numbers it is given; do the same for every input, such as with a multiplication"
        raise UnsupportedOperation(f"{place(error, module) or root} cannot be traced: {reason}.") from error
    except Exception as error:  # whatever the module's own code raises, and torch's dozen errors
        where = f"[2, {', '.join(map(str, shape))}]"
        inside = f" (in {path})" if (path := place(error, module)) else ""
        raise UnsupportedOperation(f"{root} cannot be traced with an input of shape {where}{inside}: {first_line(error)}") from error
    if drawn() != before:
        raise UnsupportedOperation(f"{root} draws random numbers in its forward, of Python or numpy; {DRAW_ONCE}.")
    return exported


@contextlib.contextmanager
def quiet():
    """Without what torch.export tells of its own internals: warnings, and the graph of what it cannot trace."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def drawn() -> tuple:
    """Changes when Python's or numpy's generator is asked for a number."""
    kind, key, *rest = np.random.get_state()
    return random.getstate(), kind, key.tobytes(), *rest


def place(error: Exception, module: nn.Module) -> str:
    """The path of the innermost module in whose code an error was raised, "" if it is the module itself."""
    paths = {id(part): path for path, part in module.named_modules()}
    parts = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return next((paths[id(part)] for part in reversed(parts) if id(part) in paths), "")


def first_line(error: Exception) -> str:
    """What an error says, or its name."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# ----------------------------------------------------------------------------------------------- lowering


class Call:
    """One ATen call while it is lowered: its first argument, the rest by their ATen names, what it returns, how to refuse it."""

    def __init__(self, fx_node, values: dict, nodes: list[Node], root: str):
        self.target, self.op, self.nodes = fx_node.target, op_of(fx_node), nodes
        self.path, self.arguments = path_of(fx_node, root), arguments(fx_node)
        if self.op not in LOWER:
            self.refuse()
        result = fx_node.meta["val"]
        result = result[0] if isinstance(result, (tuple, list)) else result
        known_rank = self.op in ON_VIEWS or len(result.shape) in (2, 3, 4)
        if not known_rank or result.dim() < 2 or result.shape[0] != 2 or not result.dtype.is_floating_point:
            self.refuse(f"its result {list(result.shape)} is no float map [N, C, H, W] or vector [N, C] of a batch N = 2")
        if not result.numel():
            self.refuse(f"its result {list(result.shape)} is empty")
        self.shape = tuple(result.shape[1:])
        self.arguments = {k: map_arg(v, lambda n: self.read(values[n])) for k, v in self.arguments.items()}
        self.first = next(iter(self.arguments))
        self.rest = {k: v for k, v in self.arguments.items() if k != self.first}
        if self.op not in PAIRS and any(isinstance(v, (View, Node)) for v in self.rest.values()):
            self.refuse("its weights may not depend on the input")

    def refuse(self, reason: str = "tinycourse cannot turn this operation into integers"):
        """Raise UnsupportedOperation with the path, the operation and what is supported."""
        known = ", ".join(sorted(k for k in LOWER if not k.startswith("_")))
        raise refusal(self.path, self.op, f"{reason}; supported are {known}")

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
        if not all(array.isfinite().all() for array in (arrays or {}).values()):
            raise refusal(self.path, self.op, "its weights or constants are not all finite numbers; give it others, or train it again")
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
        elif draws(fx_node):
            raise refusal(path_of(fx_node, root), op_of(fx_node), f"it draws random numbers; {DRAW_ONCE}")
        elif all(isinstance(values[n], Tensor) for n in fx_node.all_input_nodes):
            value = fx_node.target(*map_arg(fx_node.args, values.get), **map_arg(fx_node.kwargs, values.get))
            if "empty" in op_of(fx_node) and value.is_floating_point():
                value = torch.full_like(value, torch.nan)  # what was in memory by chance: no number, unless it is filled later
        else:
            call = Call(fx_node, values, nodes, root)
            value = LOWER[call.op](call, call.arguments[call.first], **call.rest)
            if isinstance(value, Node):
                value = View(value, counted(value.shape).reshape(call.shape))
        values[fx_node] = value
    result = returned(exported, values, root)
    output = settle(result, nodes, root)
    if output is None:
        reason = "what it returns is a view whose elements would have to change places; return the map or vector that it is a view of"
        raise UnsupportedOperation(f"{root} ({list(result.node.shape)} as {list(result.shape)}): {reason}.")
    return nodes, output


def returned(exported, values: dict, root: str) -> View:
    """The one map or vector that a module returns. What it does to its input in place is its own affair; a buffer has to stay."""
    if changed := sorted(exported.graph_signature.buffers_to_mutate.values()):
        raise UnsupportedOperation(f"{root} may not change its own buffers in its forward, as it does with {changed[0]}.")
    by_name = {node.name: value for node, value in values.items()}
    found = [by_name.get(s.arg.name) for s in exported.graph_signature.output_specs if s.kind == OutputKind.USER_OUTPUT]
    match found:
        case [View() as x] if exported.call_spec.out_spec.is_leaf() and len(x.shape) in (1, 3):
            return x
        case [View() as x] if exported.call_spec.out_spec.is_leaf():
            instead = f"one of {len(x.shape) + 1} axes"
        case _:
            instead = "a collection" if not exported.call_spec.out_spec.is_leaf() else "what does not depend on it"
    raise UnsupportedOperation(f"{root} must return one tensor, a map or a vector computed from the input, not {instead}.")


def op_of(fx_node) -> str:
    """The name of an ATen operation: "conv2d"."""
    return str(fx_node.target).split(".")[1]


def path_of(fx_node, root: str) -> str:
    """The path of the module that called an operation, or the name of the whole."""
    stack = list((fx_node.meta.get("nn_module_stack") or {}).values())
    return (stack[-1][0] if stack else "") or root


def arguments(fx_node) -> dict:
    """The arguments of an ATen call by name, as the graph has them."""
    schema = fx_node.target._schema.arguments
    return {a.name: a.default_value for a in schema} | dict(zip([a.name for a in schema], fx_node.args)) | fx_node.kwargs


def draws(fx_node) -> bool:
    """Whether an operation draws random numbers. Dropout and its like do so in training only."""
    if torch.Tag.nondeterministic_seeded not in getattr(fx_node.target, "tags", ()):
        return False
    given = arguments(fx_node)
    return given.get("train", given.get("training", True))


def refusal(path: str, op: str, reason: str) -> UnsupportedOperation:
    """What to raise for an operation of the module at a path."""
    return UnsupportedOperation(f"{path} (aten.{op}): {reason}.")

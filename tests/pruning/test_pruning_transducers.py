# ruff: noqa: F811
"""Transducers that are pruned: which of their weights, resumed to the same bits, by the verb, and what they weigh then."""

import json

import pytest
import torch

from tests.data.test_sentences import QUICK, digits, same, small_task  # noqa: F401
from tinycourse import cli, models
from tinycourse.errors import TinycourseError
from tinycourse.models.cells import CellConfig
from tinycourse.models.rnnt import RNNTConfig, Transducer
from tinycourse.program import block_sparse
from tinycourse.pruning import masks, packing, recipes, schedule
from tinycourse.training import checkpoint, resume, transducers
from tinycourse.transducer.vocabulary import Vocabulary

HALF = schedule.PruneConfig(0.5, (8, 1), end=0.5, every=2)


def pruned(task, how=HALF, out=None, resume=False):
    recogniser = transducers.recogniser_for("rnnt-digits-cifg-sru", Vocabulary.of(task.texts(), task.tokens), 0)
    return recogniser, *recipes.prune_transducer(recogniser, task, QUICK, how, out, resume=resume)


@pytest.mark.parametrize("name", ["rnnt-digits", "rnnt-digits-ln-cifg-sru", "rnnt-digits-sru-sru"])
def test_gates_are_pruned_and_nothing_else(name):
    network = models.build(name, 11)
    found = masks.prunable(network)
    assert sum(p.numel() for p in found.values()) == network.config.counts(11)["gates"]
    assert all(".layers." in key and "weight_" in key for key in found)


def test_projections_and_the_joint_network_on_request():
    cell = CellConfig("lstm", 24, projection=16)
    config = RNNTConfig(features=6, cell=cell, prediction=cell, embedding=8, joint=16)
    network, counts = Transducer(config, 16), config.counts(16)
    asked = {(): 0, ("*.layers.*",): counts["projections"], ("*",): counts["projections"] + counts["joint"] + counts["output"] - 16 - 16}
    for patterns, more in asked.items():  # 16 and 16: biases of the joint network
        found = masks.prunable(network, patterns)
        assert sum(p.numel() for p in found.values()) == counts["gates"] + more
        assert not any("embedding" in key or "bias" in key for key in found)


def test_the_best_is_one_of_the_settled_epochs(small_task):
    recogniser, history, pruner = pruned(small_task)
    assert [h["settled"] for h in history] == [True, True] and pruner.sparsity == pytest.approx(0.5)
    recogniser, history, pruner = pruned(small_task, schedule.PruneConfig(0.5, (8, 1), end=1.0))
    assert [h["settled"] for h in history] == [False, True] and recogniser.info["validation"]["epoch"] == 2
    network, kept = recogniser.network, recogniser.info["pruning"]["kept"]
    rest = network.config.sparse(11, 1.0)  # of a network without gates
    assert sum(int((p != 0).sum()) for p in pruner.parameters.values()) == kept
    assert rest + kept == network.config.sparse(11, 0.5)


def test_a_stopped_pruning_resumes_to_the_same_bits(small_task, tmp_path, power_cut):
    how = schedule.PruneConfig(0.6, (4, 1), end=1.0, every=2)
    whole, history, pruner = pruned(small_task, how, tmp_path / "whole.safetensors")
    power_cut(1, lambda: pruned(small_task, how, tmp_path / "cut.safetensors"))
    with pytest.raises(TinycourseError, match="differs in pruning"):
        pruned(small_task, HALF, tmp_path / "cut.safetensors", resume=True)
    resumed, rest, again = pruned(small_task, how, tmp_path / "cut.safetensors", resume=True)
    assert rest == history and same(whole, resumed) and again.returned == pruner.returned
    assert all(torch.equal(again.dense[name], w) and torch.equal(again.masks[name], pruner.masks[name]) for name, w in pruner.dense.items())
    assert any((pruner.dense[name] != p).any() for name, p in pruner.parameters.items())  # there is something behind the masks


def test_retraining_is_half_of_the_recipe_and_not_easy_at_first():
    whole, half = transducers.recipe("connected-digits"), recipes.retraining("connected-digits", seed=3, batch=None)
    assert (half.epochs, half.learning_rate, half.curriculum, half.seed) == (whole.epochs // 2, whole.learning_rate / 2, 0, 3)
    assert half.batch == whole.batch and recipes.retraining("connected-digits", epochs=2).epochs == 2


def test_the_verb(small_task, tmp_path, capsys):
    dense, out, small = (tmp_path / f"{name}.safetensors" for name in ("dense", "sparse", "packed"))
    common = ["--data", "connected-digits", "--epochs", "1", "--batch", "8", "--json"]
    assert cli.main(["train", "rnnt-digits", "--out", str(dense), "--hold-out", "cid", *common]) == 0
    capsys.readouterr()
    options = ["--sparsity", "0.75", "--block", "8x1", "--layers", "prediction.*=0.5", "--packed", str(small), "--out", str(out)]
    assert cli.main(["prune", str(dense), *options, *common]) == 0
    figures, recogniser = json.loads(capsys.readouterr().out), checkpoint.load(out)
    assert figures["testing"]["count"] == 12 and figures["testing"] == recogniser.info["testing"] and not resume.state_file(out).exists()
    assert recogniser.info["data_options"] == {"hold_out": "cid"} and " && tinycourse " in recogniser.info["command"]
    weights = {name: p.detach().numpy() for name, p in masks.prunable(recogniser.network).items()}
    gone = {name: (w == 0).mean() for name, w in weights.items()}
    assert gone == pytest.approx({name: 0.5 if "prediction" in name else 0.75 for name in weights}, abs=1e-3)
    assert figures["bytes"]["bitmap"] == block_sparse.total(weights, (8, 1)).bitmap < figures["bytes"]["dense"] / 2
    saved = dense.stat().st_size - small.stat().st_size
    assert saved == pytest.approx(figures["bytes"]["dense"] - figures["bytes"]["bitmap"], abs=4_000)  # but for the header, the same bytes
    packing.unpack(small, tmp_path / "again.safetensors")
    assert same(checkpoint.load(tmp_path / "again.safetensors"), recogniser)
    assert cli.main(["prune", str(dense), "--data", "speech-commands", "--out", str(out)]) == 1
    assert "cannot learn from 'speech-commands'" in capsys.readouterr().err

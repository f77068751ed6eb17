"""The loop that all trainings share: what it calls and when, what it leaves where a training diverges, and how it judges."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.nn import functional as F

from tests.training.test_training import NOISE, clips
from tinycourse.divergence import Diverged
from tinycourse.errors import TinycourseError
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.training import classifiers
from tinycourse.training.loop import Loop, evaluate

FRONT = Frontend(FrontendConfig(kind="log-mel"))


class Numbers:
    """Two batches an epoch, which say which epoch it is."""

    def steps(self, world):
        return 2

    def epoch(self, number, rank, world):
        yield from [(torch.full((4, 3), 1.0 + number), torch.tensor([0, 1, 0, 1]))] * 2


def made(epochs, **options):
    torch.manual_seed(0)
    network, fabric = nn.Linear(3, 2), Fabric(accelerator="cpu", devices=1)
    trained = fabric.setup(network, torch.optim.SGD(network.parameters(), 0.1))
    return network, Loop(fabric, *trained, Numbers(), lambda net, x, labels: F.cross_entropy(net(x), labels), epochs, **options)


def test_what_is_called_after_an_epoch_and_in_which_order():
    _, loop = made(3, rate=lambda step, steps: 0.1 * (step + 1) / steps)
    called = []
    notes = [lambda history, found, name=name: called.append((name, len(history), found)) for name in "ab"]
    history = loop.run([{"epoch": 1}], lambda number: {"measured": number}, notes)  # the first epoch is over already
    assert called == [("a", 2, {"measured": 1}), ("b", 2, {"measured": 1}), ("a", 3, {"measured": 2}), ("b", 3, {"measured": 2})]
    assert [row["epoch"] for row in history] == [1, 2, 3] and history[-1]["rate"] == pytest.approx(0.1)


def test_a_gradient_is_bounded():
    step = {}
    for clip in (None, 1e-6):
        network, loop = made(1, clip=clip)
        before = network.weight.detach().clone()
        loop.epoch(0)
        step[clip] = (network.weight - before).norm()
    assert step[1e-6] <= 2 * 0.1 * 1.001e-6 < step[None]


@pytest.mark.parametrize("where", ["its second epoch", "what measures it"])
def test_what_diverges_leaves_the_weights_from_before_the_epoch(where):
    steep = {"rate": lambda step, steps: 0.1 if step < 2 else 1e38} if where == "its second epoch" else {}
    network, loop = made(2, **steep)
    kept = {}

    def measure(number: int) -> dict:
        if number:
            raise Diverged("an answer is infinite")
        kept.update({name: x.clone() for name, x in network.state_dict().items()})
        return {}

    with pytest.raises(Diverged):
        loop.run(measure=measure)
    assert kept and all(torch.equal(x, kept[name]) for name, x in network.state_dict().items())


def test_it_judges_as_the_whole_recogniser_does():
    recogniser, held_out = classifiers.seeded("tinyspeech-m", clips(8, 0).classes, 0), clips(300, 1)
    energies = classifiers.energies_of(recogniser.frontend, held_out.audio, torch.float32)
    loss, right = evaluate(recogniser.network, recogniser.frontend, energies, held_out.labels)
    assert float(right.float().mean()) == classifiers.evaluate(recogniser, held_out).accuracy and right.shape == (300,)
    assert 0 < loss < 10
    recogniser.network.classifier.weight.data.fill_(torch.inf)
    with pytest.raises(Diverged, match="^It: an answer is infinite or not a number"):
        evaluate(recogniser.network, recogniser.frontend, energies, held_out.labels, "It")


def batches(count: int, size: int) -> classifiers.ClipBatches:
    energies, config = classifiers.energies_of(FRONT, clips(count, 0).audio), classifiers.TrainConfig(batch=size)
    return classifiers.ClipBatches(FRONT, energies, torch.arange(count), classifiers.energies_of(FRONT, NOISE[None])[0], config)


def test_processes_share_every_batch_and_none_draws_a_clip_twice():
    ours = batches(11, 5)
    alone = [set(labels.tolist()) for _, labels, _ in ours.epoch(3)]
    shares = [[set(labels.tolist()) for _, labels, _ in ours.epoch(3, rank, 2)] for rank in (0, 1)]
    assert [a | b for a, b in zip(*shares)] == alone and not any(a & b for a, b in zip(*shares))
    assert [len(a) for a in alone] == [5, 5] and len(alone) == ours.steps() and not alone[0] & alone[1]


def test_an_epoch_is_its_seeds():
    ours = batches(8, 4)
    (x, labels, teacher_logits), (again, *_), (other, *_) = (next(ours.epoch(number)) for number in (0, 0, 1))
    assert torch.equal(x, again) and not torch.equal(x, other) and teacher_logits is None and x.shape == (4, 1, *FRONT.config.shape[1:])


def test_batches_that_cannot_be():
    with pytest.raises(TinycourseError, match="4 clips do not fill one batch of 5"):
        batches(4, 5).steps()
    with pytest.raises(TinycourseError, match="A batch of 5 clips cannot be shared by 6 processes"):
        batches(5, 5).steps(6)

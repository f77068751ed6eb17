"""The training loop, on a few synthetic clips that a tiny network learns in seconds."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from tinycourse import checkpoint, training
from tinycourse.augmentation import AugmentConfig
from tinycourse.data import Clips
from tinycourse.errors import TinycourseError

CLASSES = ("silence", "unknown", "low", "high")


def clips(n: int, seed: int) -> Clips:
    """Silence, loud hiss, and two tones with jitter: classes that any front end tells apart."""
    g = torch.Generator().manual_seed(seed)
    t = torch.arange(16_000) / 16_000
    labels = torch.arange(n) % 4
    tone = torch.tensor([0.0, 0.0, 400.0, 1_600.0])[labels] * (0.9 + 0.2 * torch.rand(n, generator=g))
    hiss = torch.tensor([0.0, 0.3, 0.01, 0.01])[labels, None] * torch.randn(n, 16_000, generator=g)
    audio = 0.3 * torch.sin(2 * torch.pi * tone[:, None] * t) + hiss
    return Clips((audio.clamp(-1, 1) * 32767).to(torch.int16), labels, CLASSES, [str(i) for i in range(n)])


NOISE = 0.01 * torch.randn(40_000, generator=torch.Generator().manual_seed(1))
CONFIG = training.TrainConfig(epochs=3, batch=16, augment=AugmentConfig(shift=400))


def fitted(config=CONFIG, out=None, resume=False):
    recogniser = training.seeded("tinyspeech-m", CLASSES, config.seed)
    history = training.fit(recogniser, clips(64, 0), clips(32, 1), NOISE, config, out, resume)
    return recogniser, history


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_it_learns():
    recogniser, history = fitted(training.TrainConfig(epochs=12, batch=16, augment=AugmentConfig(shift=400)))
    assert history[-1]["loss"] < history[0]["loss"] / 2
    assert training.evaluate(recogniser, clips(64, 2)).accuracy > 0.9


def test_the_seed_decides_every_bit():
    (a, _), (b, _) = fitted(), fitted()
    assert same(a, b)
    other, _ = fitted(training.TrainConfig(epochs=3, batch=16, seed=1, augment=AugmentConfig(shift=400)))
    assert not same(a, other)


def test_a_stopped_training_resumes_to_the_same_bits(tmp_path, power_cut):
    whole, history = fitted(out=tmp_path / "whole.safetensors")
    power_cut(training, 2, lambda: fitted(out=tmp_path / "cut.safetensors"))
    resumed, rest = fitted(out=tmp_path / "cut.safetensors", resume=True)
    assert rest == history and same(whole, resumed)
    assert same(checkpoint.load(tmp_path / "cut.safetensors"), resumed)


KILLED = """
import sys; sys.path.insert(0, {here!r})
import test_training as t
t.fitted(t.training.TrainConfig(epochs=200, batch=16), out=t.checkpoint.Path({out!r}))
"""


def test_sigkill_leaves_a_checkpoint_that_resumes(tmp_path):
    out = tmp_path / "m.safetensors"
    code = KILLED.format(here=os.path.dirname(__file__), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not training.state_file(out).exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(checkpoint.read(training.state_file(out), training.STATE)[1]["history"])
    assert before > 0 and checkpoint.load(out).name == "tinyspeech-m"
    recogniser = training.seeded("tinyspeech-m", CLASSES, 0)
    config = training.TrainConfig(epochs=200, batch=16)
    optimizer = torch.optim.AdamW(training.groups(recogniser.network, config.weight_decay))
    history, best = training.restore(training.state_file(out), recogniser, optimizer, config)
    assert history and best.keys() == recogniser.state_dict().keys()


def test_resuming_another_recipe_is_refused(tmp_path):
    out = tmp_path / "m.safetensors"
    fitted(out=out)
    with pytest.raises(TinycourseError, match="another model or recipe"):
        fitted(training.TrainConfig(epochs=5, batch=16), out, resume=True)
    with pytest.raises(TinycourseError, match="nothing to resume"):
        fitted(out=tmp_path / "none.safetensors", resume=True)


def test_a_path_that_cannot_be_written_fails_before_the_first_epoch(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(training, "train_epoch", lambda *a: pytest.fail("trained for nothing"))
    with pytest.raises(TinycourseError, match="cannot be written"):
        fitted(out=tmp_path / "file" / "m.safetensors")


def test_too_few_clips_for_a_batch_are_named():
    with pytest.raises(TinycourseError, match="64 clips do not fill one batch of 128"):
        fitted(training.TrainConfig(epochs=1, batch=128))


def test_the_learning_rate_climbs_and_falls():
    config = training.TrainConfig(learning_rate=1.0, warmup=0.1)
    rates = [config.rate(step, 100) for step in range(100)]
    assert rates.index(max(rates)) in (9, 10) and max(rates) == 1.0 and rates[-1] < 0.001


def test_a_teacher_that_is_copied_exactly_leaves_nothing_to_learn():
    config = training.TrainConfig(distillation=1.0)
    taught = torch.randn(8, 4)
    same = taught.clone().requires_grad_()
    training.loss_of(same, torch.zeros(8, dtype=torch.long), taught, config).backward()
    assert same.grad.abs().max() < 1e-6
    other = torch.randn(8, 4, requires_grad=True)
    training.loss_of(other, torch.zeros(8, dtype=torch.long), taught, config).backward()
    assert other.grad.abs().max() > 1e-3


def test_a_teacher_of_another_task_is_refused(tmp_path):
    teacher = training.seeded("tinyspeech-z", ("silence", "unknown", "yes"), 0)
    checkpoint.save(teacher, tmp_path / "teacher.safetensors")
    with pytest.raises(TinycourseError, match="knows other classes"):
        training.answers(str(tmp_path / "teacher.safetensors"), training.seeded("tinyspeech-z", CLASSES, 0), clips(8, 0))

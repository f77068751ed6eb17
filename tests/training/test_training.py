"""The training loop, on a few synthetic clips that a tiny network learns in seconds."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tinycourse.data import Clips
from tinycourse.divergence import Diverged
from tinycourse.errors import TinycourseError
from tinycourse.features.augmentation import AugmentConfig
from tinycourse.training import checkpoint, classifiers, loop, resume

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
CONFIG = classifiers.TrainConfig(epochs=3, batch=16, augment=AugmentConfig(shift=400))


def fitted(config=CONFIG, out=None, resume=False, practice=None, noise=NOISE, files=None):
    practice = practice or clips(64, 0)
    recogniser = classifiers.seeded("tinyspeech-m", practice.classes, config.seed)
    validation = replace(clips(32, 1), classes=practice.classes)
    history = classifiers.fit(recogniser, practice, validation, noise, config, out, resume, files=files)
    return recogniser, history


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_it_learns():
    recogniser, history = fitted(classifiers.TrainConfig(epochs=12, batch=16, augment=AugmentConfig(shift=400)))
    assert history[-1]["loss"] < history[0]["loss"] / 2
    assert classifiers.evaluate(recogniser, clips(64, 2)).accuracy > 0.9


def test_the_seed_decides_every_bit():
    (a, _), (b, _) = fitted(), fitted()
    assert same(a, b)
    other, _ = fitted(classifiers.TrainConfig(epochs=3, batch=16, seed=1, augment=AugmentConfig(shift=400)))
    assert not same(a, other)


def test_a_stopped_training_resumes_to_the_same_bits(tmp_path, power_cut):
    whole, history = fitted(out=tmp_path / "whole.safetensors")
    power_cut(2, lambda: fitted(out=tmp_path / "cut.safetensors"))
    resumed, rest = fitted(out=tmp_path / "cut.safetensors", resume=True)
    assert rest == history and same(whole, resumed)
    assert same(checkpoint.load(tmp_path / "cut.safetensors"), resumed)


KILLED = """
import sys; sys.path.insert(0, {here!r})
from tests.training import test_training as t
t.fitted(t.classifiers.TrainConfig(epochs=200, batch=16), out=t.checkpoint.Path({out!r}))
"""


def test_sigkill_leaves_a_checkpoint_that_resumes(tmp_path):
    out = tmp_path / "m.safetensors"
    code = KILLED.format(here=str(Path(__file__).parents[2]), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    while not resume.state_file(out).exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(checkpoint.read(resume.state_file(out), resume.STATE)[1]["history"])
    assert before > 0 and checkpoint.load(out).name == "tinyspeech-m"
    recogniser = classifiers.seeded("tinyspeech-m", CLASSES, 0)
    config = classifiers.TrainConfig(epochs=200, batch=16)
    optimizer = torch.optim.AdamW(loop.groups(recogniser.network, config.weight_decay))
    recogniser.info["fingerprints"] = classifiers.fingerprints(clips(64, 0), clips(32, 1), NOISE, {})
    keeper = resume.Keeper(recogniser, optimizer, config, out)
    assert keeper.restore() and keeper.best.keys() == recogniser.state_dict().keys()


def louder(sample: int) -> Clips:
    """The training clips, one sample of them changed by one."""
    changed = clips(64, 0)
    changed.audio[sample // 16_000, sample % 16_000] += 1
    return changed


def test_only_the_same_training_can_be_resumed(tmp_path):
    """What differs is named: recipe, classes of the same number and of another, a sample, a label, the noise, a file it starts from."""
    out, start = tmp_path / "m.safetensors", tmp_path / "start"
    start.write_bytes(b"one")
    fitted(out=out, files={"start": start})
    relabelled = replace(clips(64, 0), labels=clips(64, 0).labels.flip(0))
    others = {
        "epochs, learning_rate": {"config": replace(CONFIG, epochs=5, learning_rate=0.1)},
        "augment": {"config": replace(CONFIG, augment=AugmentConfig(shift=401))},
        "classes, training data, validation data": {"practice": replace(clips(64, 0), classes=("a", "b", "c", "d"))},
        "classes, training data": {"practice": replace(clips(64, 0), classes=(*CLASSES, "more"))},
        "training data:": {"practice": louder(sample=70_000)},
        "training data: ": {"practice": relabelled},
        "noise": {"noise": 2 * NOISE},
        "start": {"files": None},
    }
    for name, other in others.items():
        with pytest.raises(TinycourseError, match=f"another training, which differs in {name}"):
            fitted(**{"out": out, "resume": True, "files": {"start": start}} | other)
    start.write_bytes(b"two")
    with pytest.raises(TinycourseError, match="differs in start: resume with the same, or train without --resume"):
        fitted(out=out, resume=True, files={"start": start})
    start.rename(tmp_path / "elsewhere").write_bytes(b"one")
    assert fitted(out=out, resume=True, files={"start": tmp_path / "elsewhere"})[1]
    with pytest.raises(TinycourseError, match="nothing to resume"):
        fitted(out=tmp_path / "none.safetensors", resume=True)


def test_another_model_is_named(tmp_path):
    out = tmp_path / "m.safetensors"
    fitted(out=out)
    other = classifiers.seeded("tinyspeech-z", CLASSES, 0)
    with pytest.raises(TinycourseError, match="differs in model"):
        classifiers.fit(other, clips(64, 0), clips(32, 1), NOISE, CONFIG, out, resume=True)


def test_another_teacher_is_named_wherever_it_lies(tmp_path):
    out, teachers = tmp_path / "m.safetensors", [tmp_path / f"{seed}.safetensors" for seed in (1, 2)]
    for seed, teacher in enumerate(teachers, 1):
        checkpoint.save(classifiers.seeded("tinyspeech-z", CLASSES, seed), teacher)
    fitted(replace(CONFIG, teacher=str(teachers[0])), out)
    with pytest.raises(TinycourseError, match="differs in teacher"):
        fitted(replace(CONFIG, teacher=str(teachers[1])), out, resume=True)
    with pytest.raises(TinycourseError, match="differs in teacher"):
        fitted(out=out, resume=True)
    teachers[0].rename(teachers[1])
    assert fitted(replace(CONFIG, teacher=str(teachers[1])), out, resume=True)[1]


def test_a_training_that_diverges_stops_and_keeps_what_it_had(tmp_path, monkeypatch):
    """Weights that grow a billionfold a step, from the second epoch on: `out` and the recogniser hold those of the first."""
    out, recogniser = tmp_path / "m.safetensors", classifiers.seeded("tinyspeech-m", CLASSES, 0)
    monkeypatch.setattr(classifiers.TrainConfig, "rate", lambda config, step, steps: 0.01 if step < steps / config.epochs else 1e20)
    with pytest.raises(Diverged, match="^Epoch 2: .* the training has diverged, try a smaller learning rate"):
        classifiers.fit(recogniser, clips(64, 0), clips(32, 1), NOISE, CONFIG, out)
    kept, _ = fitted(replace(CONFIG, epochs=1))
    assert same(checkpoint.load(out), kept) and same(recogniser, kept)
    assert classifiers.evaluate(recogniser, clips(64, 2)).count == 64


@pytest.mark.parametrize("which", ["weight", "running_var"])
def test_a_single_weight_that_is_no_number_ends_a_training(which, monkeypatch):
    """Even where the loss does not show it."""
    recogniser = classifiers.seeded("tinyspeech-m", CLASSES, 0)
    step = torch.optim.AdamW.step

    def broken(optimizer, *rest):
        step(optimizer, *rest)
        next(x for name, x in recogniser.state_dict().items() if name.endswith(which)).view(-1)[0] = torch.nan

    monkeypatch.setattr(torch.optim.AdamW, "step", broken)
    with pytest.raises(Diverged, match=f"^Epoch 1: .*{which} is infinite or not a number"):
        classifiers.fit(recogniser, clips(16, 0), clips(32, 1), NOISE, CONFIG)
    assert all(x.isfinite().all() for x in recogniser.state_dict().values())


def test_answers_that_are_no_numbers_have_no_accuracy():
    recogniser = classifiers.seeded("tinyspeech-m", CLASSES, 0)
    next(reversed(list(recogniser.network.parameters()))).data.fill_(torch.inf)
    with pytest.raises(Diverged, match="^tinyspeech-m: an answer is infinite or not a number"):
        classifiers.evaluate(recogniser, clips(16, 0))


def test_a_path_that_cannot_be_written_fails_before_the_first_epoch(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(loop.Loop, "epoch", lambda *a: pytest.fail("trained for nothing"))
    with pytest.raises(TinycourseError, match="cannot be written"):
        fitted(out=tmp_path / "file" / "m.safetensors")


def test_too_few_clips_for_a_batch_are_named(tmp_path):
    (tmp_path / "m.safetensors").write_text("an earlier training")
    with pytest.raises(TinycourseError, match="64 clips do not fill one batch of 128"):
        fitted(classifiers.TrainConfig(epochs=1, batch=128), tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_text() == "an earlier training"


def test_the_learning_rate_climbs_and_falls():
    config = classifiers.TrainConfig(learning_rate=1.0, warmup=0.1)
    rates = [config.rate(step, 100) for step in range(100)]
    assert rates.index(max(rates)) in (9, 10) and max(rates) == 1.0 and rates[-1] < 0.001


def test_a_teacher_that_is_copied_exactly_leaves_nothing_to_learn():
    config = classifiers.TrainConfig(distillation=1.0)
    teacher_logits = torch.randn(8, 4)
    same = teacher_logits.clone().requires_grad_()
    classifiers.loss_of(same, torch.zeros(8, dtype=torch.long), teacher_logits, config).backward()
    assert same.grad.abs().max() < 1e-6
    other = torch.randn(8, 4, requires_grad=True)
    classifiers.loss_of(other, torch.zeros(8, dtype=torch.long), teacher_logits, config).backward()
    assert other.grad.abs().max() > 1e-3


def test_a_teacher_of_another_task_is_refused(tmp_path):
    teacher = classifiers.seeded("tinyspeech-z", ("silence", "unknown", "yes"), 0)
    checkpoint.save(teacher, tmp_path / "teacher.safetensors")
    with pytest.raises(TinycourseError, match="knows other classes"):
        classifiers.answers(str(tmp_path / "teacher.safetensors"), classifiers.seeded("tinyspeech-z", CLASSES, 0), clips(8, 0))

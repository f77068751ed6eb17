"""Training: one loop for CPU, GPU and several of them, seeded, with a progress bar, that survives being killed."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from tinycourse.data import Clips
from tinycourse.data.fingerprint import fingerprint
from tinycourse.divergence import must_be_finite, or_as_before
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import to_int16
from tinycourse.features.augmentation import Augment, AugmentConfig
from tinycourse.features.frontend import Frontend
from tinycourse.files import need_writable
from tinycourse.training.checkpoint import Recogniser, as_float, in_batches, load, path_of, read, save, write_whole
from tinycourse.training.launch import agree
from tinycourse.training.metrics import Report, report

STATE = "tinycourse-training-2"


@dataclass(frozen=True)
class TrainConfig:
    """The recipe. The learning rate climbs for `warmup` of all steps and falls to zero along a cosine."""

    epochs: int = 50
    batch: int = 64
    learning_rate: float = 0.02
    warmup: float = 0.15
    weight_decay: float = 0.001
    label_smoothing: float = 0.0
    teacher: str = ""  # checkpoint whose answers are learned too (Hinton et al. 2015, arXiv 1503.02531)
    distillation: float = 0.7  # share of the loss that the teacher decides
    temperature: float = 2.0  # by which the answers of both are softened
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def rate(self, step: int, steps: int) -> float:
        """Learning rate at `step` of `steps`."""
        return warm_cosine(self.learning_rate, step, steps, self.warmup * steps)


def warm_cosine(peak: float, step: int, steps: int, warmup: float) -> float:
    """A learning rate that climbs to `peak` for `warmup` steps and falls to zero at `steps` along a cosine."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def seeded(name: str, classes: tuple[str, ...], seed: int) -> Recogniser:
    """A fresh recogniser whose first weights depend on the seed alone."""
    torch.manual_seed(seed)
    return Recogniser(name, classes)


def noise_of(source) -> Tensor:
    """All noise that a data set of words offers for training, one long recording [samples]."""
    return torch.cat([torch.from_numpy(n) for n in source.noise("training")])


def evaluate(recogniser: Recogniser, clips: Clips) -> Report:
    """Accuracy and confusion of a recogniser on clips. Raises Diverged where an answer is no number."""
    recogniser.eval()
    logits = in_batches(recogniser, clips.audio)
    must_be_finite(recogniser.name, {"an answer": logits})
    return report(logits, clips.labels, recogniser.classes)


def fit(
    recogniser: Recogniser,
    training: Clips,
    validation: Clips,
    noise: Tensor,
    config: TrainConfig,
    out: Path | None = None,
    resume: bool = False,
    fabric: Fabric | None = None,
    pruner=None,
    files: dict[str, Path] | None = None,
) -> list[dict]:
    """Train in place; the history holds one dict an epoch (epoch, loss, rate, validation accuracy).

    After every epoch `out` gets the best weights so far (before the first, what is there stays) and `out`.state all that `resume` needs
    to go on, as if nothing had happened: every epoch draws from its own seed, so a resumed run ends on the same bits.
    `noise` [samples] is what background noise is cut from. Afterwards the recogniser holds the best weights.
    With a `pruner.Pruner`, only epochs that end at its final sparsity can be the best, and every epoch says its sparsity.

    `info["fingerprints"]` says what the weights come from: data, teacher, and other `files` such as the checkpoint that it starts
    from. What is resumed must have the same. Raises Diverged where a number is not finite any more; recogniser and `out` then hold
    weights from before.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    history, best = [], {}
    torch.manual_seed(config.seed)
    recogniser.frontend.fit(as_float(training.audio[:: max(1, len(training) // 2000)]))
    recogniser.to(fabric.device)
    recogniser.network.to(memory_format=torch.channels_last)  # pooling and convolutions of few channels are faster so, by a quarter
    heard = energies_of(recogniser.frontend, training.audio), energies_of(recogniser.frontend, noise[None])[0]
    taught = answers(config.teacher, recogniser, training) if config.teacher else None
    files = (files or {}) | ({"teacher": path_of(config.teacher)} if config.teacher else {})
    recogniser.info["fingerprints"] = fingerprints(training, validation, noise, files)
    network, optimizer = fabric.setup(recogniser.network, torch.optim.AdamW(groups(recogniser.network, config.weight_decay)))
    if pruner:
        pruner.attach(optimizer)
    if resume:
        history, best = restore(state_file(out), recogniser, optimizer, config, pruner)
    elif out and fabric.is_global_zero:
        need_writable(out)  # at once: a path that cannot be written should not cost an epoch

    for epoch in range(len(history), config.epochs):
        with or_as_before(recogniser):
            loss = train_epoch(fabric, network, recogniser.frontend, optimizer, *heard, training.labels, taught, config, epoch)
            accuracy = evaluate(recogniser, validation).accuracy
        history.append({"epoch": epoch + 1, "loss": loss, "rate": optimizer.param_groups[0]["lr"], "accuracy": accuracy})
        if pruner:
            history[-1] |= {"sparsity": pruner.sparsity, "settled": pruner.settled}
        if history[-1].get("settled", True) and accuracy >= max(h["accuracy"] for h in history if h.get("settled", True)):
            best = {k: v.detach().cpu().clone() for k, v in recogniser.state_dict().items()}
            recogniser.info["validation"] = {"accuracy": accuracy, "count": len(validation), "epoch": epoch + 1}
            if out and fabric.is_global_zero:
                save(recogniser, out)
        if out and fabric.is_global_zero:
            store(state_file(out), recogniser, optimizer, config, history, best, pruner)
    recogniser.load_state_dict(best)
    recogniser.cpu().to(memory_format=torch.contiguous_format).eval()
    return history


def fingerprints(training: Clips, validation: Clips, noise: Tensor, files: dict[str, Path]) -> dict[str, str]:
    """What a recogniser of words is trained and chosen on; `noise` [samples] as 16-bit integers."""
    data = {"training data": training.fingerprint(), "validation data": validation.fingerprint()}
    return data | {"noise": fingerprint(to_int16(noise.numpy()))} | {name: fingerprint(path) for name, path in files.items()}


def groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Weight decay is for whatever has more than one axis; biases and batch norm go without."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def energies_of(frontend: Frontend, audio: Tensor) -> Tensor:
    """Mel energies of many clips [N, samples]: [N, frames, mels], computed once a training, kept in half the memory."""
    parts = tqdm(audio.split(250), desc="mel energies", leave=False)
    with torch.no_grad():
        return torch.cat([frontend.energies(as_float(part).to(frontend.mean.device)).bfloat16() for part in parts])


def answers(teacher: str, pupil: Recogniser, clips: Clips) -> Tensor:
    """A teacher's logits for undisturbed clips: [N, classes]. Raises TinycourseError if it knows other classes than its pupil."""
    recogniser = load(teacher)
    if recogniser.classes != pupil.classes:
        raise TinycourseError(f"{teacher} knows other classes ({', '.join(recogniser.classes)}); choose a teacher of the same task.")
    return in_batches(recogniser, clips.audio)


def loss_of(logits: Tensor, labels: Tensor, taught: Tensor | None, config: TrainConfig) -> Tensor:
    """Cross-entropy with the labels [B], and with a teacher's logits [B, classes] where there are any."""
    loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    if taught is None:
        return loss
    t, share = config.temperature, config.distillation
    soft = F.kl_div(F.log_softmax(logits / t, 1), F.softmax(taught / t, 1), reduction="batchmean")
    return (1 - share) * loss + share * t * t * soft  # t * t: gradients as large as those of the labels


def train_epoch(fabric, network, frontend, optimizer, energies, noise, labels: Tensor, taught, config: TrainConfig, epoch: int) -> float:
    """One pass over clips, given by their mel energies [N, frames, mels]; with several devices each takes its share of every
    batch. `noise` [frames, mels] is cut into background noise, `taught` [N, classes] are a teacher's logits, or None.
    Returns the mean loss, of all devices. Raises Diverged if it or a weight is not finite any more."""
    seed = config.seed * 100_003 + epoch
    torch.manual_seed(seed)
    augment = Augment(config.augment, frontend.config.hop, noise.float(), seed * 64 + fabric.global_rank)
    whole = len(labels) // config.batch * config.batch
    if not whole:
        raise TinycourseError(f"{len(labels)} clips do not fill one batch of {config.batch}; ask for a smaller batch or more clips.")
    if config.batch < fabric.world_size:
        raise TinycourseError(f"A batch of {config.batch} clips cannot be shared by {fabric.world_size} processes; ask for a larger batch.")
    batches = torch.randperm(len(labels))[:whole].view(-1, config.batch)[:, fabric.global_rank :: fabric.world_size]
    network.train()
    total = torch.zeros((), device=fabric.device)
    bar = tqdm(batches, desc=f"epoch {epoch + 1}/{config.epochs}", leave=False, disable=not fabric.is_global_zero)
    for step, batch in enumerate(bar, epoch * len(batches)):
        for group in optimizer.param_groups:
            group["lr"] = config.rate(step, config.epochs * len(batches))
        with torch.no_grad():
            x = augment.features(frontend.finish(augment.energies(energies[batch].float())))  # [B, 1, frames, bands]
        soft = None if taught is None else taught[batch].to(fabric.device)
        loss = loss_of(network(x), labels[batch].to(fabric.device), soft, config)
        optimizer.zero_grad()
        fabric.backward(loss)
        optimizer.step()
        total += loss.detach()
    agree(fabric, network)
    mean = float(fabric.all_reduce(total)) / len(batches)
    must_be_finite(f"Epoch {epoch + 1}", {"the loss": mean} | network.state_dict())
    return mean


# --------------------------------------------------------------------------------------------------- resume


def state_file(out: Path) -> Path:
    """Where a training keeps what it needs to go on."""
    return Path(out).with_suffix(".state.safetensors")


def store(path: Path, recogniser: Recogniser, optimizer, config: TrainConfig, history: list[dict], best: dict, pruner=None) -> None:
    """Everything about a training between two epochs, in one safetensors file."""
    tensors = {f"recogniser.{k}": v for k, v in recogniser.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in best.items()}
    for i, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
    if pruner:
        tensors |= {f"pruner.{k}": v for k, v in pruner.state_dict().items()}
    header = {"history": history, "info": recogniser.info, "identity": identity(recogniser, config, pruner)}
    write_whole(path, tensors, {"format": STATE} | {k: json.dumps(v) for k, v in header.items()})


def identity(recogniser: Recogniser, config: TrainConfig, pruner=None) -> dict:
    """All that has to be the same for a training to be resumed: name -> what it is, as JSON has it."""
    recipe = asdict(config)
    recipe.pop("teacher", None)  # wherever it lies: its fingerprint counts
    pruning = json.loads(pruner.settings) if pruner else None
    parts = {"model": recogniser.name, "classes": recogniser.classes} | recipe | {"pruning": pruning} | recogniser.info["fingerprints"]
    return json.loads(json.dumps(parts))


def restore(path: Path, recogniser: Recogniser, optimizer, config: TrainConfig, pruner=None) -> tuple[list[dict], dict[str, Tensor]]:
    """Load what `store` wrote into recogniser, optimizer and pruner; returns history and best weights.

    Raises TinycourseError if it belongs to another training: another model, other classes, another recipe, other data.
    """
    if not path.is_file():
        raise TinycourseError(f"There is nothing to resume: {path} does not exist; train without --resume.")
    tensors, header = read(path, STATE)
    before, now = json.loads(header["identity"]), identity(recogniser, config, pruner)
    if differ := [name for name in before | now if before.get(name) != now.get(name)]:
        raise TinycourseError(
            f"{path} belongs to another training, which differs in {', '.join(differ)}: resume with the same, or train without --resume."
        )
    parts = {"recogniser": {}, "best": {}, "optimizer": {}, "pruner": {}}
    for name, tensor in tensors.items():
        part, key = name.split(".", 1)
        parts[part][key] = tensor
    recogniser.load_state_dict(parts["recogniser"])
    recogniser.info = json.loads(header["info"])
    state = optimizer.state_dict()
    for key, tensor in parts["optimizer"].items():
        i, name = key.split(".")
        state["state"].setdefault(int(i), {})[name] = tensor
    optimizer.load_state_dict(state)
    if pruner:
        pruner.load_state_dict(parts["pruner"])
    return json.loads(header["history"]), parts["best"]

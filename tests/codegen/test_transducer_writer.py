# ruff: noqa: F811
"""Block-sparse matrices and whole transducers on the chip: smaller, and the same on every bit."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.compilers import gcc_accepts
from tests.data.test_sentences import digits, small_task  # noqa: F401
from tests.quantization.test_recurrent_layers import transducer as random_transducer
from tests.recordings import write
from tinycourse import cli
from tinycourse.codegen import emitter, transducer_writer
from tinycourse.codegen.transducer_writer import KEPT
from tinycourse.data import sentences
from tinycourse.errors import TinycourseError
from tinycourse.export import deploy, package
from tinycourse.export.transducer_package import Transcriber, TransducerPackage
from tinycourse.features.audio import RATE, to_int16
from tinycourse.features.frontend import Frontend, FrontendConfig
from tinycourse.models.cells import CellConfig
from tinycourse.models.rnnt import RNNTConfig, Transducer
from tinycourse.program.fixed_point import fixed_point
from tinycourse.program.keyword_spotter import chunks
from tinycourse.program.ops.base import OPS, Tensor
from tinycourse.program.ops.products import stored
from tinycourse.program.program import Program
from tinycourse.program.transducer import PARTS, TransducerProgram
from tinycourse.quantization.integer_frontend import IntegerFrontend, with_frontend
from tinycourse.quantization.integer_transducer import quantize_transducer
from tinycourse.targets import toolchain
from tinycourse.training import checkpoint, transducers
from tinycourse.transducer.decoding import Greedy, Limits
from tinycourse.transducer.vocabulary import Vocabulary

CELLS = [("lstm", "lstm", 1), ("cifg", "sru", 2), ("sru", "ln-cifg", 1), ("ln-lstm", "lstm", 0)]
LIMITS = Limits(symbols=2, blank_penalty=-1.5)  # with these, `said` says now something, now nothing


@pytest.fixture(scope="module")
def said():
    """A transducer whose gates have lost most 8x1 blocks, features [3, 60, 6], and what it says to them."""
    network, features = random_transducer("lstm", "cifg"), torch.randn(3, 60, 6, generator=torch.Generator().manual_seed(1))
    for name, p in network.named_parameters():
        if "weight_recurrent" in name or "weight_input" in name:
            kept = torch.rand(p.shape[0] // 8, p.shape[1], generator=torch.Generator().manual_seed(len(name))) < 0.3
            p.data *= kept.repeat_interleave(8, 0)
    program = quantize_transducer(network, list(features)).to_program(LIMITS)
    frames = [program.quantize_input(one.numpy()) for one in features]
    return program, frames, [program.run(one) for one in frames]


@pytest.fixture(scope="module")
def hearing(said):
    """The same network with ears, samples of three recordings as the chip is given them, and what it says to them."""
    front = Frontend(FrontendConfig("log-mel", 1600, 100, 16, 128, 6, 6, high=700.0))
    t = torch.arange(4000) / 1600
    audio = torch.sin(torch.tensor([900.0, 1700.0, 3000.0])[:, None] * t + 5 * torch.sin(7 * t)) * torch.sin(2 * t) * 0.6
    front.fit(audio)
    program = with_frontend(said[0], front)
    rows = [chunks(to_int16(one.numpy()), 16) for one in audio]
    return front, program, rows, [program.run(one) for one in rows]


# ------------------------------------------------------------------------------------------ block-sparse matrices


def linear(weight: np.ndarray, bits: int = 16) -> Program:
    multiplier, shift = fixed_point(np.full(len(weight), 0.01))
    arrays = dict(weight=weight, bias=np.zeros(len(weight), np.int32), multiplier=multiplier, shift=shift)
    tensors = {"x": Tensor("x", weight.shape[1:], 0.05, 3), "y": Tensor("y", weight.shape[:1], 0.05, 0, bits)}
    return Program("x", "y", tensors, [OPS["linear16" if bits == 16 else "linear"](("x",), "y", {}, arrays)])


def test_only_kept_blocks_are_stored():
    """By hand: 20 x 30 is three panels. The first keeps inputs 4, 7 and 29, the second none, the third, of four outputs, input 0."""
    weight = np.zeros((20, 30), np.int8)
    weight[:8, [4, 7, 29]], weight[17, 0] = np.arange(24).reshape(8, 3) + 1, -5
    found = stored(weight)
    assert found["start"].tolist() == [0, 2, 2, 3] and found["column"].tolist() == [[4, 7], [29, 0], [0, 0]]
    assert found["weight"][0].tolist() == [[[1, 4], [2, 5]], [[7, 10], [8, 11]], [[13, 16], [14, 17]], [[19, 22], [20, 23]]]
    assert found["weight"][2].flatten().tolist() == [0, -5] + 14 * [0]
    (kernel,), _ = emitter.translate(linear(weight))
    assert kernel.path == "sparse linear16" and kernel.constant_bytes == 3 * 16 + 3 * 2 * 2 + 4 * 4 + 20 * 9
    assert emitter.multiply_adds(linear(weight)) == [3 * 16]


@pytest.mark.parametrize("kept, sparse", [(0.9, False), (0.7, True), (0.0, False)])
def test_the_smaller_form_is_chosen(kept, sparse):
    rng = np.random.default_rng(0)
    weight = rng.integers(1, 128, (64, 200), np.int8) * (rng.random((8, 200)) < kept).repeat(8, 0)
    for bits in (8, 16):
        program = linear(weight, bits)
        (kernel,), _ = emitter.translate(program)
        assert ("start" in kernel.arrays) == sparse and kernel.constant_bytes <= 64 * 200 + 64 * 9
        assert (emitter.multiply_adds(program)[0] < 64 * 200) == sparse


# ------------------------------------------------------------------------------------------ the definition


@pytest.mark.parametrize("encoder, prediction, layers", CELLS)
def test_the_program_says_what_greedy_search_says(encoder, prediction, layers):
    features = torch.randn(3, 37, 6)
    integers = quantize_transducer(random_transducer(encoder, prediction, layers), list(features[:2, :20]), "min-max")
    encoder_out, _ = integers.encoder(features)
    for limits in (Limits(), LIMITS, Limits(symbols=1, blank_penalty=-1.0)):
        program = integers.to_program(limits)
        labels, encoded = zip(*(program.run(program.quantize_input(one.numpy())) for one in features))
        assert np.array_equal(np.stack(encoded), encoder_out.numpy()) and encoder_out.shape[1] == program.outputs_after(37)
        assert list(labels) == Greedy(integers, 3, limits).push(encoder_out).labels


def test_some_frames_say_something_and_some_do_not(said):
    program, frames, expected = said
    counts = [len(labels) for labels, _ in expected]
    assert 0 < sum(counts) < sum(program.symbols * program.outputs_after(len(one)) for one in frames)


def test_a_saved_program_says_the_same(said, tmp_path):
    program, frames, ((labels, encoder_out), *_) = said
    program.save(tmp_path / "t.safetensors")
    loaded = TransducerProgram.load(tmp_path / "t.safetensors")
    again = loaded.run(frames[0])
    assert again[0] == labels and np.array_equal(again[1], encoder_out) and loaded.symbols == LIMITS.symbols
    with pytest.raises(TinycourseError, match="not a tinycourse-program-2"):
        Program.load(tmp_path / "t.safetensors")


# ------------------------------------------------------------------------------------------ on the chip


@pytest.mark.parametrize("target", toolchain.TARGETS)
def test_c_says_what_the_interpreter_says(target, said, tmp_path):
    program, frames, expected = said
    report = package.export(program, target, tmp_path / "t")
    transcriber = package.load(tmp_path / "t")
    for one, (labels, encoder_out) in zip(frames, expected):
        found = transcriber.run(one)
        assert found[0] == labels and np.array_equal(found[1], encoder_out)
    assert report == json.loads((tmp_path / "t" / "report.json").read_text())
    assert sum("sparse" in layer["kernel"] for layer in report["layers"]) == 3
    assert report["flash"]["weight_bytes"] == sum(layer["weight_bytes"] for layer in report["layers"])
    if target.startswith("cortex"):
        assert transcriber.instructions > transcriber.worst > report["parts"]["back"]["instructions"] > 0
        assert report["flash"]["total_bytes"] >= report["flash"]["code_bytes"] + report["flash"]["weight_bytes"]
        least = report["ram"]["arena_bytes"] + report["ram"]["buffer_bytes"]
        assert least < report["ram"]["total_bytes"] - report["ram"]["stack_bytes"] < least + 32
    else:
        assert transcriber.instructions is None


def test_ears_give_the_network_the_frames_of_their_front_end(said, hearing):
    """The recording as a whole, and chunk by chunk; real numbers that are within a step or two of the float front end's."""
    front, program, rows, expected = hearing
    assert len({tuple(labels) for labels, _ in expected}) > 1 and program.outputs_after(len(rows[0])) == len(expected[0][1])
    for one, (labels, encoder_out) in zip(rows, expected):
        frontend, samples = program.frontend, one.reshape(-1)
        frames = frontend.recording(samples)
        assert np.array_equal(np.concatenate([frontend.take(chunk) for chunk in one]), frames) and len(frames) == frontend.frames_after(
            len(samples)
        )
        found = said[0].run(frames)
        assert found[0] == labels and np.array_equal(found[1], encoder_out)
        audio = torch.from_numpy(samples)[None] / 32768
        near = said[0].quantize_input(front(audio)[0, 0].numpy())[3 : len(frames)]  # the first frames are mirrored and faint
        assert np.abs(frames[3:].astype(int) - near).max() <= 2
        x = program.programs["front"].tensors[program.programs["front"].input]
        rest = torch.nn.functional.pad(audio, (0, 15))  # of a chunk
        assert np.array_equal(program.quantize_input(IntegerFrontend(front, x)(rest)[0, 0].numpy()), frames)


@pytest.mark.parametrize("target", toolchain.TARGETS)
def test_c_hears_samples_as_the_interpreter_does(target, hearing, tmp_path):
    _, program, rows, expected = hearing
    report = package.export(program, target, tmp_path / "t")
    transcriber = package.load(tmp_path / "t")
    for one, (labels, encoder_out) in zip(rows, expected):
        found = transcriber.run(one)
        assert found[0] == labels and np.array_equal(found[1], encoder_out)
        assert len(transcriber.when) == len(labels)
        for said in range(0, len(labels), 10):  # a label is there after its row, and was not before
            before, after = (len(program.run(one[: transcriber.when[said] + i])[0]) for i in (0, 1))
            assert before <= said < after
    frontend, networks = report["parts"].pop("ears"), report["parts"].values()
    assert report["input"] == {"shape": [16], "type": "int16", "scale": 2.0**-15, "zero_point": 0} and report["rate"] == 1600
    assert report["flash"]["weight_bytes"] == sum(part["weight_bytes"] for part in (*networks, frontend))
    assert report["ram"]["buffer_bytes"] > 2 * (100 + 16)
    assert report["ram"]["arena_bytes"] == sum(part["arena_bytes"] for part in (*networks, frontend))
    header, readme = ((tmp_path / "t" / file).read_text() for file in ("model.h", "README.md"))
    assert "the next 16 samples, int16, 1600 a second" in header and "the next 16 samples" in readme and "-ar 1600 FILE" in readme
    if target.startswith("cortex"):
        assert len(transcriber.costs) == len(rows[-1]) and sum(transcriber.costs) == transcriber.instructions
        # most runs complete a frame that the encoder does not take yet
        assert frontend["instructions"] == pytest.approx(sorted(transcriber.costs)[len(rows[-1]) // 3], rel=0.02)
        slack = report["ram"]["total_bytes"] - report["ram"]["arena_bytes"] - report["ram"]["buffer_bytes"] - report["ram"]["stack_bytes"]
        assert 0 <= slack < 64


def test_ears_cost_the_same_however_much_is_said(hearing, tmp_path):
    program, found = hearing[1], []
    for penalty in (-100_000, 100_000):  # nothing, or as many labels as may be
        report = package.export(replace(program, blank_penalty=penalty), "cortex-m4", tmp_path / str(penalty))
        found.append((report["labels"], report["parts"]["ears"]["instructions"]))
    (few, cost), (many, same) = found
    assert few == 0 and many == program.symbols * program.outputs_after(100) and same == pytest.approx(cost, rel=0.02)


@pytest.mark.parametrize("layers, stack, hop, reduction", [(0, 4, 3, 1), (1, 5, 2, 3)])
def test_frames_overlap_and_labels_leave(layers, stack, hop, reduction, tmp_path):
    """More labels than the chip keeps, from a prediction network with or without a memory."""
    torch.manual_seed(0)
    config = RNNTConfig(
        features=5, stack=stack, hop=hop, reduction=reduction, cell=CellConfig(units=8), prediction=CellConfig(units=8),
        prediction_layers=layers, embedding=8, joint=8,
    )  # fmt: skip
    network = Transducer(config, 4).eval()
    network.joint.output.bias.data[0] = -9
    features = torch.randn(200, 5)
    program = quantize_transducer(network, [features]).to_program()
    package.export(program, "host", tmp_path / "t")
    frames = program.quantize_input(features.numpy())
    (labels, encoder_out), (found, encoded) = program.run(frames), package.load(tmp_path / "t").run(frames)
    assert labels == found and np.array_equal(encoded, encoder_out) and len(labels) > KEPT
    assert len(encoder_out) == 200 // hop // reduction


def test_gcc_compiles_the_sources_too(said, hearing, tmp_path):
    for name, program in (("digits", said[0]), ("ears", hearing[1])):
        gcc_accepts(transducer_writer.generate(program, name), tmp_path)
    assert "digits_front_run();" in (tmp_path / "digits.c").read_text() and "#define DIGITS_STACK 3" in (tmp_path / "digits.h").read_text()


def test_a_transducer_that_differs_is_not_exported(said, tmp_path, monkeypatch):
    monkeypatch.setattr(Transcriber, "run", lambda self, frames: ([], np.zeros((0, 16), np.int8)))
    with pytest.raises(TinycourseError, match="differs from the interpreter"):
        package.export(said[0], "host", tmp_path / "t")
    assert not list(tmp_path.iterdir())


def test_a_front_end_of_another_network_is_refused(said):
    with pytest.raises(TinycourseError, match="takes 6 features, not the 40"):
        with_frontend(said[0], Frontend(FrontendConfig()))


@pytest.mark.parametrize("window, hop, refused", [(128, 64, True), (127, 64, True), (126, 64, False), (64, 64, False)])
def test_no_run_may_complete_two_outputs_of_the_encoder(window, hop, refused, tmp_path):
    cell = CellConfig(units=8)
    network = Transducer(RNNTConfig(features=6, stack=1, hop=1, reduction=1, cell=cell, prediction=cell, joint=8), 3)
    program = quantize_transducer(network.eval(), [torch.randn(60, 6)]).to_program()
    front = Frontend(FrontendConfig("log-mel", 1600, window, hop, 128, 6, 6, high=700.0)).fit(torch.randn(2, 1600))
    if refused:
        with pytest.raises(TinycourseError, match="come two at a time"):
            with_frontend(program, front)
    else:
        program = with_frontend(program, front)
        package.export(program, "host", tmp_path / "t")
        rows = TransducerPackage(program).noise()
        assert program.rate == 25 and len(package.load(tmp_path / "t").run(rows)[1]) == program.outputs_after(len(rows)) > 20


def test_frames_of_another_kind_are_refused(said, tmp_path):
    program, frames, _ = said
    package.export(program, "wasm", tmp_path / "t")
    transcriber = package.load(tmp_path / "t")
    for wrong in (frames[0].astype(np.int16), frames[0][:, :5]):
        with pytest.raises(TinycourseError, match=r"takes int8 \[T, 6\]"):
            transcriber.run(wrong)
    assert set(package.checked(tmp_path / "t")["parts"]) == set(PARTS)


def test_the_verbs(small_task, tmp_path, capsys):
    recogniser = transducers.recogniser_for("rnnt-digits-cifg-sru", Vocabulary.of(small_task.texts(), "words"), 0)
    recogniser.network.joint.output.bias.data[0] = -1.0  # so that something is said
    recogniser.info = {"data": "connected-digits"}
    checkpoint.save(recogniser, tmp_path / "d.safetensors")
    audio = small_task.speech("testing").audio[0]
    write(tmp_path / "said.wav", audio.numpy())
    results = {}
    for target, option in (("host", []), ("cortex-m4", []), ("wasm", ["--samples"])):
        folder = str(tmp_path / target)
        assert cli.main(["export", str(tmp_path / "d.safetensors"), "--target", target, "--out", folder, *option]) == 0
        words = capsys.readouterr().out
        assert "front.layer0" in words and ("in a second of noise" in words) == (target == "cortex-m4")
        assert ("ears: 100.0 times a second" in words) == bool(option)
        assert cli.main(["run", folder, str(tmp_path / "said.wav"), "--json"]) == 0
        (results[target],) = json.loads(capsys.readouterr().out)["results"]
    assert results["host"].pop("instructions") is None and results["cortex-m4"].pop("instructions") > 1_000_000
    assert results["host"] == results["cortex-m4"] and results["host"]["text"]
    assert results["wasm"]["text"]
    assert results["host"]["seconds"] == pytest.approx(len(audio) / RATE)
    assert cli.main(["run", str(tmp_path / "host"), str(tmp_path / "said.wav")]) == 0
    assert results["host"]["text"] in capsys.readouterr().out


def test_real_streams(real_set, tmp_path):
    """The shipped transducer on real digits, from samples to labels, in C on this machine and on the chip."""
    real_set("spoken-digits")
    task = sentences.open_task("connected-digits")
    program = deploy.transducer_program_of(checkpoint.load("rnnt-digits"), task.speech("training").audio[:20], samples=True)
    speech, texts = task.speech("testing"), []
    for target, count in (("host", 5), ("cortex-m4", 1)):
        package.export(program, target, tmp_path / target)
        transcriber = package.load(tmp_path / target)
        for audio in speech.audio[:count]:
            rows = deploy.rows(program, audio)
            (labels, encoder_out), (found, encoded) = program.run(rows), transcriber.run(rows)
            assert labels == found and np.array_equal(encoder_out, encoded)
            texts.append(Vocabulary(tuple(program.metadata["classes"])).decode(labels))
    assert sum(text == said for text, said in zip(texts[:5], speech.texts)) >= 4
    assert transcriber.instructions < 0.5 * 80e6 * len(audio) / RATE  # half of the time at 80 MHz, one instruction per cycle

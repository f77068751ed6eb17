"""Connected digits and sentences: what is joined of what, who is heard where; vocabularies and word errors; a transducer learns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.recordings import tone, write
from tinycourse import cli, data, models
from tinycourse.data import sentences
from tinycourse.divergence import Diverged
from tinycourse.errors import TinycourseError
from tinycourse.features.audio import RATE
from tinycourse.features.frontend import Frontend
from tinycourse.training import checkpoint, resume, transducers
from tinycourse.transducer.decoding import Limits
from tinycourse.transducer.vocabulary import BEGIN, Errors, Vocabulary, errors

SPEAKERS = ("ann", "bob", "cid")


@pytest.fixture
def digits(data_root):
    """spoken-digits in small: three speakers, twelve takes (five test, two train, five validate); every digit has its own pitch."""
    for digit in range(10):
        for number, speaker in enumerate(SPEAKERS):
            for place, take in enumerate((*range(7), *range(45, 50))):
                samples = tone(300 + 250 * digit + 10 * number, seconds=0.15 + 0.01 * place, rate=8_000)
                write(data_root / "free-spoken-digit-dataset" / "recordings" / f"{digit}_{speaker}_{take}.wav", samples, 8_000)
    return data_root


# ---------------------------------------------------------------------------------------------------- vocabularies

TEXTS = ["YES", "GO FORTY TWO", "Y O U"]


@pytest.mark.parametrize("kind, pieces", [("words", 7), ("characters", 12), ("14", 14)])
def test_texts_survive_being_labels(kind, pieces):
    vocabulary = Vocabulary.of(TEXTS, kind)
    assert vocabulary.pieces[0] == "<blank>" and len(vocabulary.pieces) == len(set(vocabulary.pieces)) <= pieces + 1
    for text in TEXTS:
        labels = vocabulary.encode(text)
        assert vocabulary.decode(labels) == text and 0 not in labels
    assert vocabulary.decode([]) == ""


def test_word_pieces_write_new_words_and_take_the_longest_that_fits():
    vocabulary = Vocabulary(("<blank>", BEGIN, BEGIN + "FOR", BEGIN + "F", "O", "R", "T", "TY", "Y"))
    assert vocabulary.encode("FORTY TO") == [2, 7, 1, 6, 4]
    assert vocabulary.decode([2, 7, 1, 6, 4]) == "FORTY TO"
    with pytest.raises(TinycourseError, match="cannot write 'NO'"):
        vocabulary.encode("TO NO")


def test_a_vocabulary_of_another_kind():
    with pytest.raises(TinycourseError, match="no vocabulary of 'phones'"):
        Vocabulary.of(TEXTS, "phones")
    with pytest.raises(TinycourseError, match="do not give 4000 word pieces"):
        Vocabulary.of(TEXTS, "4000")


def test_word_errors():
    found = errors(["one two three", "four", "five"], ["one three THREE nine", "", "FIVE"])
    assert (found.substitutions, found.deletions, found.insertions, found.words, found.count) == (1, 1, 1, 5, 3)
    assert found.rate == 3 / 5 == found.as_dict()["word_error_rate"]
    with pytest.raises(TinycourseError, match="no word"):
        errors(["", ""], ["a", ""])


# ---------------------------------------------------------------------------------------------------- connected digits


def pitches(audio, task, text: str) -> list[float]:
    """The loudest frequency of every stretch of sound in a string of tones."""
    x = audio.float().numpy() / 32768
    level = np.sqrt(np.convolve(x**2, np.ones(160) / 160, "same"))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], level > 0.1, [0]])))
    stretches = [x[a:b] for a, b in edges.reshape(-1, 2) if b - a > RATE // 20]
    return [np.abs(np.fft.rfft(s, RATE)).argmax() for s in stretches]


def test_strings_say_what_their_transcripts_say(digits, monkeypatch):
    task = sentences.ConnectedDigits()
    monkeypatch.setattr(task, "counts", dict.fromkeys(data.SPLITS, 30))
    for split in ("validation", "testing"):
        speech = task.speech(split)
        again = task.speech(split)
        assert speech.texts == again.texts and all(torch.equal(a, b) for a, b in zip(speech.audio, again.audio))
        assert {len(text.split()) for text in speech.texts} == set(range(1, 8))
        for audio, text in zip(speech.audio, speech.texts):
            heard = [(data.DIGITS[round((p - 310) / 250)], round((p - 300) % 250 / 10)) for p in pitches(audio, task, text)]
            assert [digit for digit, _ in heard] == text.split()
            assert len({speaker for _, speaker in heard}) == 1
    assert task.speech("testing").texts != task.speech("validation").texts


def test_no_take_is_in_two_splits_and_a_speaker_can_be_held_out(digits):
    def lengths(task, split):
        return {speaker: {len(samples) for _, samples in spoken} for speaker, spoken in task.recordings(split).items()}

    everyone = sentences.ConnectedDigits()
    takes = {split: lengths(everyone, split) for split in data.SPLITS}
    assert all(set(found) == set(SPEAKERS) for found in takes.values())
    assert not takes["training"]["ann"] & (takes["validation"]["ann"] | takes["testing"]["ann"])
    without = sentences.ConnectedDigits(hold_out="bob")
    assert set(without.recordings("training")) == set(without.recordings("validation")) == {"ann", "cid"}
    assert set(without.recordings("testing")) == {"bob"} and len(without.recordings("testing")["bob"]) == 120
    with pytest.raises(TinycourseError, match="no speaker 'eve'.*ann, bob, cid"):
        sentences.ConnectedDigits(hold_out="eve")


def test_other_sources_join_in_training_only(digits):
    task = sentences.ConnectedDigits(hold_out="bob", extra=("tinywords",))
    strings = task.training(Frontend(models.NARROW))
    real, synthetic = strings.groups
    assert set(real) == {"ann", "cid"} and len(synthetic) > 50 and not set(real) & set(synthetic)
    assert set(task.recordings("validation")) == {"ann", "cid"} and set(task.recordings("testing")) == {"bob"}
    with pytest.raises(TinycourseError, match="no digits in 'an4'"):
        sentences.ConnectedDigits(extra=("an4",))


def test_digits_that_follow_themselves(digits):
    strings = sentences.ConnectedDigits().training(Frontend(models.NARROW))

    def doubled(again: float) -> float:
        texts = [text.split() for _, text in strings.epoch(sentences.Disturbance(again=again), np.random.RandomState(0))]
        pairs = [a == b for words in texts for a, b in zip(words, words[1:])]
        return sum(pairs) / len(pairs)

    assert doubled(0.0) == pytest.approx(0.1, abs=0.02)
    assert doubled(0.5) == pytest.approx(0.5 + 0.5 * 0.1, abs=0.02)


def test_bundled_digits_need_no_download(data_root):
    speech = sentences.ConnectedDigits("tinywords").speech("validation")
    assert len(speech) == 200 and all(set(text.split()) <= set(data.DIGITS) for text in speech.texts)
    with pytest.raises(TinycourseError, match="choose spoken-digits or tinywords"):
        sentences.ConnectedDigits("an4")


def test_training_strings_are_drawn_anew_and_by_the_seed(digits):
    task = sentences.ConnectedDigits()
    task.epoch = 40
    supply = task.training(Frontend(models.NARROW))
    a, b, c = (list(supply.epoch(sentences.Disturbance(), np.random.RandomState(seed))) for seed in (0, 0, 1))
    assert len(a) == len(supply) == 40 and [text for _, text in a] == [text for _, text in b] != [text for _, text in c]
    assert all(torch.equal(x, y) for (x, _), (y, _) in zip(a, b))
    assert all(x.shape[1] == 40 and x.isfinite().all() and (x >= 0).all() for x, _ in a)
    for share, longest in ((0.1, 1), (0.5, 4), (1.0, 7)):  # a curriculum
        short = supply.epoch(sentences.Disturbance(), np.random.RandomState(0), share)
        assert max(len(text.split()) for _, text in short) == longest


def test_stretching():
    x = torch.rand(50, 40)
    assert torch.equal(sentences.stretch(x, 1, 1), x)
    assert sentences.stretch(x, 1.2, 0.9).shape == (60, 40) and sentences.stretch(x, 0.5, 1.1).shape == (25, 40)
    peak = torch.zeros(10, 40)
    peak[:, 20] = 1
    assert sentences.stretch(peak, 1, 1.1)[0].argmax() == 22 and sentences.stretch(peak, 1, 0.9)[0].argmax() == 18


def test_another_microphone_tilts_speech_and_leaves_the_noise():
    flat, still = torch.ones(50, 40), dict(tempo=0, voice=0, gain=0)
    tilted = sentences.Disturbance(**still, noise=0, tilt=12)(flat, flat, np.random.RandomState(1))
    slopes = (10 * tilted.log10()).diff(dim=1)
    torch.testing.assert_close(slopes, slopes[:1, :1].expand(50, 39), rtol=0, atol=1e-4)
    assert 0 < abs(float(10 * (tilted[0, -1] / tilted[0, 0]).log10())) <= 12
    noisy = sentences.Disturbance(**still, noise=1, snr=(-60, -60), tilt=12)(flat, torch.ones(500, 40), np.random.RandomState(1))
    assert noisy.std() / noisy.mean() < 1e-3


def test_trimming_keeps_a_margin():
    samples = np.concatenate([np.zeros(3_200), tone(440, 0.2), np.zeros(4_800)]).astype(np.float32)
    trimmed = sentences.trim(samples)
    assert 3_200 <= len(trimmed) <= 3_200 + 4 * 320 and np.square(trimmed).sum() == np.square(samples).sum()
    assert len(sentences.trim(np.zeros(1_600, np.float32))) == 1_600


def test_tasks_by_name(digits):
    assert sentences.open_task("connected-digits", source="", hold_out="ann").hold_out == "ann"
    with pytest.raises(TinycourseError, match="cannot learn from 'tinywords'"):
        sentences.open_task("tinywords")


# ----------------------------------------------------------------------------------------------------------- training

QUICK = replace(transducers.RECIPES["connected-digits"], epochs=2, batch=8, curriculum=1, warmup=2)


@pytest.fixture
def small_task(digits, monkeypatch):
    monkeypatch.setattr(sentences.ConnectedDigits, "epoch", 48)
    monkeypatch.setattr(sentences.ConnectedDigits, "counts", dict.fromkeys(data.SPLITS, 12))
    return sentences.ConnectedDigits()


def fitted(task, config=QUICK, out=None, resume=False, tokens="words", files=None):
    recogniser = transducers.recogniser_for("rnnt-digits-cifg-sru", Vocabulary.of(task.texts(), tokens), config.seed)
    return recogniser, transducers.fit(recogniser, task, config, out, resume, files=files)


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def test_a_stopped_training_resumes_to_the_same_bits(small_task, tmp_path, power_cut):
    whole, history = fitted(small_task, out=tmp_path / "whole.safetensors")
    power_cut(1, lambda: fitted(small_task, out=tmp_path / "cut.safetensors"))
    resumed, rest = fitted(small_task, out=tmp_path / "cut.safetensors", resume=True)
    assert rest == history and same(whole, resumed) and same(checkpoint.load(tmp_path / "cut.safetensors"), resumed)


def test_only_the_same_training_can_be_resumed(small_task, digits, tmp_path):
    """What differs is named: recipe, vocabulary, speakers, more sources, a file it stands on, a recording that is another one now."""
    out, splice = tmp_path / "d.safetensors", tmp_path / "splice"
    splice.write_bytes(b"one")
    once = replace(QUICK, epochs=1)
    fitted(small_task, once, out, files={"splice": splice})
    assert checkpoint.load(out).info["fingerprints"].keys() == {"training data", "validation data", "splice"}
    others = {
        "batch": (small_task, replace(once, batch=16), {}),
        "classes": (small_task, once, {"tokens": "characters"}),
        "training data, validation data": (sentences.ConnectedDigits(hold_out="bob"), once, {}),
        "training data": (sentences.ConnectedDigits(extra=("tinywords",)), once, {}),
        "splice": (small_task, once, {"files": None}),
    }
    for name, (task, config, options) in others.items():
        with pytest.raises(TinycourseError, match=f"another training, which differs in {name}: resume with the same"):
            fitted(task, config, out, **{"resume": True, "files": {"splice": splice}} | options)
    assert fitted(sentences.ConnectedDigits(), once, out, resume=True, files={"splice": splice})
    recording = digits / "free-spoken-digit-dataset" / "recordings" / "3_ann_5.wav"  # a take to train on
    write(recording, tone(1_051, seconds=0.2, rate=8_000), 8_000)
    with pytest.raises(TinycourseError, match="differs in training data: "):
        fitted(sentences.ConnectedDigits(), once, out, resume=True, files={"splice": splice})


def test_the_fingerprint_of_sentences_is_of_what_was_read(data_root):
    def supply(folder: str, text: str, pitch: int):
        task = sentences.Sentences.__new__(sentences.Sentences)
        write(data_root / folder / "1.wav", tone(pitch))
        task.utterances = lambda split: [data.Utterance(str(data_root / folder / "1.wav"), text, "ann")]
        return task.training(Frontend(models.NARROW))

    same, moved, said, sounding = supply("a", "YES", 440), supply("b", "YES", 440), supply("a", "NO", 440), supply("a", "YES", 441)
    assert same.fingerprint == moved.fingerprint
    assert len({supply.fingerprint for supply in (same, said, sounding)}) == 3


def test_a_training_that_diverges_stops_and_keeps_what_it_had(small_task, tmp_path, monkeypatch):
    out = tmp_path / "d.safetensors"
    monkeypatch.setattr(transducers.SequenceConfig, "rate", lambda config, step, steps: 0.002 if step < 6 else 1e30)
    recogniser = transducers.recogniser_for("rnnt-digits-cifg-sru", Vocabulary.of(small_task.texts(), "words"), 0)
    with pytest.raises(Diverged, match="^Epoch 2: .* the training has diverged, try a smaller learning rate"):
        transducers.fit(recogniser, small_task, QUICK, out)
    assert same(recogniser, checkpoint.load(out)) and all(x.isfinite().all() for x in recogniser.state_dict().values())
    assert checkpoint.load(out).info["validation"]["epoch"] == 1


def test_words_are_not_made_of_what_is_no_number(small_task):
    recogniser = transducers.recogniser_for("rnnt-digits", Vocabulary.of(small_task.texts(), "words"), 0)
    recogniser.network.encoder.layers[0].bias.data.fill_(torch.nan)
    with pytest.raises(Diverged, match="^rnnt-digits: an output of the encoder is infinite or not a number"):
        transducers.evaluate(recogniser, small_task.speech("validation"))


def test_an_utterance_too_short_for_one_output_costs_nothing(small_task):
    """It has no alignment, so its loss would be infinite, and the training seem to have diverged."""
    frontend, lesson = Frontend(models.NARROW), transducers.Lesson(models.build("rnnt-digits", 11), 0.3).eval()
    long, short = (torch.rand(60, 40), [1, 2]), (torch.rand(5, 40), [3])
    both, alone = (lesson(*transducers.collate(batch, frontend)) for batch in ([long, short], [long]))
    torch.testing.assert_close(2 * both, alone)


def test_batches_hold_neighbours_in_length_and_pad_without_harm(small_task):
    frontend, vocabulary = Frontend(models.NARROW), Vocabulary.of(small_task.texts(), "words")
    examples = list(small_task.training(frontend).epoch(sentences.Disturbance(), np.random.RandomState(0)))
    made = list(transducers.batches(iter(examples), 6, vocabulary, np.random.RandomState(0)))
    assert len(made) == 8 and all(len(batch) == 6 for batch in made)
    spans = [max(len(e) for e, _ in b) - min(len(e) for e, _ in b) for b in made]
    assert sum(spans) / 8 < 0.5 * (max(len(e) for e, _ in examples) - min(len(e) for e, _ in examples))
    lesson = transducers.Lesson(models.build("rnnt-digits", 11), 0.3).eval()
    together = lesson(*transducers.collate(made[0], frontend))
    alone = [lesson(*transducers.collate([one], frontend)) for one in made[0]]
    torch.testing.assert_close(together, torch.stack(alone).mean())


def test_too_few_utterances_are_named(small_task):
    with pytest.raises(TinycourseError, match="48 utterances do not fill one batch of 64"):
        fitted(small_task, replace(QUICK, batch=64))


def test_from_the_command_line(small_task, tmp_path, capsys):
    out = tmp_path / "d.safetensors"
    made = f"train rnnt-digits-sru-sru --data connected-digits --out {out} --epochs 1 --batch 8 --hold-out cid".split()
    assert cli.main([*made, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["testing"]["count"] == 12 and figures["history"][0]["loss"] > 0 and not resume.state_file(out).exists()
    info = checkpoint.load(out).info
    assert info["data_options"] == {"hold_out": "cid"} and info["testing"] == figures["testing"]
    assert cli.main(["evaluate", str(out), "--data", "connected-digits", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["word_error_rate"] == figures["testing"]["word_error_rate"] and again["count"] == 12
    assert cli.main(["evaluate", str(out), "--data", "connected-digits", "--beam", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["beam"] == 2


def test_blank_is_made_rarer_until_fewest_words_are_wrong(small_task, monkeypatch):
    recogniser = transducers.recogniser_for("rnnt-digits", Vocabulary.of(small_task.texts(), "words"), 0)
    recogniser.network.joint.output.weight.data *= 20
    recogniser.network.joint.output.bias.data.zero_()
    audio, bias = small_task.speech("validation").audio, recogniser.network.joint.output.bias.data
    expected = transducers.transcribe(recogniser, audio, Limits(blank_penalty=1.0))
    assert expected != transducers.transcribe(recogniser, audio)
    monkeypatch.setattr(transducers, "evaluate", lambda r, s, limits: Errors(abs(int(4 * limits.blank_penalty) - 4), 0, 0, 10, 1))
    before = bias.clone()
    assert transducers.balance(recogniser, None, (0.5, 1.0, 1.5)) == 1.0
    assert bias[0] == before[0] - 1 and torch.equal(bias[1:], before[1:])
    assert transducers.transcribe(recogniser, audio) == expected


def test_an_encoder_is_taken_over_to_write_something_else(small_task, tmp_path, capsys):
    spelled, out = tmp_path / "spelled.safetensors", tmp_path / "words.safetensors"
    train = "train rnnt-digits --data connected-digits --epochs 1 --batch 8 --learning-rate 1e-9 --json --out".split()
    assert cli.main([*train, str(spelled), "--tokens", "characters"]) == 0
    assert cli.main([*train, str(out), "--tokens", "words", "--start", str(spelled), "--seed", "1"]) == 0
    before, after = checkpoint.load(spelled), checkpoint.load(out)
    assert len(after.classes) == 11 < len(before.classes) and after.info["command"].startswith(before.info["command"] + " && ")
    assert torch.allclose(after.network.encoder.layers[0].weight_input, before.network.encoder.layers[0].weight_input, atol=1e-5)
    assert torch.allclose(after.network.joint.heard.weight, before.network.joint.heard.weight, atol=1e-5)
    capsys.readouterr()


def test_transcribing_keeps_the_order(small_task):
    recogniser = transducers.recogniser_for("rnnt-digits", Vocabulary.of(small_task.texts(), "words"), 0)
    recogniser.network.joint.output.weight.data *= 20
    audio = small_task.speech("testing").audio
    limits = Limits(blank_penalty=3.0)
    together = transducers.transcribe(recogniser, audio, limits, batch=5)
    assert together == [transducers.transcribe(recogniser, [one], limits)[0] for one in audio] and len(set(together)) > 1


def test_sentences(real_set):
    real_set("an4")
    task = sentences.open_task("an4")
    speech = task.speech("validation")
    assert task.tokens == "words" and len(speech) > 50 and all(Vocabulary.of(task.texts(), "characters").encode(t) for t in speech.texts)
    assert {u.speaker for u in task.utterances("validation")}.isdisjoint(u.speaker for u in task.utterances("training"))


@pytest.mark.parametrize("name", sorted(checkpoint.shipped("transducers")))
def test_shipped_transducers_reach_what_they_say(name, real_set):
    recogniser = checkpoint.load(name)
    info = recogniser.info
    assert {"command", "data", "seed", "epochs", "data_licences", "validation", "testing"} <= info.keys()
    for source in info["data_licences"]:
        real_set(source)
    found = transducers.evaluate(recogniser, sentences.open_task(info["data"], **info["data_options"]).speech("validation"))
    assert found.words == info["validation"]["words"] and abs(found.rate - info["validation"]["word_error_rate"]) <= 2 / found.words

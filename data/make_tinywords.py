"""Make data/tinywords: one-second clips of spoken words from two speech synthesizers, espeak-ng and flite.

    python data/make_tinywords.py            # makes the folder anew, a few minutes on two cores
    python data/make_tinywords.py --check    # verifies what is on disk; needs no synthesizer

A clip is planned (word, voice, accent, rate, pitch), spoken by the synthesizer, trimmed, made to fit into one second, put
into a small room and light noise, and stored: the clips of one word in one split are one Ogg Opus file, clip k at samples
[16000 k, 16000 (k + 1)). The splits share no voice; flite speaks in the testing part only. Every draw comes from SEED, so
the same programs make the same bytes.
"""

import argparse
import csv
import hashlib
import math
import platform
import shutil
import subprocess
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template

import numpy as np
import soundfile
from tqdm.auto import tqdm

SEED = 20_190
RATE = 16_000  # samples in one clip, and samples a second
FOLDER = Path(__file__).parent / "tinywords"
LIMIT_BYTES, LEAST_CLIPS, LEAST_WORDS = 12_000_000, 5_000, 40
LONGEST = 0.90  # seconds a word may last; a longer one is spoken again, faster
COMPRESSION = 0.98  # libsndfile: 0 is 256 kbit/s, 1 is 6 kbit/s

KEYWORDS = "yes no up down left right on off stop go".split()
DIGITS = "zero one two three four five six seven eight nine".split()
OTHERS = """backward bed bird cat dog follow forward happy house learn marvin sheila tree visual wow
            close garden hello light morning music open paper water window""".split()
WORDS = KEYWORDS + DIGITS + OTHERS
SPLITS = ("training", "validation", "testing")
ACCENTS = "en-us en-gb en-gb-scotland en-gb-x-rp en-029 en-us-nyc en-gb-x-gbclan en-gb-x-gbcwmd".split()
ENDINGS = (".", "?", "!", ",")  # each gives the word another melody

# Voices of espeak-ng are its variants. Relatives (same formants, other pitch or source) stay in one split; the robots,
# echoes and monsters among the variants are left out.
ESPEAK = {
    "training": """default Alex Andy AnxiousAndy Diogo Henrique Hugo Lee Mario Michael Mike Mr_serious Nguyen Storm Tweaky
        adam anika aunty belinda benjamin boris caleb croak david ed edward edward2 f2 f3 f5 grandpa gustave iven iven2 iven3
        iven4 john kaukovalta klatt klatt2 klatt3 klatt4 klatt5 klatt6 linda m2 m6 m7 m8 marcelo max michel miguel norbert
        pedro sandro steph steph2 steph3 whisper whisperf zac""".split(),
    "validation": "Andrea Denis Gene Gene2 antonio f4 grandma m3 m5 pablo travis".split(),
    "testing": "Alicia Annie Jacky Marco f1 m1 m4 paul quincy rob robert shelby victor".split(),
}
FLITE = {"awb": ("en-gb-scotland", 130), "kal": ("en-us", 100), "kal16": ("en-us", 105), "rms": ("en-us", None),
         "slt": ("en-us", 165)}  # voice: accent, mean pitch in Hz where flite lets us move it
FLITE_TAKES = 3  # of each keyword and digit


@dataclass(frozen=True)
class Clip:
    """One line of index.csv, and with `take` the seed of everything drawn for it.

    `rate` is words a minute for espeak-ng (-s), the stretch of durations for flite; `pitch` is espeak-ng's 0 to 99 (-p),
    the mean pitch in Hz for flite, empty where the voice cannot be moved.
    """

    word: str
    voice: str
    synthesizer: str
    accent: str
    rate: float
    pitch: int | None
    split: str
    ending: str
    take: int

    def draws(self) -> np.random.Generator:
        """The generator of this clip's room, noise, loudness and place."""
        return generator(self.word, self.voice, self.take)


def generator(word: str, voice: str, take: int) -> np.random.Generator:
    """A generator of its own for every (word, voice, take), whatever order or process they are made in."""
    digest = hashlib.sha256(f"{SEED} {word} {voice} {take}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def plan(word: str) -> list[Clip]:
    """All clips of one word: keywords and digits in two accents a voice, other words in one of the two."""
    clips = []
    often, number = word in KEYWORDS + DIGITS, WORDS.index(word)
    for split in SPLITS:
        for v, voice in enumerate(ESPEAK[split]):
            both = (ACCENTS[v % len(ACCENTS)], ACCENTS[(v + 3) % len(ACCENTS)])
            for take in (0, 1) if often else ((v + number) % 2,):
                rng = generator(word, voice, take + 100)
                rate, pitch = int(rng.integers(115, 206)), int(rng.integers(25, 76))
                clips.append(Clip(word, voice, "espeak-ng", both[take], rate, pitch, split, str(rng.choice(ENDINGS)), take))
    for voice, (accent, mean) in FLITE.items():
        for take in range(FLITE_TAKES if often else 1):
            rng = generator(word, voice, take + 100)
            stretch, shift, ending = round(rng.uniform(0.75, 1.25), 2), rng.uniform(0.8, 1.3), str(rng.choice(ENDINGS))
            clips.append(Clip(word, voice, "flite", accent, stretch, mean and round(mean * shift), "testing", ending, take))
    return clips


# ---------------------------------------------------------------------------------------------------- sound


def speak(clip: Clip) -> np.ndarray:
    """The synthesizer's own recording, float [samples] at 16 kHz, untrimmed."""
    text = clip.word + clip.ending
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/clip.wav"
        if clip.synthesizer == "espeak-ng":
            voice = clip.accent + ("" if clip.voice == "default" else "+" + clip.voice.replace("_", " "))
            command = ["espeak-ng", "-v", voice, "-s", str(clip.rate), "-p", str(clip.pitch), "-w", path, text]
        else:
            pitch = ["--setf", f"int_f0_target_mean={clip.pitch}"] if clip.pitch else []
            command = ["flite", "-voice", clip.voice, "--setf", f"duration_stretch={clip.rate}", *pitch, "-t", text, "-o", path]
        subprocess.run(command, check=True, capture_output=True)
        samples, rate = soundfile.read(path)
    return resample(samples, rate)


def resample(x: np.ndarray, rate: int) -> np.ndarray:
    """Band-limited by the Fourier transform: exact for the ratios met here (22,050 and 8,000 Hz to 16 kHz)."""
    divisor = math.gcd(rate, RATE)
    blocks = -(-len(x) // (rate // divisor))  # pad to whole periods of the ratio, so that both lengths are integers
    before, after = blocks * rate // divisor, blocks * RATE // divisor
    spectrum = np.fft.rfft(x, before)
    kept = np.zeros(after // 2 + 1, complex)
    n = min(len(kept), len(spectrum))
    kept[:n] = spectrum[:n]
    return np.fft.irfft(kept, after) * after / before


def trim(x: np.ndarray) -> np.ndarray:
    """Cut the silence around the word: frames of 5 ms more than 50 dB below the loudest one; 15 ms stay, faded."""
    hop, margin = RATE // 200, 3
    power = (x[: len(x) // hop * hop].reshape(-1, hop) ** 2).mean(1)
    loud = np.flatnonzero(power > power.max() * 1e-5)
    x = np.pad(x, margin * hop)[loud[0] * hop : (loud[-1] + 1 + 2 * margin) * hop].copy()
    fade = np.sin(np.linspace(0, np.pi / 2, hop)) ** 2
    x[:hop] *= fade
    x[-hop:] *= fade[::-1]
    return x


def place(word: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One second [16000] with the whole word near its middle, in a small room, with faint noise, at some loudness."""
    start = RATE / 2 + rng.uniform(-0.1, 0.1) * RATE - len(word) / 2
    start = int(np.clip(start, 0.02 * RATE, 0.98 * RATE - len(word)))
    decay, tail_db = rng.uniform(0.12, 0.4), rng.uniform(-25, -10)  # reverberation time in s, its energy to the direct sound's
    t = np.arange(int(decay * RATE)) / RATE
    room = rng.normal(size=len(t)) * 10 ** (-3 * t / decay) * (t > 0.004)
    room *= np.sqrt(10 ** (tail_db / 10) / (room**2).sum())
    room[0] = 1.0
    size = 2 * RATE  # long enough that nothing wraps round
    x = np.fft.irfft(np.fft.rfft(np.pad(word, (start, 0)), size) * np.fft.rfft(room, size), size)[:RATE]
    x *= 10 ** (rng.uniform(-18, -3) / 20) / np.abs(x).max()
    frequency = np.maximum(np.fft.rfftfreq(RATE, 1 / RATE), 50)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=RATE)) * frequency ** -rng.uniform(0, 1), RATE)
    level = np.sqrt((x[start : start + len(word)] ** 2).mean()) * 10 ** (-rng.uniform(25, 50) / 20)
    return x + noise * level / noise.std()


def render(clip: Clip, heard: set[bytes]) -> tuple[Clip, np.ndarray, float]:
    """Speak until the word fits into a second and differs from all in `heard`; returns the clip as spoken, audio, duration."""
    while True:
        word = trim(speak(clip))
        mark = hashlib.sha256((word * 32767).astype("int16").tobytes()).digest()
        slower = clip.synthesizer == "flite"  # flite's number stretches, espeak-ng's speeds up
        if len(word) > LONGEST * RATE or mark in heard:
            clip = replace(clip, rate=round(clip.rate * 0.95, 2) if slower else math.ceil(clip.rate * 1.05))
            continue
        heard.add(mark)
        return clip, place(word, clip.draws()), len(word) / RATE


# ---------------------------------------------------------------------------------------------------- files


def write_opus(path: Path, audio: np.ndarray) -> None:
    """Ogg Opus through libsndfile, with the stream's random serial number replaced: the same audio gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, RATE, format="OGG", subtype="OPUS", compression_level=COMPRESSION)
    data, at = bytearray(path.read_bytes()), 0
    table = [_crc_step(byte << 24, 8) for byte in range(256)]
    while at < len(data):  # one Ogg page after the other: 27 bytes of header, the lacing values, the segments
        lacing = data[at + 26]
        end = at + 27 + lacing + sum(data[at + 27 : at + 27 + lacing])
        data[at + 14 : at + 18] = SEED.to_bytes(4, "little")
        data[at + 22 : at + 26] = bytes(4)  # the checksum is taken with its own field zero
        crc = 0
        for byte in data[at:end]:
            crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
        data[at + 22 : at + 26] = crc.to_bytes(4, "little")
        at = end
    path.write_bytes(data)


def _crc_step(value: int, bits: int) -> int:
    """Ogg's 32-bit checksum (RFC 3533): shift `bits` bits of value through the polynomial 0x04C11DB7."""
    for _ in range(bits):
        value = (value << 1) ^ (0x104C11DB7 if value & 0x80000000 else 0)
    return value


def log_mel(x: np.ndarray) -> np.ndarray:
    """Log power in 40 mel bands every 10 ms, in dB [frames, 40]; only to measure what the codec changes."""
    frames = np.lib.stride_tricks.sliding_window_view(x, 480)[::160] * np.hanning(480)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    corners = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 7600 / 700), 42) / 2595) - 1)
    low, mid, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    f = np.fft.rfftfreq(512, 1 / RATE)
    bank = np.maximum(0, np.minimum((f - low) / (mid - low), (high - f) / (high - mid)))
    return 10 * np.log10(power @ bank.T + 1e-7)


def lag(original: np.ndarray, decoded: np.ndarray) -> int:
    """How many samples `decoded` comes late: where the cross-correlation has its maximum."""
    size = 2 * len(original)
    correlation = np.fft.irfft(np.fft.rfft(decoded, size) * np.fft.rfft(original, size).conj(), size)
    best = int(correlation.argmax())
    return best if best < len(original) else best - size


def measure(original: np.ndarray, decoded: np.ndarray) -> dict[str, float]:
    """What storing did to one clip, and the level at which it came back."""
    a, b = log_mel(original), log_mel(decoded)
    heard = a > a.max() - 50
    return {
        "codec SNR, dB": 10 * math.log10((original**2).sum() / ((original - decoded) ** 2).sum()),
        "codec log-mel difference, dB": float(np.abs(a - b)[heard].mean()),
        "peak level, dBFS": 20 * math.log10(np.abs(decoded).max()),
        "RMS level, dBFS": 10 * math.log10((decoded**2).mean()),
    }


def make_word(word: str, folder: Path) -> tuple[list[dict], list[dict]]:
    """Speak, store and read back all clips of one word: (lines of the index, measures), one of each a clip.

    Raises RuntimeError where the stored clips do not sit on their samples, or are clipped.
    """
    heard: set[bytes] = set()
    clips = plan(word)
    spoken = [render(clip, heard) for clip in clips]
    index, measures = [], []
    for split in SPLITS:
        part = [s for s in spoken if s[0].split == split]
        path = folder / split / f"{word}.opus"
        audio = np.concatenate([s[1] for s in part])
        write_opus(path, audio)
        decoded, _ = soundfile.read(path)
        half = len(audio) // 2
        lags = lag(audio[:half], decoded[:half]), lag(audio[half:], decoded[half:])
        if len(decoded) != len(audio) or lags != (0, 0):
            raise RuntimeError(f"{path}: {len(decoded)} samples for {len(audio)}, late by {lags} samples.")
        if np.abs(decoded).max() >= 1:
            raise RuntimeError(f"{path} is clipped.")
        for k, (clip, _, seconds) in enumerate(part):
            index.append({
                "file": f"{split}/{word}.opus", "clip": k, "word": word, "voice": clip.voice, "synthesizer": clip.synthesizer,
                "accent": clip.accent, "rate": clip.rate, "pitch": clip.pitch, "split": split,
            })
            second = slice(k * RATE, (k + 1) * RATE)
            measures.append({"word's duration, s": seconds, **measure(audio[second], decoded[second])})
    return index, measures


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_hashes(folder: Path) -> None:
    """SHA256SUMS for every other file in the folder, in the format of sha256sum."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS")
    (folder / "SHA256SUMS").write_text("".join(f"{sha256(p)}  {p.relative_to(folder).as_posix()}\n" for p in paths))


# ---------------------------------------------------------------------------------------------------- commands


def versions() -> dict[str, str]:
    """The exact programs at work. Exits with one sentence where a synthesizer is missing."""
    missing = [program for program in ("espeak-ng", "flite") if not shutil.which(program)]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} not found: install with `sudo apt-get install espeak-ng flite` "
                         "(only making the recordings needs them; --check does not).")

    def says(*command: str) -> str:
        return subprocess.run(command, capture_output=True, text=True).stdout

    found = {
        "espeak-ng": says("espeak-ng", "--version").split("Data at")[0].split(":")[1].strip(),
        "flite": says("flite", "--version").split("version:")[1].split("(")[0].strip(),
        "libsndfile": soundfile.__libsndfile_version__,
        "soundfile": soundfile.__version__,
        "numpy": np.__version__,
        "Python": platform.python_version(),
    }
    if shutil.which("dpkg-query"):
        for package in ("espeak-ng", "espeak-ng-data", "flite"):
            found[f"Debian's package {package}"] = says("dpkg-query", "-W", "-f", "${Version}", package)
    return found


def make(folder: Path) -> None:
    """Make everything anew; what was in `folder` before goes only when all is made."""
    programs = versions()
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    index, measures = [], []
    with ProcessPoolExecutor(2) as pool:
        jobs = pool.map(make_word, WORDS, [new] * len(WORDS))
        for lines, figures in tqdm(jobs, total=len(WORDS), desc="words"):
            index += lines
            measures += figures
    with open(new / "index.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, index[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(index)
    (new / "README.md").write_text(card(new, index, measures, programs))
    write_hashes(new)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def table(head: list[str], rows: list[list]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def card(folder: Path, index: list[dict], measures: list[dict], programs: dict[str, str]) -> str:
    """The data card: tinywords_card.md with every number counted or measured here."""
    parts = sorted({(r["split"], r["synthesizer"]) for r in index}, key=lambda p: (SPLITS.index(p[0]), p[1]))
    rows, names = [], []
    for split, synthesizer in parts:
        part = [r for r in index if (r["split"], r["synthesizer"]) == (split, synthesizer)]
        voices = sorted({r["voice"] for r in part}, key=str.lower)
        kinds = [sum(r["word"] in group for r in part) for group in (KEYWORDS, DIGITS, OTHERS)]
        rows.append([split, synthesizer, len(voices), len({r["accent"] for r in part}), *kinds, len(part)])
        names.append([split, synthesizer, ", ".join(voices)])
    by_word = Counter((r["word"], r["split"], r["synthesizer"]) for r in index)
    audio = sum(p.stat().st_size for p in folder.rglob("*.opus"))
    tags = (folder / index[0]["file"]).read_bytes().split(b"OpusTags")[1]  # the encoder signs: its length, its name
    programs = programs | {"libopus": tags[4 : 4 + int.from_bytes(tags[:4], "little")].decode().removeprefix("libopus ")}
    quantiles = [[name, *(f"{np.quantile([m[name] for m in measures], q):.2f}" for q in (0, 0.05, 0.5, 0.95, 1))]
                 for name in measures[0]]
    return Template((Path(__file__).parent / "tinywords_card.md").read_text()).substitute(
        clips=len(index), words=len(WORDS), voices=len({r["voice"] for r in index}), seed=SEED, longest=LONGEST,
        keywords=" ".join(KEYWORDS), digits=" ".join(DIGITS), others=" ".join(OTHERS), flite_takes=FLITE_TAKES,
        accents=" ".join(ACCENTS), programs=table(["program", "version"], [list(p) for p in programs.items()]),
        parts=table("split synthesizer voices accents keywords digits others clips".split(), rows),
        counts=table(["word", *(f"{s}, {y}" for s, y in parts)], [[w, *(by_word[w, *p] for p in parts)] for w in WORDS]),
        quantiles=table(["", "least", "5 %", "median", "95 %", "most"], quantiles),
        names=table(["split", "synthesizer", "voices"], names),
        megabytes=f"{audio / 1e6:.2f}", kilobits=f"{audio * 8 / len(index) / 1000:.1f}", files=3 * len(WORDS),
    )


def check(folder: Path) -> str:
    """Verify hashes, counts, splits and lengths of what is on disk; one line that says what was found.

    Exits with one sentence naming the first thing that is wrong.
    """
    def demand(truth: bool, wrong: str) -> None:
        if not truth:
            raise SystemExit(f"{wrong} in {folder}: restore the folder from the repository, or make it anew with {__file__}.")

    demand((folder / "SHA256SUMS").exists(), "There is no SHA256SUMS")
    sums = dict(reversed(line.split("  ", 1)) for line in (folder / "SHA256SUMS").read_text().splitlines())
    paths = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file() and p.name != "SHA256SUMS"}
    demand(sums.keys() == paths.keys(), f"Files missing or too many ({', '.join(sorted(sums.keys() ^ paths.keys()))})")
    for name, path in sorted(paths.items()):
        demand(sha256(path) == sums[name], f"{name} is damaged")
    size = sum(p.stat().st_size for p in paths.values())
    demand(size <= LIMIT_BYTES, f"There are {size} bytes, more than {LIMIT_BYTES},")
    with open(folder / "index.csv", newline="") as file:
        index = list(csv.DictReader(file))
    words = {r["word"] for r in index}
    demand(len(index) >= LEAST_CLIPS, f"There are only {len(index)} clips")
    demand(len(words) >= LEAST_WORDS and words >= {*KEYWORDS, *DIGITS}, f"There are only the words {' '.join(sorted(words))}")
    splits, numbers = defaultdict(set), defaultdict(list)
    for r in index:
        splits[r["voice"]].add(r["split"])
        numbers[r["file"]].append(int(r["clip"]))
        demand(r["synthesizer"] == "espeak-ng" or r["split"] == "testing", f"The second synthesizer speaks in {r['file']}")
    for voice, where in splits.items():
        demand(len(where) == 1, f"The voice {voice} is in {' and '.join(sorted(where))}")
    for name, clips in numbers.items():
        frames = soundfile.info(folder / name).frames
        demand(clips == list(range(len(clips))) and frames == len(clips) * RATE, f"{name} and index.csv disagree")
    voices, files = len(splits), len(numbers)
    return f"{len(index)} clips of {len(words)} words by {voices} voices in {files} files, {size / 1e6:.2f} MB: all is well."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="verify hashes and counts of what is on disk; needs no synthesizer")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the clips are (default: beside this script)")
    arguments = parser.parse_args()
    if not arguments.check:
        make(arguments.folder)
    print(check(arguments.folder))


if __name__ == "__main__":
    main()

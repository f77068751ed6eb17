"""Transducers in integers: how many words are wrong, and whether C says the same. Run by hand: python benchmarks/integer_rnnt.py [NAME ...]

Word error rate of the float and of the int8 network on the validation and testing recordings of the data that each was trained on. On each
of these recordings the C program on this machine has to give the interpreter's labels and encoder outputs, bit for bit, or the
benchmark stops.
"""

import sys
import tempfile

import numpy as np
import torch
from tqdm.auto import tqdm

from tinycourse.data import sentences
from tinycourse.export import deploy, package
from tinycourse.quantization import integer_transducer
from tinycourse.training import checkpoint, transducers

torch.set_num_threads(1)
print(f"{'transducer':16}{'data':18}{'split':12}{'words':>7}{'float':>9}{'int8':>9}{'C = interpreter':>24}")
for name in sys.argv[1:] or checkpoint.shipped("transducers"):
    recogniser = checkpoint.load(name)
    task = sentences.open_for(recogniser.info, recogniser.info["data"])
    calibration = deploy.calibration_speech(recogniser)
    integers = integer_transducer.integer_recogniser(recogniser, calibration)
    program = deploy.transducer_program_of(recogniser, calibration)
    with tempfile.TemporaryDirectory() as folder:
        package.export(program, "host", folder)
        listener = package.load(folder)
        for split in ("validation", "testing"):
            speech = task.speech(split)
            rates = [transducers.evaluate(one, speech) for one in (recogniser, integers)]
            for audio in tqdm(speech.audio, desc=f"{name} {split}", leave=False, delay=2):
                frames = deploy.rows(program, audio)
                said, encoder_out = program.run(frames)
                found = listener.run(frames)
                assert found[0] == said and np.array_equal(found[1], encoder_out), "C differs from the interpreter"
            cells = f"{rates[0].words:7,}{rates[0].rate:9.2%}{rates[1].rate:9.2%}{len(speech.audio):13,} recordings"
            print(f"{name:16}{task.name:18}{split:12}{cells}", flush=True)

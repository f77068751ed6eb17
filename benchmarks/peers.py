"""Store what torchaudio's MFCC gives for the word of lesson 01, for machines that cannot load it: python benchmarks/peers.py"""

from safetensors.torch import save_file

from tinycourse import data
from tinycourse.features import peers

words = data.open_dataset("tinywords").clips("testing")
word = words.waveforms()[words.labels == words.classes.index("yes")][3].double()
steps = peers.computed(word)
save_file(steps, peers.STORED)
for name, x in steps.items():
    print(f"{name:16}{list(x.shape)}")

// Sound as the chip wants it: from a WAV file, or from a stream at any rate, to int16 at 16 kHz.

const RATE = 16000;
const CROSSINGS = 16; // of the sinc, on either side

// The content of a WAV file, an ArrayBuffer: its rate, and its samples -1 .. 1, the mean of its channels.
// Fails with an Error whose message says in one sentence what is wrong with the file `name`.
export function readWav(content, name) {
  const view = new DataView(content);
  const tag = (at) => String.fromCharCode(...new Uint8Array(content, at, 4));
  if (content.byteLength < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") {
    throw new Error(`${name} is no WAV file: save the recording as WAV and choose it again.`);
  }
  let format, data;
  for (let at = 12; at + 8 <= content.byteLength && !data; at += 8 + view.getUint32(at + 4, true) + (view.getUint32(at + 4, true) & 1)) {
    const size = Math.min(view.getUint32(at + 4, true), content.byteLength - at - 8);
    if (tag(at) === "fmt " && size >= 16) {
      const extended = view.getUint16(at + 8, true) === 0xfffe && size >= 26; // the coding is then said further behind
      const [channels, rate, bits] = [view.getUint16(at + 10, true), view.getUint32(at + 12, true), view.getUint16(at + 22, true)];
      format = { coding: view.getUint16(extended ? at + 32 : at + 8, true), channels, rate, bits };
    }
    if (tag(at) === "data") data = { at: at + 8, size };
  }
  const read = format && READERS[`${format.coding} ${format.bits}`];
  if (!read || !format.channels || !format.rate) {
    throw new Error(`${name} is a WAV file of a kind that this page cannot read: save it as 16-bit PCM and choose it again.`);
  }
  const width = format.bits / 8;
  const samples = new Float32Array(data ? Math.floor(data.size / (width * format.channels)) : 0);
  if (!samples.length) throw new Error(`${name} holds no sound: record it again.`);
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let c = 0; c < format.channels; c++) sum += read(view, data.at + (i * format.channels + c) * width);
    samples[i] = sum / format.channels;
  }
  return { rate: format.rate, samples };
}

const READERS = {
  // coding (1: integers, 3: floats) and bits
  "1 8": (view, at) => (view.getUint8(at) - 128) / 2 ** 7,
  "1 16": (view, at) => view.getInt16(at, true) / 2 ** 15,
  "1 24": (view, at) => (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 2 ** 23,
  "1 32": (view, at) => view.getInt32(at, true) / 2 ** 31,
  "3 32": (view, at) => view.getFloat32(at, true),
};

// Samples -1 .. 1 to int16, rounded (half to even, as numpy does) and clipped.
export function toInt16(samples) {
  return Int16Array.from(samples, (x) => {
    const rounded = Math.round(x * 32768);
    const even = rounded - x * 32768 === 0.5 && rounded % 2 ? rounded - 1 : rounded;
    return Math.max(-32768, Math.min(32767, even));
  });
}

// A stream at `rate` to 16 kHz: each output is a sum of the inputs around it, weighted by a sinc that ends in a cosine. What comes out
// lags behind what went in by `width` inputs.
export class Resampler {
  constructor(rate) {
    this.rate = rate;
    this.narrow = Math.max(1, rate / RATE); // the sinc is wider where high frequencies have to go
    this.width = rate === RATE ? 0 : Math.ceil(CROSSINGS * this.narrow);
    this.kept = new Float32Array(this.width); // silence before the first sample
    this.begin = -this.width; // which input `kept` begins with
    this.done = 0; // outputs so far
  }

  // Where the next output lies in `kept`.
  get at() {
    return (this.done * this.rate) / RATE - this.begin;
  }

  // Float32Array in, Float32Array out: all outputs that are complete now.
  push(samples) {
    if (this.rate === RATE) return samples;
    const x = new Float32Array(this.kept.length + samples.length);
    x.set(this.kept);
    x.set(samples, this.kept.length);
    const out = [];
    for (; this.at + this.width < x.length; this.done++) out.push(this.output(x, this.at));
    const first = Math.floor(this.at) - this.width; // the first sample that the next output needs
    this.kept = x.slice(first);
    this.begin += first;
    return Float32Array.from(out);
  }

  // The outputs at the end of a recording.
  end() {
    return this.push(new Float32Array(this.width));
  }

  output(x, at) {
    let sum = 0;
    for (let i = Math.ceil(at - this.width); i < at + this.width; i++) {
      const t = ((i - at) * Math.PI) / this.narrow;
      const sinc = t === 0 ? 1 : Math.sin(t) / t;
      sum += x[i] * sinc * Math.cos(t / (2 * CROSSINGS)) ** 2;
    }
    return sum / this.narrow;
  }
}

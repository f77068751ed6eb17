// The chip's own program, as WebAssembly, listens in this page; behind microphone.js and sound.js. tinycourse/widgets/live_demo.py gives it a module,
// clips and `settings`, and gets back `decisions`. It draws features, scores and words, with colours that Python chose.

// One instance of the module: a chunk of samples in, now and then a word out. See the header that program/keyword_spotter.py generates.
export class Ear {
  // `module` is a DataView, as bytes come from Python; WebAssembly takes them only as an array.
  static async create(module, settings) {
    const { instance } = await WebAssembly.instantiate(new Uint8Array(module.buffer, module.byteOffset, module.byteLength), {});
    return new Ear(instance.exports, settings);
  }

  constructor(exports, settings) {
    Object.assign(this, { c: exports, settings });
    this.reset();
  }

  reset() {
    this.c.model_reset();
    this.waiting = new Int16Array(0); // samples that are no whole chunk yet
    this.seconds = 0; // heard so far
  }

  // Whether a whole second of features is there: before that, the network did not run.
  get judged() {
    return this.c.model_frames() === this.settings.history;
  }

  get scores() {
    return Array.from(new Int16Array(this.c.memory.buffer, this.c.model_scores(), this.settings.classes.length), (x) => x / 2 ** 14);
  }

  // int16 samples of any number; calls `frame(Int8Array)` for every frame of features, `word({word, score, time})` for every decision.
  hear(samples, frame, word) {
    const { chunk, rate, history, bands, classes } = this.settings;
    const all = new Int16Array(this.waiting.length + samples.length);
    all.set(this.waiting);
    all.set(samples, this.waiting.length);
    let at = 0;
    for (; at + chunk <= all.length; at += chunk) {
      const before = this.c.model_row();
      new Int16Array(this.c.memory.buffer, this.c.model_input(), chunk).set(all.subarray(at, at + chunk));
      this.c.model_run();
      this.seconds += chunk / rate;
      const features = new Int8Array(this.c.memory.buffer, this.c.model_features(), history * bands);
      for (let row = before; row !== this.c.model_row(); row = (row + 1) % history) {
        frame(features.slice(row * bands, (row + 1) * bands));
      }
      const [best, score] = new Int16Array(this.c.memory.buffer, this.c.model_output(), 2);
      if (best >= 0) word({ word: classes[best], score: score / 2 ** 14, time: Math.round(this.seconds * 1000) / 1000 });
    }
    this.waiting = all.slice(at);
  }
}

// A scrolling picture: the newest features at the right, and the words where they were decided.
class Strip {
  constructor(settings) {
    this.settings = settings;
    this.image = new OffscreenCanvas(settings.columns, settings.bands);
    this.brush = this.image.getContext("2d", { willReadFrequently: true });
    this.clear();
  }

  clear() {
    const [r, g, b] = this.settings.colours[0];
    this.brush.fillStyle = `rgb(${r} ${g} ${b})`;
    this.brush.fillRect(0, 0, this.image.width, this.image.height);
    this.count = 0; // columns so far
    this.words = []; // {word, column}
  }

  push(frame) {
    const { bands, low, high, colours, columns } = this.settings;
    const pixels = this.brush.createImageData(1, bands);
    for (let band = 0; band < bands; band++) {
      const share = Math.min(1, Math.max(0, (frame[band] - low) / (high - low)));
      const place = 4 * (bands - 1 - band); // low bands at the bottom
      pixels.data.set([...colours[Math.round(share * (colours.length - 1))], 255], place);
    }
    this.brush.putImageData(pixels, this.count++ % columns, 0);
  }

  mark(word) {
    this.words.push({ word, column: this.count });
  }

  draw(canvas, ink, paper) {
    const { columns, history, frames_per_second: second } = this.settings;
    const { context: c, width, height } = sized(canvas);
    const [top, bottom] = [26, height - 20];
    const [step, newest] = [width / columns, this.count % columns];
    c.imageSmoothingEnabled = false;
    const part = (from, count, to) => {
      if (count) c.drawImage(this.image, from, 0, count, this.image.height, to * step, top, count * step, bottom - top);
    };
    part(newest, columns - newest, 0); // the image is a ring: its older part, then its newer one
    part(0, newest, columns - newest);
    c.fillStyle = c.strokeStyle = ink;
    c.font = "12px sans-serif";
    c.lineWidth = 1;
    for (let s = 1; s * second < columns; s++) {
      const x = width - s * second * step;
      c.fillRect(x, bottom, 1, 4);
      c.textAlign = "center";
      c.fillText(`−${s} s`, x, height - 3);
    }
    c.textAlign = "right";
    c.fillText("now", width, height - 3);
    c.textAlign = "left";
    c.fillText(`${this.settings.feature}, low to high`, 0, 16);
    const left = width - history * step; // what the network sees: a frame around the last second
    c.textAlign = "center";
    c.fillText("judged", (left + width) / 2, height - 3);
    c.setLineDash([5, 4]);
    for (const [colour, shift] of [["white", 0], ["black", 5]]) {
      c.strokeStyle = colour;
      c.lineDashOffset = shift;
      c.strokeRect(left + 0.5, top + 0.5, width - left - 1.5, bottom - top - 1);
    }
    c.setLineDash([]);
    c.font = "bold 14px sans-serif";
    for (const { word, column } of this.words) {
      const x = width - (this.count - column) * step;
      if (x < 0) continue;
      c.fillStyle = ink;
      c.fillRect(x - 1, 20, 2, bottom - 20);
      const half = c.measureText(word).width / 2 + 6;
      const at = Math.min(Math.max(x, half), width - half);
      c.fillRect(at - half, 1, 2 * half, 20);
      c.fillStyle = paper;
      c.textAlign = "center";
      c.fillText(word, at, 16);
    }
  }
}

// A bar for each class; the best one is darker, hatched, bold and has its number, and a line says from where on a word is said.
function drawScores(canvas, scores, settings, ink) {
  const { classes, threshold, keywords, palette } = settings;
  const { context: c, width, height } = sized(canvas);
  const [left, right, bottom] = [74, width - 46, height - 20];
  const row = bottom / classes.length;
  const best = scores ? scores.indexOf(Math.max(...scores)) : -1;
  c.textBaseline = "middle";
  classes.forEach((name, i) => {
    const [y, length] = [i * row, (scores ? scores[i] : 0) * (right - left)];
    c.fillStyle = ink;
    c.font = `${i === best ? "bold " : ""}${keywords[i] ? "" : "italic "}13px sans-serif`;
    c.textAlign = "right";
    c.fillText(name, left - 8, y + row / 2);
    c.fillStyle = i === best ? palette.best : palette.other;
    c.fillRect(left, y + row * 0.14, length, row * 0.72);
    if (i !== best) return;
    hatch(c, left, y + row * 0.14, length, row * 0.72);
    c.fillStyle = ink;
    c.textAlign = "left";
    c.fillText(`${Math.round(scores[i] * 100)} %`, left + length + 5, y + row / 2);
  });
  const x = left + threshold * (right - left);
  c.strokeStyle = c.fillStyle = ink;
  c.setLineDash([3, 3]);
  c.beginPath();
  c.moveTo(x, 0);
  c.lineTo(x, bottom);
  c.stroke();
  c.setLineDash([]);
  c.font = "12px sans-serif";
  c.textAlign = "center";
  c.fillText(`said from ${Math.round(threshold * 100)} %`, Math.min(x, width - 48), height - 8);
  c.fillRect(left, 0, 1, bottom);
}

function hatch(c, x, y, width, height) {
  c.save();
  c.beginPath();
  c.rect(x, y, width, height);
  c.clip();
  c.strokeStyle = "rgb(255 255 255 / 0.75)";
  c.lineWidth = 1.2;
  c.beginPath();
  for (let at = x - height; at < x + width; at += 7) {
    c.moveTo(at, y + height);
    c.lineTo(at + height, y);
  }
  c.stroke();
  c.restore();
}

// A canvas as large as it is shown, in the screen's own pixels, empty; lengths are CSS pixels.
function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

function element(kind, into, attributes = {}, style = "") {
  const made = document.createElement(kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.style.cssText = style;
  into.append(made);
  return made;
}

function button(into, text, label) {
  const attributes = { type: "button", class: "jupyter-button widget-button", "aria-label": label };
  const made = element("button", into, attributes, "width: auto; padding: 0 12px");
  made.textContent = text;
  return made;
}

const MICROPHONE = "Listen to the microphone";

async function render({ model, el }) {
  const settings = model.get("settings");
  const root = element("div", el, { role: "group", "aria-label": "Live word recogniser" }, "max-width: 900px");
  root.style.fontFamily = "var(--jp-ui-font-family, sans-serif)";
  const row = "display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 4px 0";
  const controls = element("div", root, {}, row);
  const speak = button(controls, MICROPHONE, MICROPHONE);
  const play = button(controls, "Play clip", "Play the clip that is chosen in the menu");
  const menu = element("select", controls, { "aria-label": "Clip to play" }, "height: 28px");
  settings.clips.forEach((name) => (element("option", menu, { value: name }).textContent = name));
  const upload = button(controls, "Choose a WAV file", "Choose a WAV file to listen to");
  const file = element("input", controls, { type: "file", accept: ".wav,audio/wav", "aria-label": "WAV file" }, "display: none");
  play.hidden = menu.hidden = !settings.clips.length;
  const status = element("div", root, { role: "status", class: "live-status" }, "min-height: 1.4em; margin: 2px 0");
  const pictures = element("div", root, {}, row + "; align-items: stretch");
  const size = "min-width: 0; height: 232px";
  const canvas = (label, flex) => element("canvas", pictures, { role: "img", "aria-label": label }, `flex: ${flex}; ${size}`);
  const strip = canvas(`Features of the last ${settings.shown} seconds, scrolling to the left`, "3 1 380px");
  const bars = canvas("Score of every word, as bars", "1 1 240px");
  const said = element("div", root, { "aria-live": "polite", class: "live-decision" }, "margin-top: 6px; min-height: 1.5em");
  said.style.font = "bold 26px var(--jp-ui-font-family, sans-serif)";
  const list = element("div", root, { class: "live-list" }, "min-height: 1.4em");
  const picture = new Strip(settings);

  let ear;
  let stop = () => {}; // ends what is heard now
  let dirty = true; // something new is to be drawn
  const tell = (text) => (status.textContent = text);
  const forget = () => {
    ear.reset();
    picture.clear();
    said.textContent = "…";
    dirty = true;
  };
  const hear = (samples, source) =>
    ear.hear(
      samples,
      (frame) => {
        picture.push(frame);
        dirty = true;
      },
      (found) => {
        picture.mark(found.word);
        said.textContent = `${found.word} (${Math.round(found.score * 100)} %)`;
        model.set("decisions", [...model.get("decisions"), { ...found, source }]);
        model.save_changes();
      },
    );
  const idle = () => {
    stop = () => {};
    speak.textContent = MICROPHONE;
    speak.setAttribute("aria-label", MICROPHONE);
    speak.setAttribute("aria-pressed", "false");
  };
  const end = (text) => {
    stop();
    idle();
    tell(text);
  };

  speak.onclick = async () => {
    if (speak.getAttribute("aria-pressed") === "true") return end("The microphone is off.");
    end("Waiting for the microphone …");
    speak.disabled = true;
    try {
      let resampler;
      const heard = (samples) => hear(toInt16(resampler.push(samples)), "microphone");
      const microphone = await openMicrophone(heard, (error) => end(error.message));
      resampler = new Resampler(microphone.rate);
      forget();
      stop = microphone.stop;
      speak.textContent = "Stop listening";
      speak.setAttribute("aria-label", "Stop listening to the microphone");
      speak.setAttribute("aria-pressed", "true");
      tell(`Say one of: ${settings.classes.filter((_, i) => settings.keywords[i]).join(", ")}.`);
    } catch (error) {
      end(error.message);
    }
    speak.disabled = false;
  };

  // A recording as if it were spoken now, int16 at 16 kHz: heard in step with the clock, and played where the browser can.
  const listen = (samples, source) => {
    forget();
    const [before, after] = settings.pauses;
    const all = new Int16Array(before + samples.length + after);
    all.set(samples, before);
    const silence = sounded(all);
    const began = performance.now();
    let done = 0;
    const timer = setInterval(() => {
      const until = Math.min(all.length, Math.round(((performance.now() - began) / 1000) * settings.rate));
      hear(all.subarray(done, until), source);
      done = until;
      if (done === all.length) end(`${source} has ended.`);
    }, 40);
    stop = () => {
      clearInterval(timer);
      silence();
    };
    tell(`Listening to ${source} …`);
  };
  play.onclick = () => {
    end("");
    const length = settings.rate;
    const bytes = model.get("clips");
    const at = settings.clips.indexOf(menu.value) * length * 2;
    listen(new Int16Array(bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + 2 * length)), `the clip “${menu.value}”`);
  };
  upload.onclick = () => file.click();
  file.onchange = async () => {
    const [chosen] = file.files;
    if (!chosen) return;
    end("");
    try {
      const { rate, samples } = readWav(await chosen.arrayBuffer(), chosen.name);
      const resampler = new Resampler(rate);
      listen(Int16Array.from([...toInt16(resampler.push(samples)), ...toInt16(resampler.end())]), chosen.name);
    } catch (error) {
      tell(error.message);
    }
    file.value = ""; // so that the same file can be chosen again
  };

  const relist = () => {
    const words = model.get("decisions").map((found) => found.word);
    list.textContent = words.length ? `Heard so far: ${words.slice(-20).join(", ")}` : "";
  };
  model.on("change:decisions", relist);
  relist();

  let alive = true;
  const paint = () => {
    if (!alive) return;
    if (dirty && ear && strip.clientWidth) {
      dirty = false;
      const style = getComputedStyle(root);
      const [ink, paper] = [style.color, style.getPropertyValue("--jp-layout-color1").trim() || "white"];
      picture.draw(strip, ink, paper);
      drawScores(bars, ear.judged ? ear.scores : null, settings, ink);
    }
    requestAnimationFrame(paint);
  };
  const resized = new ResizeObserver(() => (dirty = true));
  resized.observe(root);
  [speak, play, upload].forEach((one) => (one.disabled = true));
  try {
    ear = await Ear.create(model.get("module"), settings);
    forget();
    idle();
    [speak, play, upload].forEach((one) => (one.disabled = false));
    requestAnimationFrame(paint);
  } catch (error) {
    tell(`This page cannot run WebAssembly (${error.message}): open the notebook in another browser.`);
  }
  return () => {
    alive = false;
    stop();
    resized.disconnect();
    model.off("change:decisions", relist);
  };
}

// Plays int16 samples at 16 kHz, if it may; returns what stops it.
function sounded(samples) {
  const context = new AudioContext();
  const buffer = context.createBuffer(1, samples.length, RATE);
  buffer.copyToChannel(
    Float32Array.from(samples, (x) => x / 32768),
    0,
  );
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
  return () => context.close();
}

export default { render };

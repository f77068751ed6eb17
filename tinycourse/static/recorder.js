// The microphone, as plain samples (PCM) at the browser's own rate; tinycourse/recorder.py makes 16 kHz of them.
// Nothing is loaded from anywhere, and nothing leaves this page but the message to the notebook's own kernel.

const TAP = `registerProcessor("tap", class extends AudioWorkletProcessor {
  process(inputs) {
    if (inputs[0].length) this.port.postMessage(inputs[0][0].slice());
    return true;
  }
});`;

const REASONS = {
  NotAllowedError: "The browser did not allow the microphone: allow it for this page and press again, or upload a recording.",
  NotFoundError: "No microphone was found: connect one and press again, or upload a recording.",
  NotReadableError: "The microphone is in use by another program: close that one and press again, or upload a recording.",
};
const NO_ACCESS = "This page cannot reach a microphone (it needs https or localhost, and VS Code blocks it): upload a recording.";

// `seconds` of sound as Float32Array, and its rate. Fails with an Error whose message is a sentence for the learner.
export async function record(seconds) {
  if (!navigator.mediaDevices || !window.AudioWorkletNode) throw new Error(NO_ACCESS);
  const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
  } catch (error) {
    throw new Error(REASONS[error.name] || `The microphone does not work (${error.message}): upload a recording.`);
  }
  const context = new AudioContext();
  try {
    const url = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
    await context.audioWorklet.addModule(url);
    URL.revokeObjectURL(url);
    await context.resume();
    const tap = new AudioWorkletNode(context, "tap");
    const samples = new Float32Array(Math.round(seconds * context.sampleRate));
    let filled = 0;
    await new Promise((done, failed) => {
      stream.getAudioTracks()[0].onended = () => failed(new Error("The microphone went away: connect it and press again."));
      tap.port.onmessage = ({ data }) => {
        const part = data.subarray(0, samples.length - filled);
        samples.set(part, filled);
        filled += part.length;
        if (filled === samples.length) done();
      };
      context.createMediaStreamSource(stream).connect(tap).connect(context.destination); // the tap puts out silence
    });
    return { rate: context.sampleRate, samples };
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    context.close();
  }
}

function render({ model, el }) {
  const button = document.createElement("button");
  const status = document.createElement("span");
  button.className = "jupyter-button widget-button";
  status.style.marginLeft = "0.6em";
  status.setAttribute("role", "status"); // read aloud by screen readers
  const idle = () => {
    button.disabled = false;
    button.textContent = `Record ${model.get("seconds")} s`;
  };
  const tell = () => (status.textContent = model.get("status"));
  button.onclick = async () => {
    button.disabled = true;
    button.textContent = "Speak now";
    status.textContent = "";
    try {
      const { rate, samples } = await record(model.get("seconds"));
      model.send({ rate }, undefined, [samples.buffer]);
    } catch (error) {
      status.textContent = error.message;
    }
    idle();
  };
  model.on("change:status", tell);
  idle();
  tell();
  el.append(button, status);
}

export default { render };

// The microphone, as plain samples (PCM) at the browser's own rate. Every failure is an Error whose message is a sentence for the learner.
// Nothing is loaded from anywhere, and no sound leaves this page but to the notebook's own kernel.

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
const GONE = "The microphone went away: connect it and press again.";

// Opens the microphone until `stop()` is called: `heard(Float32Array)` gets its sound in pieces, `gone(Error)` is told if it ends by
// itself. Returns { rate, stop }.
export async function openMicrophone(heard, gone) {
  if (!navigator.mediaDevices || !window.AudioWorkletNode) throw new Error(NO_ACCESS);
  const plain = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: plain });
  } catch (error) {
    throw new Error(REASONS[error.name] || `The microphone does not work (${error.message}): upload a recording.`);
  }
  const context = new AudioContext();
  const stop = () => {
    stream.getTracks().forEach((track) => track.stop());
    if (context.state !== "closed") context.close();
  };
  try {
    const url = URL.createObjectURL(new Blob([TAP], { type: "text/javascript" }));
    await context.audioWorklet.addModule(url);
    URL.revokeObjectURL(url);
    await context.resume();
  } catch (error) {
    stop();
    throw error;
  }
  const tap = new AudioWorkletNode(context, "tap");
  stream.getAudioTracks()[0].onended = () => gone(new Error(GONE));
  tap.port.onmessage = ({ data }) => heard(data);
  context.createMediaStreamSource(stream).connect(tap).connect(context.destination); // the tap puts out silence
  return { rate: context.sampleRate, stop };
}

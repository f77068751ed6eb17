// A button that records the microphone, once; behind microphone.js. tinycourse/widgets/recorder.py makes 16 kHz of what it sends.

// `seconds` of sound as Float32Array, and its rate. Fails as openMicrophone does.
export async function record(seconds) {
  let microphone, samples;
  let filled = 0;
  try {
    await new Promise((done, failed) => {
      const heard = (data) => {
        const part = data.subarray(0, samples.length - filled);
        samples.set(part, filled);
        filled += part.length;
        if (filled === samples.length) done();
      };
      openMicrophone(heard, failed).then((opened) => {
        microphone = opened;
        samples = new Float32Array(Math.round(seconds * opened.rate));
      }, failed);
    });
    return { rate: microphone.rate, samples };
  } finally {
    microphone?.stop();
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

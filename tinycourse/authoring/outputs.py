"""Run a notebook, and keep of its outputs what a reader sees and what is the same on every machine.

Widgets cannot be saved alive without random names. What is saved instead is the picture that each widget shows at first,
so that a notebook can be read where nothing runs.
"""

import base64
import os
from pathlib import Path

from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_output

import tinycourse

WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_NOTE = "(a widget: run this cell to use it)"
CELL_SECONDS = 900  # no cell may take longer
PNG_CHUNKS = {b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"IDAT", b"IEND"}  # the rest is text and dates


def execute(notebook: NotebookNode, folder: Path, fast: bool) -> None:
    """Run all cells in `folder`, on the kernel of this Python, and fill in the outputs, cleaned.

    Raises nbclient.exceptions.CellExecutionError where a cell fails.
    """
    environment = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "TINYCOURSE_FAST")}
    package = str(Path(tinycourse.__file__).resolve().parents[1])
    environment["PYTHONPATH"] = os.pathsep.join(p for p in (package, os.environ.get("PYTHONPATH")) if p)
    if fast:
        environment["TINYCOURSE_FAST"] = "1"
    folder.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        extra_arguments=["--log-level=40"],  # the kernel's own errors, not its warnings
    )
    metadata = dict(notebook.metadata)
    client.execute(env=environment)
    notebook.metadata = NotebookNode(metadata)  # without the widgets' state and this Python's version
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cleaned = [o for output in cell.outputs for o in clean(output, cell.metadata.get("alt"), client)]
            cell.outputs = join_streams(cleaned)


def clean(output: NotebookNode, alt: str | None, client: NotebookClient) -> list[NotebookNode]:
    """One output as it is saved: pictures without metadata but with their text, widgets as pictures, no progress bars."""
    if output.output_type == "stream":
        return [] if output.name == "stderr" and "\r" in output.text else [output]
    if output.output_type == "error":
        return [output]
    if WIDGET in output.data:
        return still(output.data[WIDGET]["model_id"], alt, client)
    if "image/png" in output.data:
        output.data["image/png"] = bare_png(output.data["image/png"])
        if alt:
            output.metadata["image/png"] = output.metadata.get("image/png", {}) | {"alt": alt}
    return [output]


def join_streams(given: list[NotebookNode]) -> list[NotebookNode]:
    """Neighbouring pieces of text as one: where the kernel cuts its printing is chance."""
    joined = []
    for output in given:
        last = joined[-1] if joined else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def still(model: str, alt: str | None, client: NotebookClient) -> list[NotebookNode]:
    """The pictures in a widget as they are now, and a note; nothing for a progress bar."""
    pictures, kinds, waiting = [], set(), [model]
    while waiting:
        name = waiting.pop(0)
        state = client.widget_state[name]
        kinds.add(state["_model_name"])
        waiting += [child.removeprefix("IPY_MODEL_") for child in state.get("children", [])]
        pictures += [o.data["image/png"] for o in state.get("outputs", []) if "image/png" in o.get("data", {})]
        if state["_model_name"] == "ImageModel":
            pictures += [buffer["data"] for buffer in client.widget_buffers[name].values()]
    if "FloatProgressModel" in kinds:
        return []
    metadata = {"image/png": {"alt": alt}} if alt else {}
    shown = [{"image/png": bare_png(picture), "text/plain": WIDGET_NOTE} for picture in pictures] or [{"text/plain": WIDGET_NOTE}]
    return [new_output("display_data", data, metadata=metadata if pictures else {}) for data in shown]


def bare_png(text: str) -> str:
    """A base64 PNG without its text and date chunks."""
    data = base64.b64decode(text)
    kept, at = [data[:8]], 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")  # length, name, content, checksum
        if data[at + 4 : at + 8] in PNG_CHUNKS:
            kept.append(data[at:end])
        at = end
    return base64.b64encode(b"".join(kept)).decode()

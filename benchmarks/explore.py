"""What stands behind lesson 04: python benchmarks/explore.py costs | fidelity | race | final FILE...

costs     counts instructions of 24 networks on both emulated chips, fits the cost model and states its error   (5 minutes)
fidelity  trains designs of the long study, and TinySpeech, on all clips: how well do a short training, and cheaper signs, foretell
          it, and which design of each size is best?   (half an hour on one core; goes on where it stopped)
race      random, NSGA-II and TPE from three seeds each, at equal numbers of trainings   (a quarter of an hour on two cores; goes on too)
final     float and int8 accuracy on the testing clips of checkpoints that `tinycourse train` made, and what they take on a chip

The long study itself is made by the command that is written in tinycourse/studies/measured/explore.json.gz.
"""

import argparse
import json
import tempfile
from pathlib import Path
from random import Random

import torch

from tests import zero_cost
from tinycourse import data, files, models
from tinycourse.export import deploy, package
from tinycourse.models.design import TINYSPEECH_DESIGNS, Design, Designed
from tinycourse.search import costs, explore, instruction_model, proxy, records, space
from tinycourse.studies import lesson04 as study04
from tinycourse.training import checkpoint, classifiers, metrics, profiling

NETWORKS, TARGETS = 24, ("cortex-m4", "cortex-m0plus")
BEST, SPREAD = 3, 6  # designs that are trained for longer: of each size, and over the whole range of errors
LONG = proxy.Proxy(training_clips=1_000_000, epochs=6, batch=64)
SHORT = proxy.Proxy(training_clips=800, validation_clips=1_000)
SEEDS, TRIALS = range(3), 30


def networks() -> dict[str, Design]:
    """TinySpeech, and designs drawn from the space that the paper's limits allow."""
    random, found = Random(0), {f"tinyspeech-{name}": design for name, design in TINYSPEECH_DESIGNS.items()}
    while len(found) < NETWORKS:
        design = space.design_of(space.draw(random))
        spent = costs.count(design)
        if max(costs.PRESETS["paper"].excess(spent).values()) <= 0 and spent.multiply_adds < 2_000_000:
            found[f"drawn {len(found)}"] = design
    return found


def leave_one_out(networks: list[list[tuple]]) -> list[float]:
    """For each network, foretold from all the others: (foretold - counted) / counted. Rows as `instruction_model.measure` gives them."""
    errors = []
    for i, network in enumerate(networks):
        prices = instruction_model.fit([row for other in networks[:i] + networks[i + 1 :] for row in other])
        counted = sum(row[2] for row in network)
        errors.append(instruction_model.add_up(prices, network) / counted - 1)
    return errors


def measure_costs() -> None:
    """Writes cost_model.MEASURED."""
    designs, found = networks(), {}
    programs = {name: costs.program_of(design) for name, design in designs.items()}
    work = {name: costs.count(design).multiply_adds for name, design in designs.items()}
    for target in TARGETS:
        rows = []
        for name, program in programs.items():
            rows.append(instruction_model.measure(program, target))
            print(f"{target:14}{name:16}{sum(row[2] for row in rows[-1]):12,} instructions", flush=True)
        errors = dict(zip(programs, (round(e, 4) for e in leave_one_out(rows))))
        prices = {
            kernel: [round(p, 3) for p in price] for kernel, price in instruction_model.fit([r for part in rows for r in part]).items()
        }
        counted = {name: sum(row[2] for row in part) for name, part in zip(programs, rows)}
        found[target] = {"prices": prices, "errors": errors, "instructions": counted, "multiply_adds": work}
        off = sum(map(abs, errors.values())) / len(errors)
        print(f"{target}: foretold without having seen it, a network is off by {off:.1%} on average")
    about = {"command": "python benchmarks/explore.py costs", "targets": found}
    files.write_bytes(instruction_model.MEASURED, (json.dumps(about, indent=1) + "\n").encode())


def write(path: Path, what: str, rows: list[dict], **about) -> None:
    """What was measured so far."""
    found = {"command": f"python benchmarks/explore.py {what}", **about, "rows": rows}
    files.write_bytes(path, (json.dumps(found, indent=1) + "\n").encode())


def chosen(found: dict) -> dict[str, Design]:
    """Designs of a record: the best of every size, and some of every quality."""
    rows = sorted(records.trained_rows(found), key=lambda row: row["error"])
    rows = list({(row["error"], *row["costs"].values()): row for row in rows[::-1]}.values())[::-1]  # twins once
    sizes = [0, *(most for most, _ in costs.PRESETS["ladder"].rungs)]
    picked = [row for low, high in zip(sizes, sizes[1:]) for row in [r for r in rows if low < r["costs"]["parameters"] <= high][:BEST]]
    picked += [rows[i * (len(rows) - 1) // (SPREAD - 1)] for i in range(SPREAD)]
    designs = {f"trial {row['number']}": Design.from_json(row["design"]) for row in picked}
    return designs | {f"tinyspeech-{name}": design for name, design in TINYSPEECH_DESIGNS.items()}


def measure_fidelity(folder: Path) -> None:
    """Writes findings.FIDELITY."""
    found = records.read_record(study04.STUDY)
    quick = explore.Settings.from_json(found["settings"]).proxy
    few, all_clips = proxy.sounds_of(quick, folder), proxy.sounds_of(LONG, folder)
    rows = study04.read(study04.FIDELITY)["rows"]
    for name, design in chosen(found).items():
        if name in {row["name"] for row in rows}:
            continue
        front, clips = few.frontend(design.high), slice(None, None, len(few.labels["training"]) // 64)
        x, labels = front.finish(few.energies["training", design.high][clips].float()), few.labels["training"][clips]
        row = {"name": name}
        for sign, value in zero_cost.SIGNS.items():
            torch.manual_seed(0)
            row[sign] = value(Designed(design, len(few.classes)), x, labels)
        for key, how, sounds in (("short", quick, few), ("long", LONG, all_clips)):
            row[key] = explore.measure(design, sounds, how)["error"]
        rows.append(row)
        print(f"{name:16}{row['parameters']:8,} weights{row['short']:8.1%}{row['long']:8.1%}", flush=True)
        write(study04.FIDELITY, "fidelity", rows, clips=len(all_clips.labels["training"]), epochs=LONG.epochs)


def race(folder: Path, workers: int) -> None:
    """Writes findings.RACE."""
    rows = study04.read(study04.RACE)["rows"]
    for seed in SEEDS:  # the outer loop: if it is cut off, every sampler has run as often
        for sampler in explore.SAMPLERS:
            if (sampler, seed) in {(row["sampler"], row["seed"]) for row in rows}:
                continue
            settings = explore.Settings(sampler=sampler, seed=seed, proxy=SHORT)
            study = explore.run(f"{sampler}-{seed}", str(folder / "race.journal"), settings, TRIALS, workers, folder)
            trained = records.trained_rows(records.record(study))[:TRIALS]
            points = [[row["error"], row["costs"]["parameters"]] for row in trained]
            rows.append({"sampler": sampler, "seed": seed, "points": points})
            write(study04.RACE, "race", rows, clips=SHORT.training_clips, epochs=SHORT.epochs)


def measure_final(files: list[Path]) -> None:
    """Writes findings.FINAL; rows of other networks and seeds stay."""
    rows = {(row["name"], row["seed"]): row for row in study04.read(study04.FINAL)["rows"]}
    clips = data.open_dataset("speech-commands", classes="10").clips("testing")
    for file in files:
        recogniser = checkpoint.load(file)
        program = deploy.program_of(recogniser)
        cost = profiling.profile(models.build(recogniser.name, costs.CLASSES), torch.zeros(1, *recogniser.frontend.config.shape))
        with tempfile.TemporaryDirectory() as folder:
            package.export(program, "host", f"{folder}/host")
            runner = package.load(f"{folder}/host")  # equals the interpreter in every bit, and is faster
            integers = program.dequantize_output(runner.run(deploy.inputs(program, clips.audio)))
            report = package.export(program, "cortex-m4", f"{folder}/m4")
        row = {"name": recogniser.name, "seed": recogniser.info["seed"], "epochs": recogniser.info["epochs"]}
        row |= {"parameters": cost.parameters, "multiply_adds": cost.multiply_adds, "instructions": report["instructions"]}
        row |= {"flash": report["flash"]["total_bytes"], "ram": report["ram"]["total_bytes"]}
        row["testing"] = classifiers.evaluate(recogniser, clips).accuracy
        row["int8"] = metrics.report(torch.from_numpy(integers), clips.labels, recogniser.classes).accuracy
        rows[row["name"], row["seed"]] = row
        print(row, flush=True)
        write(study04.FINAL, "final FILE...", list(rows.values()), clips=len(clips))


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("costs", "fidelity", "race", "final"))
    parser.add_argument("files", nargs="*", type=Path, help="checkpoints, for final")
    parser.add_argument("--workers", type=int, default=2, help="processes of the race")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "tinycourse-explore"), help="keeps sounds and studies")
    a = parser.parse_args()
    work = {
        "costs": measure_costs,
        "fidelity": lambda: measure_fidelity(a.folder),
        "race": lambda: race(a.folder, a.workers),
        "final": lambda: measure_final(a.files),
    }
    work[a.what]()

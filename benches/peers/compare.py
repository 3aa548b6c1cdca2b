"""The comparison of segue with its peers: see README.md."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import warnings
from importlib.metadata import version
from pathlib import Path

import faiss
from threadpoolctl import threadpool_info

import data
import searches
import stages
from worker import Worker

HERE = Path(__file__).parent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="the small data alone, a minute or two")
    parser.add_argument("--only", choices=["sweeps", "recall", "fold-in", "search", "worst"])
    parser.add_argument("--data", nargs="+", choices=list(data.SIZES), help="by default M, L and XL")
    parser.add_argument("--factors", type=int, choices=[64, 128])
    arguments = parser.parse_args()

    check_threads()
    load = os.getloadavg()[0]
    build = ["cargo", "bench", "--locked", "--bench", "peers", "--no-run", "--message-format=json"]
    lines = subprocess.run(build, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    binaries = [json.loads(line).get("executable") for line in lines]
    binary = [path for path in binaries if path and "/peers-" in path][-1]
    segue = Worker([binary, "--serve"], arguments.work)

    rows = []
    about = {**machine(segue), "load before": round(load, 2)}
    for row in plan(segue, arguments):
        rows.append(row)
        print(line_of(row), flush=True)
        if not (arguments.quick or arguments.only or arguments.factors):
            # After each row: who breaks off an hour's run keeps what there is.
            facts = {"machine": about, "rows": [dict_of(row) for row in rows]}
            (HERE / "results.json").write_text(json.dumps(facts, indent=1))
            (HERE / "results.md").write_text(table(about, rows))
    segue.close()


def check_threads():
    """implicit slows down badly if the BLAS it calls has threads of its own."""
    for library in threadpool_info():
        if "scipy_openblas" in library["filepath"] and library["num_threads"] != 1:
            raise RuntimeError(f"{library['filepath']} has {library['num_threads']} threads, it should have 1")
    # What it warns of all the same is a copy that faiss brings and nobody else calls.
    warnings.filterwarnings("ignore", message="OpenBLAS is configured to use")


def plan(segue: Worker, arguments):
    names = arguments.data or (["S"] if arguments.quick else ["M", "L", "XL"])
    wants = lambda stage: arguments.only in (None, stage)
    for name in names:
        world = data.load(name, arguments.work)
        for factors in [arguments.factors] if arguments.factors else [64, 128]:
            if name == "XL" and factors == 128:
                continue
            if wants("sweeps") and name != "XL":
                yield from stages.sweeps(world, segue, factors, rounds=5, cholesky_rounds=3)
            if wants("recall") and name != "XL" and factors == 64:
                yield from stages.time_to_recall(world, segue, factors, rounds=3)
            if wants("fold-in") and name in "SM":
                yield from stages.fold_in(world, segue, factors, rounds=5)
            if wants("search"):
                yield from searches.search(world, segue, factors, rounds=3)
    if wants("worst"):
        yield from searches.worst_case(segue, 100_000 if arguments.quick else 1_000_000, 64, rounds=3)


def dict_of(row) -> dict:
    return {**row.__dict__, "reached": row.reached}


def line_of(row) -> str:
    median = statistics.median
    spread = lambda values: f"{median(values):.4g} ({min(values):.4g}–{max(values):.4g})"
    sign = "reached" if row.reached else " ".join(["FALLS SHORT", *(f"({name})" for name in row.broken)])
    return (
        f"| {row.what} | {row.peer} | {spread(row.segue)} {row.unit} | {spread(row.theirs)} {row.unit} "
        f"| {row.ratio:.1f}× | {row.target:g}×: {sign} | {row.note} |"
    )


def machine(segue: Worker) -> dict:
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    packages = ["implicit", "faiss-cpu", "hnswlib", "usearch", "numpy", "scipy"]
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "instructions": segue.ask("about")["path"],
        "instructions of faiss": faiss.SIMDConfig.get_level_name(),
        "rustc": subprocess.run(["rustc", "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()[1],
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def table(about: dict, rows) -> str:
    head = "| what | peer | segue: median (least–most) | peer | ratio | to reach | notes |\n|---|---|---|---|---|---|---|\n"
    facts = ", ".join(f"{key} {value}" for key, value in about.items())
    lines = "\n".join(line_of(row) for row in rows)
    return f"# segue and its peers\n\nMade by `benches/peers/run`: {facts}.\n\n{head}{lines}\n"


if __name__ == "__main__":
    main()

"""Peak memory of `tfxfer fit` by the number of training images.

    python benchmarks/memory.py --sizes 5000 50000

Peak resident memory of a process that fits one epoch of each phase: "streaming", without caching
(`--memory-gigabytes 0 --cache-gigabytes 0`), and with the defaults. A size is an upper limit:
images set aside for validation are not trained on.
"""

import pathlib
import re
import tempfile

import measuring
from measuring import TFXFER

MODES = {"streaming": ["--memory-gigabytes", "0", "--cache-gigabytes", "0"], "defaults": []}
HELD_OUT = 500  # images each of validation and test


def fit(backbone: str, data: str, size: int, extra: list[str]) -> dict:
    """Returns the totals of a fit on at most `size` images, and their number."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            TFXFER,
            "fit",
            "--backbone",
            backbone,
            "--data",
            data,
            "--effort",
            "quick",
            *extra,
        ]
        command += ["--head-epochs", "1", "--head-optimizer", "adam", "--finetune-epochs", "1"]
        command += ["--train-examples", str(size)]
        for split in ("validation", "test"):
            command += [f"--{split}-examples", str(HELD_OUT)]
        for kind in ("runs", "export", "cache"):
            command += [f"--{kind}-dir", f"{folder}/{kind}"]
        finished = measuring.run(command)
    printed = "\n".join(line for _, line in finished.lines)
    trained = re.search(r"^data\b.*?([\d,]+) train", printed, re.MULTILINE)
    return {
        **finished.totals(),
        "train_images": int(trained[1].replace(",", "")) if trained else None,
    }


def main() -> None:
    """Prints the megabytes of each size, and the ratio of the largest to the smallest."""
    parser = measuring.command_line(__doc__, repeats=1)
    parser.add_argument("--backbone", default="resnet10_small")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--sizes", type=int, nargs="+", default=[5000, 50_000])
    options = parser.parse_args()
    facts = measuring.facts()
    sizes = sorted(options.sizes)
    repeats: list[dict[str, dict[int, dict]]] = []
    for _ in range(options.repeats):
        repeats.append({mode: {} for mode in MODES})
        for size in sizes:
            for mode, extra in MODES.items():
                run = fit(options.backbone, options.data, size, extra)
                repeats[-1][mode][size] = run
                print(f"{mode}, {size:,}: {run['peak_megabytes']:,.0f} MB", flush=True)
    columns: dict[str, dict[str, list[float]]] = {}
    for mode in MODES:
        peaks = {s: [repeat[mode][s]["peak_megabytes"] for repeat in repeats] for s in sizes}
        first, last = sizes[0], sizes[-1]
        ratios = [high / low for low, high in zip(peaks[first], peaks[last], strict=True)]
        columns[f"{mode}, megabytes"] = {
            **{f"{size:,} images": peaks[size] for size in sizes},
            "largest / smallest": ratios,
        }
    digits = {f"{size:,} images": 0 for size in sizes} | {"largest / smallest": 2}
    measuring.print_table(columns, digits)
    measuring.write_json(
        options.json,
        **facts,
        settings={"backbone": options.backbone, "data": pathlib.Path(options.data).name},
        medians=measuring.medians(columns),
        repeats=repeats,
    )


if __name__ == "__main__":
    main()

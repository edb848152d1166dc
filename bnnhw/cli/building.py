"""``build``, ``report``, ``program``, ``run`` and ``serve``: the bitstream, and the board."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import bnnhw
from bnnhw.artifacts import REPORT
from bnnhw.cli import options
from bnnhw.cli.terminal import counter, facts, percent, share, shortened, table, write
from bnnhw.files import write_arrays
from bnnhw.progress import shown
from bnnhw.reading import read_json

MAX = "max"
# Of report.json, with their names in tables.
RESOURCES = {"lut4": "LUT4", "ff": "flip-flops", "block_ram": "block RAM", "spram": "SPRAM", "dsp": "multipliers"}
FOLDED = ("name", "pe", "simd")
# Tried with --clock-mhz max.
SEEDS = 4


def add_commands(commands: options.Commands) -> None:
    parser = options.add_command(commands, "build", build, "bitstream for a board, and its report")
    options.add_model(parser)
    options.add_board(parser)
    options.add_output(parser)
    parser.add_argument(
        "--clock-mhz",
        type=clock,
        default=None,
        metavar="F|max",
        help="clock of the accelerator, or max to search the fastest with several seeds "
        "(default: the fastest that timing allows with one)",
    )
    parser.add_argument("--seed", type=int, default=1, help="first seed of the placer (default: %(default)s)")
    parser.add_argument(
        "--seeds",
        type=options.at_least_one,
        metavar="N",
        help=f"how many seeds to try, the fastest route wins (default: 1; {SEEDS} with --clock-mhz max)",
    )
    parser.add_argument(
        "--jobs", type=options.at_least_one, metavar="N", help="routes at a time (default: one per processor)"
    )
    add_baud(parser, "that the link can go to (default: the fastest of the board's bridge and clock)")

    parser = options.add_command(commands, "report", report, "the report of a build as a page with plots")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that `bnnhw build` wrote")

    parser = options.add_command(commands, "program", program, "loads a bitstream with the board's programmer")
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that `bnnhw build` wrote")
    parser.add_argument("--board", help="path of the board's file, if it is none of those of `bnnhw boards`")

    parser = options.add_command(
        commands, "run", run, "inference on a board that runs the bitstream, or a simulated one"
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that `bnnhw build` or `bnnhw compile` wrote")
    parser.add_argument(
        "--port", help="serial port of the board, such as /dev/ttyUSB1 (default: the only one that runs this design)"
    )
    parser.add_argument(
        "--timeout",
        type=options.positive,
        metavar="S",
        help="seconds of silence after which an answer is taken for lost (default: 2; a simulated board may need more)",
    )
    add_baud(parser, "at most (default: the fastest that board and port can do)")
    options.add_inputs(parser, samples=100)
    options.add_answers(parser, required=False)

    options.add_command(commands, "ports", ports, "serial ports, and which board answers on each")

    parser = options.add_command(
        commands, "serve", serve, "simulates the whole board behind a serial port, until Ctrl-C"
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder that `bnnhw compile` or `bnnhw build` wrote")
    parser.add_argument("--link", type=Path, metavar="PATH", help="symbolic link to make to the port; gone in the end")
    add_baud(parser, "that the line can go to (default: as the real one; a quarter of the clock is fastest)")


def add_baud(parser: ArgumentParser, what: str) -> None:
    """The option of the host link's fast rate."""
    parser.add_argument("--baud", type=options.at_least_one, metavar="B", help=f"bits per second {what}")


def clock(text: str) -> float | str:
    """Megahertz, or ``max``."""
    return text if text == MAX else options.positive(text)


def build(arguments: Namespace) -> int:
    searching = arguments.clock_mhz == MAX
    report = bnnhw.build(
        arguments.work,
        folder=arguments.output,
        board=arguments.board,
        clock_mhz=None if searching else arguments.clock_mhz,
        seed=arguments.seed,
        seeds=arguments.seeds or (SEEDS if searching else 1),
        jobs=arguments.jobs,
        baud=arguments.baud,
        input_format=arguments.input_format,
        output_tensor=arguments.output_tensor,
        progress=shown,
    )
    places = [f"bitstream in {arguments.output / report['bitstream']}"]
    if report["weights"] is not None:
        places.append(f"weights in {arguments.output / report['weights']['file']}")
    write(arguments.json, report, "\n".join((f"{report_text(report)}\n", *places)))
    return 0


def report_text(report: dict[str, Any]) -> str:
    """What a report says: the whole in a few lines, and its layers."""
    return f"{whole_text(report)}\n\n{layers_text(report)}"


def layers_text(report: dict[str, Any]) -> str:
    """What each layer takes of the part, and how long."""
    area = report["area"]
    keys = [key for key in RESOURCES if report["utilization"][key]["used"]]
    rows = [(*(layer.get(key) for key in FOLDED), layer["cycles"]) for layer in merged(report)]
    taken = [*area["layers"], area["frames"], area["board"]]
    rows += [(name, None, None, None) for name in ("frame guard and label select", "host link, clocks, LEDs")]
    header = ("layer", "PE", "SIMD", "cycles", *(RESOURCES[key] for key in keys))
    return table(header, [(*row, *(own[key] for key in keys)) for row, own in zip(rows, taken, strict=True)])


def merged(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The layers with their folding and with what they take."""
    return [{**folding, **own} for folding, own in zip(report["layers"], report["area"]["layers"], strict=True)]


def whole_text(report: dict[str, Any]) -> str:
    """The design as a whole."""
    used = report["utilization"]
    reached = [mhz for mhz in report["fmax_mhz_by_seed"].values() if mhz is not None]
    source = {"cycle model": "those of the cycle model: there is no C++ compiler for a simulation"}
    cycles_from = source.get(report.get("cycles_from", ""))
    accuracy, path, link = accuracy_text(report), report["critical_path"], report["link"]
    spread = f"{min(reached):.2f} to {max(reached):.2f} MHz with {len(reached)} seeds, best with {report['seed']}"
    return facts(
        {
            "model": report["model"],
            "board": f"{report['board']} ({report['part']})",
            **({"accuracy": accuracy} if accuracy else {}),
            **({"encoder": report["encoder"].removeprefix("encoder ")} if report.get("encoder") else {}),
            "clock": f"{report['clock_mhz']:.2f} MHz of {report['fmax_mhz']:.2f} MHz that timing allows",
            **({"timing allows": spread} if len(reached) > 1 else {}),
            **({"limited by": f"the path {path['words']}"} if path else {}),
            "LUT4": share(used["lut4"]),
            "block RAM": share(used["block_ram"]),
            "cycles per inference": report["cycles_per_inference"],
            "latency": f"{report['latency_cycles']:,} cycles",
            **({"cycles": cycles_from} if cycles_from else {}),
            "inferences per second": f"{report['inferences_per_second']:,.0f}",
            "through the host link": f"{report['link_inferences_per_second']:,.0f} at {link['baud']:,} baud",
            **({"faster with": link["lift"]} if link.get("lift") else {}),
            "MACs per cycle": f"{report['macs_per_cycle']:,.0f}, {percent(report['efficiency'])} of the part's limit",
        }
    )


def accuracy_text(report: dict[str, Any]) -> str | None:
    """How well the model decides, where that is known."""
    right = percent(report["accuracy"])
    return right and f"{right} of {report['accuracy_samples']:,} samples"


def report(arguments: Namespace) -> int:
    path = bnnhw.report(arguments.folder)
    found = read_json(arguments.folder / REPORT, remedy="build again")
    write(arguments.json, {"file": str(path), "report": found}, f"{report_text(found)}\n\nwritten to {path}")
    return 0


def program(arguments: Namespace) -> int:
    bnnhw.program(arguments.folder, board=arguments.board)
    write(arguments.json, {"folder": str(arguments.folder)}, f"loaded {arguments.folder}")
    return 0


def run(arguments: Namespace) -> int:
    options.check_answers(arguments.output)
    result = bnnhw.run(
        arguments.folder,
        arguments.inputs,
        port=arguments.port,
        samples=arguments.samples,
        timeout=arguments.timeout,
        baud=arguments.baud,
        count=counter("inferences"),
        progress=shown,
    )
    arrays = result["arrays"]
    labels, predicted = result["labels"], arrays["prediction"]
    if arguments.output is not None:
        write_arrays(arguments.output, arrays)
    data = {
        "inputs": result["inputs"],
        "samples": len(predicted),
        "prediction": predicted.tolist(),
        "accuracy": None if labels is None else float((predicted == labels).mean()),
        "seconds": result["seconds"],
        "inferences_per_second": result["inferences_per_second"],
        "retries": result["retries"],
        "baud": result["baud"],
        "file": None if arguments.output is None else str(arguments.output),
    }
    lines = {
        "inputs": f"{data['samples']:,} of {data['inputs']}",
        "predictions": shortened(data["prediction"]),
        "accuracy": percent(data["accuracy"]),
        "time": f"{data['seconds']:.2f} s with the link at {data['baud']:,} baud",
        "inferences per second": data["inferences_per_second"],
        "sent again": f"{data['retries']:,} requests",
        "written to": data["file"],
    }
    write(arguments.json, data, facts(lines))
    return 0


def ports(arguments: Namespace) -> int:
    found = bnnhw.ports()
    rows = [(port["port"], port["description"], port["answer"]) for port in found]
    text = table(("port", "description", "answer"), rows) if rows else "there is no serial port"
    write(arguments.json, found, text)
    return 0


def serve(arguments: Namespace) -> int:
    def ready(name: str) -> None:
        text = f"simulated board at {name}; Ctrl-C ends it\n\n    bnnhw run {arguments.folder} --port {name}\n"
        write(arguments.json, {"port": name}, text)
        sys.stdout.flush()

    bnnhw.serve(arguments.folder, ready=ready, link=arguments.link, baud=arguments.baud, progress=shown)
    return 0

"""The engine in simulation: its answers are those of the executor, in the cycles that the compiler tells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bnnhw import reference
from bnnhw.compiler import import_model
from bnnhw.dataflow import Network
from bnnhw.errors import PlanError
from bnnhw.inputs import inputs_for
from bnnhw.layer_table import HEADER, MAGIC, SHAPES, VERSION, pack
from bnnhw.overlay.compiler import make_program
from bnnhw.overlay.cycles import program_cycles
from bnnhw.overlay.program import checksum
from bnnhw.parts import find_part
from bnnhw.passes import to_integers
from bnnhw.verify.engine import Session, engine_netlist, run_session
from campaigns.random_maps import random_map_network
from tests.data import golden, shared
from tests.overlay.networks import GRAPHS, SMALL, TIGHT, VECTORS, WIDE, right

pytestmark = pytest.mark.sim
FRAMES = 3


def check(cases, shape, netlist=None, **stalls):
    """One engine, one network after the other: every answer is right, in the predicted cycles where nothing stalls."""
    session = Session()
    for program, values, _, _ in cases:
        session.load(program.image)
        for frame in program.frames(values):
            session.send(frame)
        session.await_answers(len(values))
    seen = run_session(shape, session, netlist=netlist, **stalls)
    assert not seen.hung
    assert not seen.broken
    start = 0
    for program, values, integers, labels in cases:
        here = slice(start, start + len(values))
        found, classes = program.results(seen.answers[here])
        assert (found == integers).all()
        assert (classes == labels).all()
        if not stalls:
            assert set(np.diff(seen.ends[here])) <= {program_cycles(program)}
        start += len(values)
    assert start == len(seen.answers)


def cases_of(names, shape):
    found = []
    for name in names:
        graph = GRAPHS[name]()
        found.append((make_program(Network.of(graph), shape), *right(graph, FRAMES)))
    return found


@pytest.mark.parametrize("shape", [SMALL, WIDE], ids=["small", "wide"])
@pytest.mark.parametrize("stalls", [{}, {"i_stall": 40, "o_stall": 40, "seed": 3}], ids=["", "stalls"])
def test_every_kind_of_layer(shape, stalls):
    check(cases_of(GRAPHS, shape), shape, **stalls)


def test_passes_that_are_split():
    check(cases_of(VECTORS, TIGHT), TIGHT)


def shipped(names):
    cases = []
    for model in (import_model(name, None, None) for name in names):
        x = inputs_for(model.graph, None, FRAMES).values
        found = reference.run(model.graph, x)
        program = make_program(model.network, SHAPES["up5k"])
        integers = found["integers"].reshape(len(x), -1)
        cases.append((program, reference.encode_inputs(model.graph, x), integers, found["prediction"]))
    return cases


@pytest.mark.parametrize(
    "names",
    [
        ("digits-binary", "digits-ternary", "mnist-binary"),
        pytest.param(("mnist-ternary", "mnist-cnn", "cifar-cnv-small"), marks=pytest.mark.slow),
    ],
)
def test_shipped_networks(names):
    check(shipped(names), SHAPES["up5k"])


@pytest.mark.slow
@pytest.mark.synth
def test_the_netlist_of_up5k():
    """With single-port RAM, which the simulation before synthesis does not have."""
    netlist = engine_netlist(SHAPES["up5k"], find_part("ice40-up5k"))
    assert netlist.count("SB_SPRAM256KA \\memory.bank_") == 4
    check(shipped(("digits-binary", "digits-ternary", "mnist-binary", "mnist-cnn")), SHAPES["up5k"], netlist)


@pytest.mark.parametrize("name", ["TFC_1W1A", "TFC_1W2A", "TFC_2W2A"])
def test_published_networks(name):
    folder = "models/qonnx_zoo_tfc"
    model = import_model(shared(f"{folder}/{name}.onnx"), None, None)
    right = golden(f"{folder}/golden_{name}.npz")
    x = right["images_u8"][:FRAMES].astype(np.float32).reshape(-1, *model.graph.tensors[model.graph.input].shape) / 255
    found = reference.run(model.graph, x)
    assert (found["prediction"] == right["pred"][:FRAMES]).all()
    program = make_program(model.network, SHAPES["up5k"])
    integers = found["integers"].reshape(len(x), -1)
    check(
        [(program, reference.encode_inputs(model.graph, x), integers, found["prediction"])], SHAPES["up5k"]
    )  # fmt: skip


@pytest.mark.parametrize(("seeds", "stall"), [(range(20), 0), pytest.param(range(20, 400), 30, marks=pytest.mark.slow)])
def test_random_networks(seeds, stall):
    cases = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        graph = to_integers(random_map_network(rng))
        try:
            program = make_program(Network.of(graph), SHAPES["up5k"])
        except PlanError:
            continue
        x = rng.normal(0, 2, (FRAMES, *graph.tensors[graph.input].shape)).astype(np.float32)
        found = reference.run(graph, x)
        integers = found["integers"].reshape(FRAMES, -1)
        cases.append((program, reference.encode_inputs(graph, x), integers, found["prediction"]))
    assert len(cases) > len(seeds) // 3
    check(cases, SHAPES["up5k"], **({"i_stall": stall, "o_stall": stall} if stall else {}))


# ---- programs and frames that are not right ----------------------------------------------------------


def good():
    """A program, its frames, and their answers."""
    ((program, values, _, _),) = cases_of(["padded"], SMALL)
    frames = program.frames(values)
    session = Session()
    session.load(program.image)
    for frame in frames:
        session.send(frame)
    session.await_answers(len(frames))
    return program, frames, run_session(SMALL, session).answers


def sealed(words, mask=0xFFFF):
    """Words with the two that make them a program's image."""
    return [*words, *checksum(words, mask.bit_length())]


def header(**changes):
    fields = {"version": VERSION, "magic": MAGIC, "lines": 2, "engine": SMALL.fingerprint} | changes
    line = pack(HEADER, fields)
    return [line >> 16 * k & 0xFFFF for k in range(4)]


def test_images_that_are_not_right_are_refused_and_the_next_one_runs():
    program, frames, answers = good()
    image = program.image
    flipped = [*image]
    flipped[len(image) // 2] ^= 1
    swapped = [*image]
    swapped[5], swapped[9] = swapped[9], swapped[5]
    assert swapped != image
    end = [0, 0, 0, 0]
    wrong = {
        "a bit": flipped,
        "an order": swapped,
        "too short": image[:-1],
        "too long": [*image, 0],
        "much too long": [*image, *[0] * (SMALL.lines * SMALL.banks)],
        "empty": [0],
        "nothing but zeros": [0] * 64,
        "another version": sealed([*header(version=VERSION + 1), *end]),
        "another kind of file": sealed([*header(magic=0), *end]),
        "another shape": sealed([*header(engine=SMALL.fingerprint ^ 1), *end]),
        "fewer lines": sealed([*header(lines=3), *end]),
        "more lines": sealed([*header(lines=1), *end]),
    }
    session = Session()
    for some in wrong.values():
        session.load(some)
        session.wait(4)
    session.load(image)
    session.wait(4)
    for frame in frames:
        session.send(frame)
    session.await_answers(len(frames))
    seen = run_session(SMALL, session)
    after = seen.states[1 : 2 * len(wrong) : 2]
    assert dict(zip(wrong, after, strict=True)) == dict.fromkeys(wrong, (True, True))
    assert seen.states[2 * len(wrong) + 1] == (False, False)
    assert seen.answers == answers


def test_a_new_program_stops_the_one_before_wherever_it_is():
    program, frames, answers = good()
    session = Session()
    for cycles in (1, 7, 40, 100, 333, 700, 1200, 1900, 3001, 4500):
        session.load(program.image)
        session.send(frames[0])
        session.wait(cycles)
    session.load(program.image)
    # A frame that is broken off goes on behind the program: it is dropped.
    session.send(frames[0][:5], last=False)
    session.load(program.image)
    session.send(frames[0][5:])
    session.send(frames[1])
    session.wait(20_000)
    seen = run_session(SMALL, session)
    assert not seen.hung
    assert not seen.broken
    assert seen.answers[-1] == answers[1]
    # An answer that was broken off is closed.
    assert all(answer in answers or answer[-1] == 1 << (SMALL.lanes - 1) for answer in seen.answers)


def test_damaged_frames_are_told_and_shift_nothing():
    program, frames, answers = good()
    damaged = 1 << (SMALL.lanes - 1)
    session = Session()
    session.load(program.image)
    for frame in (frames[0], frames[1][:-1], frames[1], [*frames[2], 7, 7, 7], frames[2], frames[0][:1], frames[0]):
        session.send(frame)
    session.await_answers(7)
    seen = run_session(SMALL, session, i_stall=20, o_stall=20)
    flags = [bool(answer[-1] & damaged) for answer in seen.answers]
    assert flags == [False, True, False, True, False, True, False]
    for place, sample in ((0, 0), (2, 1), (4, 2), (6, 0)):
        assert seen.answers[place] == answers[sample]
    # What was too long is right but for its flag.
    assert seen.answers[3] == [*answers[2][:-1], answers[2][-1] | damaged]


@pytest.mark.parametrize("count", [20, pytest.param(300, marks=pytest.mark.slow)])
def test_no_image_keeps_the_next_one_out(count):
    """Images that are sealed, and whose lines are anything: whatever they make the engine do, the next program runs."""
    program, frames, answers = good()
    rng = np.random.default_rng(count)
    session = Session()
    for k in range(count):
        lines = program.lines.copy()
        if k % 2:
            places = rng.integers(1, len(lines), 6)
            lines[places] ^= rng.integers(0, 1 << 16, (6, SMALL.banks)).astype(np.uint32)
        else:
            lines[1:] = rng.integers(0, 1 << 16, lines[1:].shape)
        session.load(replace(program, lines=lines).image)
        session.wait(3000)
        session.load(program.image)
        session.wait(10)
        session.send(frames[k % len(frames)])
        session.wait(program_cycles(program) + 200)
    seen = run_session(SMALL, session)
    assert not seen.hung
    ends = [answers[k % len(frames)] for k in range(count)]
    whole = [answer for answer in seen.answers if answer in answers]
    assert whole == ends

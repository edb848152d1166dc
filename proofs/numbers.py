"""Units that compute with the numbers that come: sums, maxima, thresholds, the highest score."""

from amaranth.hdl import Array, Cat, Const, Mux, Value, signed

from bnnhw import units
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.gateware.arithmetic.add_streams import AddStreams
from bnnhw.gateware.arithmetic.code_table import CodeTable
from bnnhw.gateware.arithmetic.label_select import LabelSelect
from bnnhw.gateware.arithmetic.threshold import ThresholdUnit
from bnnhw.gateware.arithmetic.threshold_difference import ThresholdDifference
from bnnhw.gateware.streams.concat import Concat
from bnnhw.gateware.windows.pool import Pool
from bnnhw.generate.circuits import circuit
from bnnhw.units.scale import ScaleContents
from proofs.case import StreamCase
from proofs.harness import Spec
from proofs.models import counted, lanes, legal_codes, number, storage


def add(dtypes, coefficients, out):
    """Case of `AddStreams`, two lanes; a list of coefficients has one for each channel of a vector."""
    channels = max(2 if isinstance(c, int) else len(c) for c in coefficients)
    beats = channels // 2
    table = [[c] * channels if isinstance(c, int) else c for c in coefficients]

    def expected(name, k, seen):
        found = []
        for lane in range(2):
            codes = [lanes(seen[f"i{n}"][k], t.bits)[lane] for n, t in enumerate(dtypes)]
            terms = [c[2 * k + lane] * number(t, code) for c, t, code in zip(table, dtypes, codes, strict=True)]
            found.append(storage(out, sum(terms)))
        return found, {"last": k == beats - 1}

    spec = Spec(
        {f"i{n}": beats for n in range(len(dtypes))}, {"o": beats}, expected, hang_cycles=2,
        i_last=lambda name, k: k == beats - 1,
        legal=lambda name, payload: legal_codes(dtypes[int(name[1:])], payload.data),
    )  # fmt: skip
    sizes = " + ".join(f"{c} * {t}" for c, t in zip(coefficients, dtypes, strict=True))
    return StreamCase(
        "AddStreams", f"{sizes}, 2 lanes", lambda: AddStreams(dtypes, coefficients, 2, out), spec, depth=8,
        covers=(units.AddStreams,), fast=True,
    )  # fmt: skip


def concat(dtypes, out):
    """Case of `Concat` of several formats: an element of each input, one behind the other, as codes of one format."""

    def expected(name, k, seen):
        code = lanes(seen[f"i{k}"][0], dtypes[k].bits)[0]
        return [storage(out, number(dtypes[k], code))], {"last": k == len(dtypes) - 1}

    inputs = {f"i{k}": 1 for k in range(len(dtypes))}
    spec = Spec(
        inputs, {"o": len(dtypes)}, expected, hang_cycles=2, i_last=lambda name, k: True,
        legal=lambda name, payload: legal_codes(dtypes[int(name[1:])], payload.data),
    )  # fmt: skip
    return StreamCase(
        "Concat", f"{', '.join(map(str, dtypes))} to {out}", lambda: Concat(list(dtypes), 1, [1] * len(dtypes), out),
        spec, depth=10, covers=(units.Concat,), fast=True,
    )  # fmt: skip


def difference(dtype, offsets, signs, width):
    """Case of `ThresholdDifference`, two channels per beat."""
    beats = len(offsets) // 2

    def expected(name, k, seen):
        codes = lanes(seen["i"][k], dtype.bits)
        numbers = [signs[2 * k + n] * number(dtype, code) - offsets[2 * k + n] for n, code in enumerate(codes)]
        return [value.as_signed()[:width] for value in numbers], {"last": k == beats - 1}

    spec = Spec(
        {"i": beats}, {"o": beats}, expected, hang_cycles=2, i_last=lambda name, k: k == beats - 1,
        legal=lambda name, payload: legal_codes(dtype, payload.data),
    )  # fmt: skip
    return StreamCase(
        "ThresholdDifference", f"{dtype}, {len(offsets)} channels, 2 per beat",
        lambda: ThresholdDifference(dtype, 2, len(offsets), offsets=offsets, signs=signs, width=width), spec, depth=10,
        covers=(units.ThresholdDifference,), fast=True,
    )  # fmt: skip


def thresholds(rows, codes, bits, tail, depth, *, width=4, fast=False):
    """Case of a `ThresholdUnit`: a code for the number of thresholds that a sum reaches."""
    pe, beats = len(rows[0]), len(rows)

    def expected(name, k, seen):
        found = []
        for p, total in enumerate(lanes_of_sums(seen["i"][k], width)):
            code = Array(Const(c, bits) for c in codes)[counted(rows[k][p], total)]
            found.append(Const(0, bits) if k == beats - 1 and p >= tail else code)
        return [Cat(Mux(1, code, 0)[:bits] for code in found)], {"last": k == beats - 1}

    steps = len(codes).bit_length()
    spec = Spec(
        {"i": beats}, {"o": beats}, expected, hang_cycles=steps + 3, i_last=lambda name, k: k == beats - 1
    )  # fmt: skip
    return StreamCase(
        "ThresholdUnit", f"{len(codes) - 1} thresholds, sums of {width} bits, {pe} rows, {beats} beats",
        lambda: ThresholdUnit(
            pe=pe, nf=beats, width=width, count=len(codes) - 1, thresholds=rows, codes=codes, bits=bits, tail=tail
        ),
        spec, depth, covers=(units.ThresholdUnit,), fast=fast,
    )  # fmt: skip


def table(rows, bits, depth, *, memory="lut"):
    """Case of a `CodeTable`: for each channel the code that its own table has for a count."""
    pe, beats, count = len(rows[0]), len(rows), len(rows[0][0]) - 1
    width = count.bit_length()

    def expected(name, k, seen):
        counts = lanes(seen["i"][k], width)
        return [Cat(Array(Const(code, bits) for code in row)[n] for row, n in zip(rows[k], counts, strict=True))], {
            "last": k == beats - 1
        }

    spec = Spec(
        {"i": beats}, {"o": beats}, expected, hang_cycles=2, i_last=lambda name, k: k == beats - 1,
        legal=lambda name, payload: Cat(n <= count for n in lanes(payload, width)).all(),
    )  # fmt: skip
    return StreamCase(
        "CodeTable", f"counts up to {count}, {bits} bits, {pe} rows, {beats} beats, {memory}",
        lambda: CodeTable(pe=pe, nf=beats, count=count, codes=rows, bits=bits, memory=memory), spec, depth,
        covers=(units.CodeTable,), fast=memory == "lut",
    )  # fmt: skip


def scale(dtype, contents, *, pe, shift, even=False, width=8, bits=4, multiplier="lut", fast=False):
    """Case of a `ScaleUnit`, `pe` rows at a time: the quotient of the piece that each number is in, cut off."""
    pieces, rows = len(contents.biases), len(contents.biases[0])
    beats, one = rows // pe, contents.factors == []
    limits = 0 if len(contents.lows) == 1 else 5
    unit = units.ScaleUnit(
        dtype, pe, beats, pe, 1, pieces, 3 if one else None, 4, width, shift, even, limits, bits, "lut", multiplier
    )

    def quotient(x, row, piece):
        total = x * (3 if one else contents.factors[piece][row]) + contents.biases[piece][row]
        quotient = total >> shift
        if even:
            quotient = Mux((total == quotient << shift) & quotient[0], quotient - 1, quotient)
        low, high = (side[row % len(side)] for side in (contents.lows, contents.highs))
        return Mux(quotient < low, low, Mux(quotient > high, high, quotient))

    def expected(name, k, seen):
        found = []
        for p, code in enumerate(lanes(seen["i"][k], dtype.bits)):
            x, row = number(dtype, code), k * pe + p
            value = quotient(x, row, pieces - 1)
            if pieces > 1:
                value = Mux(x < contents.pivots[0][row], quotient(x, row, 0), value)
            found.append((contents.offset + contents.step * value)[:bits])
        return found, {"last": k == beats - 1}

    spec = Spec(
        {"i": beats}, {"o": beats}, expected, hang_cycles=pieces + 4, i_last=lambda name, k: k == beats - 1
    )  # fmt: skip
    return StreamCase(
        "ScaleUnit", f"{dtype}, {rows} rows, {pe} at a time, {pieces} pieces, shift {shift}{' to even' * even}",
        lambda: circuit(unit, contents), spec, depth=2 * pieces + 10, covers=(units.ScaleUnit,), fast=fast,
    )  # fmt: skip


def lanes_of_sums(payload, width):
    """The sums of a beat as numbers."""
    word = Value.cast(payload.data)
    return [word[at : at + width].as_signed() for at in range(0, len(word), width)]


def pool(dtype, operation, taps, minimum, out, *, lanes_per_beat, depth, fast=False):
    """Case of `Pool`: each channel's extreme value or sum of the taps that are on the map."""
    chunks = len(minimum) // lanes_per_beat

    def expected(name, k, seen):
        found = []
        for lane in range(lanes_per_beat):
            beats = seen["i"][k * taps : (k + 1) * taps]
            smallest = minimum[k * lanes_per_beat + lane]
            best = Const(0, 1) if operation == "sum" else Const(dtype.max if smallest else dtype.min, signed(34))
            for beat in beats:
                value = number(dtype, lanes(beat, dtype.bits)[lane])
                if operation == "sum":
                    best = best + Mux(beat.skip, 0, value)
                else:
                    better = value < best if smallest else value > best
                    best = Mux(~beat.skip & better, value, best)
            found.append(storage(out, best))
        return found, {"last": k == chunks - 1}

    spec = Spec(
        {"i": taps * chunks}, {"o": chunks}, expected, hang_cycles=2, i_last=lambda name, k: k % taps == taps - 1,
        legal=lambda name, payload: legal_codes(dtype, payload.data),
    )  # fmt: skip
    sizes = f"{operation} of {taps} {dtype}, {lanes_per_beat} of {len(minimum)} channels per beat"
    return StreamCase(
        "Pool", sizes,
        lambda: Pool(dtype, lanes_per_beat, chunks, operation=operation, minimum=minimum, out_dtype=out), spec, depth,
        covers=(units.Pool,), fast=fast,
    )  # fmt: skip


def label(width, scales, biases, per_beat, depth, kind="registers"):
    """Case of `LabelSelect`: the first of the highest scores."""
    classes, affine = len(scales), any(scale != 1 for scale in scales) or any(biases)
    beats = -(-classes // per_beat)

    def expected(name, k, seen):
        fields = {"last": k == beats - 1}
        if k == beats - 1:
            elements = [e for beat in seen["i"] for e in lanes_of_sums(beat, width)][:classes]
            scores = [s * e + b for s, e, b in zip(scales, elements, biases, strict=True)]
            best, index = scores[0], Const(0, 2)
            for c, score in enumerate(scores[1:], 1):
                index, best = Mux(score > best, c, index), Mux(score > best, score, best)
            fields.update(label=index, error=seen["status"][0])
        return [Value.cast(seen["i"][k].data)], fields

    spec = Spec(
        {"i": beats, "status": 1}, {"o": beats}, expected, hang_cycles=6, i_last=lambda name, k: k == beats - 1
    )  # fmt: skip
    return StreamCase(
        "LabelSelect", f"{classes} classes of {width} bits, {per_beat} per beat, scales {scales}" + ", in a memory" * (kind != "registers"),
        lambda: LabelSelect(width, classes, per_beat, affine=affine, scales=scales, biases=biases, kind=kind), spec,
        depth,
        covers=(units.LabelSelect,),
    )  # fmt: skip


UINT2, INT3 = DataType("uint", 2), DataType("int", 3)

CASES = [
    add((BIPOLAR, TERNARY), (1, -2), DataType("int", 3)),
    add((UINT2, UINT2), (3, 1), DataType("uint", 4)),
    add((DataType("int", 31), DataType("int", 31)), (1, -1), DataType("int", 32)),
    add((INT3, TERNARY), ([1, -2, 0, 3], 2), DataType("int", 6)),
    concat((BIPOLAR, TERNARY, UINT2), INT3),
    concat((BIPOLAR, DataType("uint", 31), DataType("int", 32)), DataType("int", 32)),
    difference(TERNARY, [1, 0, -1, 2], [1, -1, -1, 1], 4),
    difference(DataType("int", 32), [3, -1], [1, -1], 34),
    thresholds([[[0], [0]], [[0], [0]]], [2, 1], 2, 1, 8, fast=True),
    thresholds([[[0, 2, 2], [0, 0, 7]], [[0, 1, 5], [0, 3, 4]]], [2, 0, 3, 1], 2, 1, 9, fast=True),
    thresholds([[[0, 5, 1 << 31]]], [0, 1, 2, 3], 2, 1, 10, width=32),
    thresholds([[[0, 1, 3, 6, 6]], [[0, 0, 2, 4, 7]]], [3, 4, 5, 6, 7, 0], 3, 1, 16),
    table([[[1, 0], [0, 1]], [[1, 1], [0, 0]]], 1, 8),
    table([[[2, 1, 0, 1, 3]], [[0, 5, 7, 6, 4]], [[4, 0, 3, 0, 4]]], 3, 12),
    table([[[2, 1, 0, 1, 3]], [[0, 5, 7, 6, 4]]], 3, 10, memory="block"),
    scale(INT3, ScaleContents([], [[2, -1]], [], [-3], [4], 0, 1), pe=2, shift=2, even=True, fast=True),
    scale(INT3, ScaleContents([[5, -7]], [[6, -3]], [], [-3, -2], [4, 5], 1, -1), pe=1, shift=1, multiplier="hard"),
    scale(
        UINT2, ScaleContents([[1, 4], [7, -2]], [[0, 5], [3, 9]], [[2, 1]], [0], [7], 0, 1), pe=2, shift=1, fast=True
    ),
    pool(BIPOLAR, "max", 3, [False, True], BIPOLAR, lanes_per_beat=2, depth=12, fast=True),
    pool(TERNARY, "max", 2, [True, False], TERNARY, lanes_per_beat=1, depth=12),
    pool(INT3, "max", 2, [False, True], INT3, lanes_per_beat=1, depth=12),
    pool(UINT2, "sum", 3, [False], DataType("uint", 4), lanes_per_beat=1, depth=12),
    pool(DataType("int", 31), "sum", 2, [False], DataType("int", 32), lanes_per_beat=1, depth=10),
    pool(DataType("int", 32), "max", 2, [True], DataType("int", 32), lanes_per_beat=1, depth=8),
    label(3, [1, 1, 1], [0, 0, 0], 1, 12),
    label(2, [1, 1, 1], [0, 0, 0], 2, 12),
    label(2, [1, -2, 3], [0, 1, -1], 1, 12),
    label(2, [1, 1, 1], [0, 0, 0], 2, 12, kind="block"),
]

"""The engine's array: rows by pixels of PEs, with the weight cache of each row beside it."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from bnnhw.arithmetic.weight_coding import MatchCoding
from bnnhw.gateware.engine.pe import EnginePE
from bnnhw.gateware.memory import ram_attributes

# What a slot asks of the array, in the order of the stages that need it.
FIRST_STAGE = ("count", "own", "add", "double")
SECOND_STAGE = ("first",)
THIRD_STAGE = ("toggle", "below", "fresh", "emit")
CONTROLS = (*FIRST_STAGE, *SECOND_STAGE, *THIRD_STAGE)


class EngineArray(wiring.Component):
    """PEs that share words: all pixels of a row the weights, all rows of a pixel the activations.

    Parameters
    ----------
    lanes : int
        Bits of a word, and rows.
    pixels : int
        PEs of a row.
    weights : int
        Words of each row's cache.
    banks : int
        Caches that are filled at once.
    width : int
        Bits of a PE's sum.
    family : str
        As of `Popcount`.

    Members
    -------
    word : In(range(weights))
        Place of the weights' words.
    controls : In, a bit for each of `CONTROLS`
        Of the same slot as `word`.
    x : In, a word for each pixel
        What is read, a cycle after `word`.
    o : Out, a word for each pixel
        The rows' bits.
    fill : In(1), fill_word : In(range(weights)), fill_part : In(range(lanes // banks)), fill_data : In(banks * lanes)
        Writes one word to each of the caches of `banks` rows, those of the part.

    Timing
    ------
    A slot per cycle; its bits are in `o` five cycles later.
    """

    def __init__(self, lanes, pixels, weights, banks, width, *, family):
        self._lanes = lanes
        self._pixels = pixels
        self._weights = weights
        self._banks = banks
        self._width = width
        self._family = family
        self._coding = MatchCoding.of(lanes, family, spare=False)
        super().__init__(
            {
                "word": In(range(weights)),
                "controls": In(data.StructLayout(dict.fromkeys(CONTROLS, 1))),
                "x": In(data.ArrayLayout(lanes, pixels)),
                "o": Out(data.ArrayLayout(lanes, pixels)),
                "fill": In(1),
                "fill_word": In(range(weights)),
                "fill_part": In(range(lanes // banks)),
                "fill_data": In(data.ArrayLayout(lanes, banks)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The activations get a register of their own, and the weights are read a cycle later instead.
        word = Signal.like(self.word, reset_less=True)
        m.d.sync += word.eq(self.word)
        plain = Signal(data.ArrayLayout(self._lanes, self._pixels), reset_less=True)
        coded = Signal(data.ArrayLayout(self._lanes, self._pixels), reset_less=True)
        for pixel in range(self._pixels):
            m.d.sync += [
                plain[pixel].eq(self.x[pixel]),
                coded[pixel].eq(Cat(self._coding.activations(list(self.x[pixel])))),
            ]
        rows = [self._cache(m, row, word) for row in range(self._lanes)]
        stages = self._stages(m)
        for row, weights in enumerate(rows):
            for pixel in range(self._pixels):
                m.submodules[f"pe_{row}_{pixel}"] = pe = EnginePE(self._lanes, self._width, family=self._family)
                pairs = zip(coded[pixel], weights, strict=True)
                m.d.comb += [
                    pe.x.eq(Cat(bit for pair in pairs for bit in pair)),
                    pe.own.eq(Cat(plain[pixel][row], weights[0])),
                    pe.number.eq(weights),
                    pe.count.eq(stages[0].count),
                    pe.lane.eq(stages[0].own),
                    pe.add.eq(stages[0].add),
                    pe.double.eq(stages[0].double),
                    *(getattr(pe, name).eq(stages[1][name]) for name in SECOND_STAGE),
                    *(getattr(pe, name).eq(stages[2][name]) for name in THIRD_STAGE),
                    self.o[pixel][row].eq(pe.o),
                ]
        return m

    def _cache(self, m, row, word):
        """The weights' word of a row."""
        m.submodules[f"cache_{row}"] = cache = Memory(
            shape=self._lanes, depth=self._weights, init=[], attrs=ram_attributes("block") | {"no_rw_check": 1}
        )
        write, read = cache.write_port(), cache.read_port(domain="sync")
        m.d.comb += [
            write.en.eq(self.fill & (self.fill_part == row // self._banks)),
            write.addr.eq(self.fill_word),
            write.data.eq(self.fill_data[row % self._banks]),
            read.addr.eq(word),
            read.en.eq(1),
        ]
        return read.data

    def _stages(self, m):
        """The controls as each stage of a PE needs them: those of its first stage two cycles after the slot."""
        held, now = [], self.controls
        for k in range(4):
            after = Signal.like(self.controls, name=f"controls{k}")
            m.d.sync += after.eq(now)
            now = after
            held.append(after)
        return held[1:]

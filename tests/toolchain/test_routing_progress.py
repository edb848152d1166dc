"""What nextpnr prints, in words."""

from __future__ import annotations

import pytest

from bnnhw.toolchain.routing_progress import Routes, meaning

# As nextpnr 0.11.1 prints them.
PRINTED = [
    ("Info: Packing LUT-FFs..\n", "packing"),
    ("Info:     at initial placer iter 3, wirelen = 1846\n", "placing, first pass 3: wire length 1,846"),
    (
        "Info:     at iteration #11, type ALL: wirelen solved = 6673, spread = 15654, legal = 26885; time = 1.14s\n",
        "placing, iteration 11: wire length 26,885",
    ),
    (
        "Info:     at iteration #2, type TRELLIS_COMB: wirelen solved = 18, spread = 32, legal = 3259; time = 0.04s\n",
        "placing, iteration 2: wire length 3,259",
    ),
    ("Info: iter=99 steplen=0.446682 a=51.481823 penalty=[0.03, 0.03, 0.03, 0.03]\n", "placing, iteration 99"),
    (
        "Info:   at iteration #28: temp = 0.000000, timing cost = 1043, wirelen = 16280 \n",
        "refining, iteration 28: wire length 16,280",
    ),
    ("Info:     iter=4 wires=6417 overused=168 overuse=168 archfail=NA\n", "routing, iteration 4: overused wires 168"),
    ("Info: Routing 13298 arcs.\n", "routing: connections left 13,298"),
    (
        "Info:      21000 |     5642      14501 |  220   770 |       718|       2.11      42.11|\n",
        "routing, iteration 21,000: connections left 718",
    ),
    ("Info:    IterCnt |  w/ripup   wo/ripup |  w/r  wo/r |      arcs| batch(sec) total(sec)|\n", None),
    ("Info: [ 22714,  25581) |*+\n", None),
    ("Warning: Packing of nothing\n", None),
]


@pytest.mark.parametrize(("line", "words"), PRINTED)
def test_lines(line: str, words: str | None) -> None:
    assert meaning(line) == words


def test_one_route_and_several() -> None:
    told: list[str] = []
    with Routes(told.append, 1).route(7) as heard:
        heard("Info: Packing IOs..\n")
        heard("Info: nothing of this kind\n")
    routes = Routes(told.append, 3)
    with routes.route(2) as second:
        with routes.route(1) as first:
            second("Info: Packing IOs..\n")
            first("Info: Routing 13298 arcs.\n")
        second("Info: Routing 13 arcs.\n")
    assert told == [
        "packing",
        "seed 2 packing",
        "seed 1 routing: connections left 13,298; seed 2 packing",
        "1 of 3 done; seed 2 routing: connections left 13",
    ]

import json

import numpy as np
import pytest

from bnnhw.arithmetic.formats import BIPOLAR, TERNARY, DataType
from bnnhw.dataflow import area, digest, estimate, load_folding, load_plan, make_plan, measure
from bnnhw.dataflow.pipeline import pipeline
from bnnhw.errors import InputError, PlanError
from bnnhw.files import write_text
from bnnhw.parts import PARTS
from bnnhw.units.memories import block_rams
from campaigns.random_networks import random_network, random_plan

UP5K = PARTS["ice40-up5k"]


def network(*sizes, weight=BIPOLAR, x=BIPOLAR, activation=BIPOLAR):
    return random_network(np.random.default_rng(1), list(sizes), weight=weight, x=x, activation=activation)


def test_as_fast_as_fits():
    net = network(784, 64, 64, 64, 10)
    plan = make_plan(net, UP5K)
    assert measure(plan, net).interval <= 160
    used = estimate(plan, net)["utilization"]
    assert all(entry["used"] <= entry["available"] for entry in used.values())


def test_frames_share_weights_where_block_ram_is_the_bound():
    net = network(784, 64, 64, 64, 10)
    shared, single = (
        make_plan(net, UP5K, folding=folding) for folding in (None, {layer.name: {"batch": 1} for layer in net.layers})
    )
    assert max(layer.batch for layer in shared.layers) > 1
    assert measure(shared, net).interval < 0.75 * measure(single, net).interval
    used = estimate(shared, net)["utilization"]
    assert all(entry["used"] <= entry["available"] for entry in used.values())


def test_frames_do_not_share_weights_in_vain():
    """On a part with block RAM to spare, it costs LUTs and latency, and gains nothing."""
    net = network(64, 32, 10)
    assert [layer.batch for layer in make_plan(net, PARTS["ecp5-85f"], fps=300_000).layers] == [1, 1]


def test_target_takes_fewer_luts_than_speed():
    net = network(64, 64, 10)
    slow, fast = (make_plan(net, UP5K, fps=fps, clock_mhz=12) for fps in (10_000, None))
    luts = [estimate(plan, net)["utilization"]["lut4"]["used"] for plan in (slow, fast)]
    assert luts[0] < luts[1]
    assert measure(slow, net).interval <= 1200


@pytest.mark.parametrize("fps", [2_000, 50_000, 300_000])
def test_target_is_kept(fps):
    net = network(64, 32, 10, weight=TERNARY, activation=TERNARY)
    plan = make_plan(net, PARTS["ice40-hx8k"], fps=fps, clock_mhz=48)
    assert measure(plan, net).interval <= 48e6 / fps


def test_user_folding_is_kept():
    net = network(64, 32, 10)
    plan = make_plan(net, UP5K, folding={"fc0": {"pe": 3, "simd": 7, "weight_memory": "lut"}})
    assert (plan.layers[0].pe, plan.layers[0].simd, plan.layers[0].weight_memory) == (3, 7, "lut")


def test_constant_weights_where_asked_for():
    net = network(256, 32, 32, 10)  # more weights in the first layer than the part's LUTs hold
    plan = make_plan(net, UP5K, board="icebreaker", folding={"fc1": {"weight_memory": "logic"}})
    assert [layer.weight_memory == "logic" for layer in plan.layers] == [False, True, False]
    assert (plan.layers[1].pe, plan.layers[1].simd) == (32, 32)


@pytest.mark.parametrize(("cycles", "lanes"), [(1, 10), (2, 5), (5, 2), (9, 2), (10, 1)])
def test_constant_weights_where_there_is_no_time(cycles, lanes):
    """Down to a cycle per inference; the output is as wide as it has to be."""
    net = network(64, 32, 10)
    plan = make_plan(net, PARTS["ecp5-85f"], fps=100e6 / cycles, clock_mhz=100)
    assert measure(plan, net).interval <= cycles
    assert plan.output_lanes >= lanes
    assert plan.output_frames.beats <= cycles
    assert all(layer.weight_memory == "logic" for layer in plan.layers) or cycles > 1


def test_plan_file_feeds_back(tmp_path):
    net = network(64, 32, 10)
    plan = make_plan(net, UP5K)
    write_text(tmp_path / "plan.json", plan.to_json())
    assert load_plan(tmp_path / "plan.json") == plan
    again = make_plan(net, UP5K, folding=load_folding(tmp_path / "plan.json"))
    assert again.layers == plan.layers
    assert again.digest == plan.digest == digest(net, plan)


@pytest.mark.parametrize(
    ("folding", "message"),
    [
        ({"fc9": {"pe": 1}}, "no layer 'fc9' in model random, did you mean fc1\\? it has fc0, fc1"),
        ({"fc0": {"pe": 33}}, "layer fc0: pe must be 1 to 32, not 33"),
        ({"fc0": {"simd": 0}}, "layer fc0: simd must be 1 to 64, not 0"),
        ({"fc0": {"pe": True}}, "pe must be"),
        ({"fc0": {"pe": "4"}}, "pe must be"),
        ({"fc0": {"weight_memory": "disk"}}, "weight_memory must be block, lut, logic or spram, not 'disk'"),
        ({"fc0": {"buffer_memory": "logic"}}, "buffer_memory must be block or lut, not 'logic'"),
        (
            {"fc0": {"weight_memory": "logic", "pe": 3}},
            "layer fc0: weight_memory logic is for a whole matrix: pe must be 32, simd 64 and batch 1",
        ),
        ({"fc0": {"weight_memory": "logic", "batch": 2}}, "pe must be 32, simd 64 and batch 1, or take another memory"),
        ({"fc0": {"batch": 9}}, "layer fc0: batch must be 1 to 8, not 9"),
        ({"fc0": {"batch": True}}, "layer fc0: batch must be 1 to 8, not True"),
        ({"fc0": {"popcount_levels": 0}}, "popcount_levels must be null or 1 and more, not 0"),
    ],
)
def test_bad_foldings(folding, message):
    with pytest.raises(PlanError, match=message):
        make_plan(network(64, 32, 10), UP5K, folding=folding)


def test_too_large():
    with pytest.raises(PlanError, match="does not fit ice40-hx1k"):
        make_plan(network(784, 512, 512, 10), PARTS["ice40-hx1k"])


def test_too_fast():
    net = network(64, 32, 10)
    with pytest.raises(PlanError, match="less than a cycle per inference"):
        make_plan(net, UP5K, fps=1e9, clock_mhz=12)
    with pytest.raises(PlanError, match="no folding reaches|does not fit"):
        make_plan(network(784, 64, 10), UP5K, fps=6e6, clock_mhz=12)
    with pytest.raises(PlanError, match="--fps must be a positive number"):
        make_plan(net, UP5K, fps=-1)
    with pytest.raises(PlanError, match="--clock-mhz must be above 0 and at most 400, not nan"):
        make_plan(net, UP5K, clock_mhz=float("nan"))
    with pytest.raises(PlanError, match=r"--clock-mhz must be above 0 and at most 400, not 1e\+09"):
        make_plan(net, UP5K, clock_mhz=1e9)
    with pytest.raises(
        PlanError, match=r"--fps 1e\+30 at 12 MHz is less than a cycle per inference: ask for at most 12,000,000"
    ):
        make_plan(net, UP5K, fps=1e30, clock_mhz=12)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"schema": 99}', '{"schema": 1}', '{"schema": 1, "layers": [{"x": 1}]}']
)
def test_damaged_plan_files(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"plan\.json"):
        load_plan(path)


def test_estimate_is_plain_json():
    net = network(64, 32, 10, x=DataType("uint", 4))
    assert json.loads(json.dumps(estimate(make_plan(net, UP5K, board="icebreaker"), net)))["board"] == "icebreaker"


@pytest.mark.parametrize(
    ("width", "depth", "count"), [(16, 256, 1), (17, 256, 2), (16, 257, 2), (2, 2048, 1), (4, 1024, 1), (320, 157, 20)]
)
def test_block_rams_of_ice40(width, depth, count):
    assert block_rams(UP5K, width, depth) == count


def test_every_feature_has_a_coefficient():
    rng = np.random.default_rng(2)
    for k in range(20):
        net = random_network(
            rng, [8, 6, 4], weight=TERNARY, x=DataType("uint", 2), activation=DataType("uint", 4), affine=True
        )
        plan = random_plan(rng, net, memory=("lut", "block")[k % 2])
        for family in ("ice40", "ecp5"):
            assert set(area.features_of(stage.unit for stage in pipeline(plan, net))) <= set(area.coefficients(family))

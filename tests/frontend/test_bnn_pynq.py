"""BNN-PYNQ parameter folders: the published ones, others made on the spot, and damaged ones."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import bnnhw
from bnnhw import reference
from bnnhw.arithmetic.formats import BIPOLAR, TERNARY
from bnnhw.cli import main
from bnnhw.errors import InputError, ModelError
from bnnhw.frontend import container, inspect, load, load_bnn_pynq, load_qonnx, parameter_files
from bnnhw.frontend.memories import NETWORKS, Network, decode
from bnnhw.ir.graph import Graph
from bnnhw.ir.nodes import Conv, MatMul
from bnnhw.ir.spec import verify
from bnnhw.passes import to_integers
from tests.data import CNV, LFC, golden, shared
from tests.frontend.compare import assert_same_content

Files = dict[str, bytes]
Integers = NDArray[np.int64]
REAL = {"lfcW1A1": (LFC, "lfcW1A1_mnist"), "cnvW1A2": (CNV, "cnvW1A2_cifar10")}
BY_NAME = {network.name: network for network in NETWORKS}


# ---- the published folders ---------------------------------------------------------------------


def real(name: str) -> Path:
    folder, stem = REAL[name]
    return shared(f"{folder}/{stem}_params.tar.gz")


@pytest.mark.parametrize("name", REAL)
def test_published_files_are_decoded(name: str) -> None:
    folder, stem = REAL[name]
    expected = golden(f"{folder}/{stem}_decoded.npz")
    network, layers = decode(real(name))
    assert network.name == name
    found: dict[str, NDArray[np.integer]] = {f"L{k}_W": layer.weight for k, layer in enumerate(layers)}
    found |= {f"L{k}_T_ge": layer.thresholds for k, layer in enumerate(layers) if layer.thresholds is not None}
    assert found.keys() == {key for key in expected if not key.endswith("is_conv")}
    for key, array in found.items():
        np.testing.assert_array_equal(array, expected[key], key)


def test_published_lfc_is_the_qonnx_file() -> None:
    graph = verify(load_bnn_pynq(real("lfcW1A1")), "imported")
    assert_same_content(graph, load_qonnx(shared(f"{LFC}/lfcW1A1_mnist_qonnx.onnx.gz")))


def test_published_lfc_gives_the_golden_answers() -> None:
    expected = golden(f"{LFC}/golden_lfcW1A1_mnist.npz")
    graph = load_bnn_pynq(real("lfcW1A1"))
    found = reference.run_all(graph, expected["images_u8"].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(found["margin"], expected["margin"])
    for k in range(4):
        np.testing.assert_array_equal(found[f"layer{k}"], expected[f"acc{k}"])
    for k in range(3):
        np.testing.assert_array_equal(found[f"activation{k}"], expected[f"act{k}"])


def test_published_cnv_gives_the_golden_answers() -> None:
    expected = golden(f"{CNV}/golden_cnvW1A2_cifar10.npz")
    images = expected["images_u8_nhwc"][:8].transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    graph = verify(load_bnn_pynq(real("cnvW1A2")), "imported")
    found = reference.run_all(graph, images)
    np.testing.assert_array_equal(found["layer8"], expected["logits"][:8])
    for k in range(8):
        tensor = f"pool{k}" if k in (1, 3) else f"activation{k}"
        np.testing.assert_array_equal(found[tensor], expected[f"act{k}_first8_nhwc"])


@pytest.mark.parametrize("name", REAL)
def test_integers_of_published_networks_predict_as_the_golden_files(name: str) -> None:
    expected = golden(f"{REAL[name][0]}/golden_{REAL[name][1]}.npz")
    convolutional = name == "cnvW1A2"
    images = expected["images_u8_nhwc" if convolutional else "images_u8"][:4]
    inputs = (images.transpose(0, 3, 1, 2) if convolutional else images).astype(np.float32) / np.float32(255)
    found = reference.run(to_integers(load_bnn_pynq(real(name))), inputs)
    np.testing.assert_array_equal(found["outputs"], expected["logits" if convolutional else "margin"][:4])
    np.testing.assert_array_equal(found["prediction"], expected["pred" if convolutional else "pred_argmax_margin"][:4])


# ---- folders made on the spot ------------------------------------------------------------------


def columns(network: Network, layer: int) -> int:
    """Inputs of a layer that are not padding."""
    return 784 if network.matrices[layer] == (1024, 832) else network.matrices[layer][1]


@cache
def memories(name: str, classes: int = 10) -> tuple[tuple[Integers, Integers | None], ...]:
    """Random weights and threshold words of each layer, padded as the tools of BNN-PYNQ do it."""
    network, rng = BY_NAME[name], np.random.default_rng(5)
    padding = 1 if network.weight_bits == 1 else 0
    found: list[tuple[Integers, Integers | None]] = []
    for k, (mh, mw) in enumerate(network.matrices):
        weight = rng.choice([-1, 1] if network.weight_bits == 1 else [-1, 0, 1], (mh, mw)).astype(np.int64)
        weight[:, columns(network, k) :] = padding
        if k == network.last:
            weight[classes:] = padding
        if not network.thresholds(k):
            found.append((weight, None))
            continue
        # Near the middle of the sums, so that the activations are mixed.
        spread = int(np.sqrt(mw)) * (256 if network.convolutional and k == 0 else 1)
        words = np.sort(rng.integers(-spread, spread, (mh, network.thresholds(k))), axis=1)
        if network.counts_equal_bits(k):
            words = (words + columns(network, k)) // 2
        elif columns(network, k) < mw:
            words -= mw - columns(network, k)
        found.append((weight, words))
    return tuple(found)


def packed(network: Network, layer: int, weight: Integers) -> Integers:
    """The words (neurons, words of each) of a layer's weights, first lane in the low bits."""
    bits, simd = network.weight_bits, network.simd[layer]
    planes = [weight > 0] if bits == 1 else [weight & 1, (weight >> 1) & 1]
    lanes = np.stack(planes, axis=-1).reshape(len(weight), -1, simd * bits)
    padded = np.pad(lanes, ((0, 0), (0, 0), (0, 64 - simd * bits))).astype(np.uint8)
    return np.packbits(padded, axis=-1, bitorder="little").view("<i8")[..., 0]


@cache
def encoded(name: str, classes: int = 10) -> Files:
    """The files of a whole folder, without classes.txt."""
    network, files = BY_NAME[name], {}
    for k, (weight, thresholds) in enumerate(memories(name, classes)):
        words, pe = packed(network, k, weight), network.pe[k]
        for element in range(pe):
            files[f"{k}-{element}-weights.bin"] = words[element::pe].astype("<i8").tobytes()
            if thresholds is not None:
                files[f"{k}-{element}-thres.bin"] = thresholds[element::pe].astype("<i8").tobytes()
    return files


def folder(tmp_path: Path, files: Files) -> Path:
    place = tmp_path / "net"
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    return place


def archive(tmp_path: Path, files: Files, *, mode: str = "w:gz", place: str = "bnn/params/mnist/lfcW1A1/") -> Path:
    path = tmp_path / ("net.tar.gz" if mode == "w:gz" else "net.tar")
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in files.items():
            add(tar, place + name, content)
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(content))


def hardware(name: str, images: NDArray[np.uint8]) -> Integers:
    """What BNN-PYNQ's hardware computes from its memories, padding and all, for images (N, C, H, W)."""
    network = BY_NAME[name]
    if network.convolutional:
        x = np.minimum(np.floor((images / 127.5 - 1) * 128 + 0.5), 127).astype(np.int64).transpose(0, 2, 3, 1)
    else:
        bits = images.reshape(len(images), -1) >= 128
        x = np.where(np.pad(bits, ((0, 0), (0, 832 - 784))), 1, -1)  # the padding is zero bits
    for k, (weight, thresholds) in enumerate(memories(name)):
        if network.convolutional and k < 6:
            x = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)
            x = x.reshape(*x.shape[:3], -1)
        elif network.convolutional and k == 6:
            x = x.reshape(len(x), -1)
        sums = np.dot(x.astype(np.float64), weight.T.astype(np.float64)).astype(np.int64)
        if thresholds is None:
            return sums[:, :10]
        if network.counts_equal_bits(k):
            sums = (sums + weight.shape[1]) // 2
        elif network.convolutional and k == 0:
            sums *= 2  # seven fraction bits to eight
        count = (sums[..., None] > thresholds).sum(axis=-1)
        if k == network.last:
            return count[:, :10]
        x = 2 * count - 1 if network.activation_bits == 1 else count - 1
        if network.convolutional and k in (1, 3):
            n, height, width, channels = x.shape
            x = x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    raise AssertionError("the last layer returns")


@pytest.mark.parametrize("name", BY_NAME)
def test_written_folders_are_read_back(name: str, tmp_path: Path) -> None:
    path = folder(tmp_path, encoded(name))
    network, layers = decode(path)
    assert network.name == name
    last = len(layers) - 1
    for k, (layer, (weight, _)) in enumerate(zip(layers, memories(name), strict=True)):
        np.testing.assert_array_equal(layer.weight, weight[: 10 if k == last else None, : columns(network, k)])


@pytest.mark.parametrize("name", BY_NAME)
def test_written_folders_compute_as_the_hardware(name: str, tmp_path: Path) -> None:
    graph = verify(load_bnn_pynq(folder(tmp_path, encoded(name))), "imported")
    layers = [node for node in graph.nodes if isinstance(node, (Conv, MatMul))]
    assert {node.weight_dtype for node in layers} == {TERNARY if "W2" in name else BIPOLAR}
    shape = graph.tensors[graph.input].shape
    images = np.random.default_rng(6).integers(0, 256, (2, *shape), np.uint8)
    found = reference.run_all(graph, images.astype(np.float32) / np.float32(255))
    codes = found["activation2"]
    assert len(np.unique(codes)) == (2 if name.endswith("A1") else 3)
    expected = hardware(name, images)
    assert np.ptp(expected) > 0
    outputs = found["layer8"] if "cnv" in name else found["margin"] >= 0
    np.testing.assert_array_equal(outputs, expected)


def test_two_bit_weights_may_be_the_lowest(tmp_path: Path) -> None:
    files = dict(encoded("cnvW2A2"))
    words = np.frombuffer(files["8-0-weights.bin"], "<u8").copy()
    words[0] = 2
    graph = load_bnn_pynq(folder(tmp_path, files | {"8-0-weights.bin": words.tobytes()}))
    last = graph.nodes[-1]
    assert isinstance(last, MatMul)
    assert (last.weight[0, 0], str(last.weight_dtype)) == (-2, "int2")


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_archives_are_folders(mode: str, tmp_path: Path) -> None:
    files = encoded("lfcW1A1") | {"README.md": b"text", "._0-0-weights.bin": b"of another system"}
    from_folder = load_bnn_pynq(folder(tmp_path, files))
    assert_same_content(load_bnn_pynq(archive(tmp_path, files, mode=mode)), from_folder)
    assert_same_content(load_bnn_pynq(archive(tmp_path, files, mode=mode, place="./")), from_folder)


def outputs_of(graph: Graph) -> tuple[int, ...]:
    return graph.tensors[graph.outputs["outputs"]].shape


@pytest.mark.parametrize(("text", "classes"), [(b"a\r\nb\r\n\r\n", 2), (b"no entry\n" * 43, 43), (None, 10)])
def test_classes_are_those_with_a_name(text: bytes | None, classes: int, tmp_path: Path) -> None:
    named = {} if text is None else {"classes.txt": text}
    assert outputs_of(load_bnn_pynq(folder(tmp_path, encoded("lfcW1A1") | named))) == (classes,)


def test_classes_without_names_are_rows_before_the_padding(tmp_path: Path) -> None:
    assert outputs_of(load_bnn_pynq(folder(tmp_path, encoded("cnvW2A2", 43)))) == (43,)


def test_thresholds_may_be_cut_to_their_bits(tmp_path: Path) -> None:
    files = dict(encoded("cnvW1A2"))
    for name, content in files.items():
        if name.endswith("thres.bin"):
            mask = 0xFFFFFF if name.startswith("0-") else 0xFFFF
            files[name] = (np.frombuffer(content, "<i8") & mask).tobytes()
    (tmp_path / "other").mkdir()
    whole = load_bnn_pynq(folder(tmp_path / "other", encoded("cnvW1A2")))
    assert_same_content(load_bnn_pynq(folder(tmp_path, files)), whole)


def test_thresholds_of_cnvs_last_layer_are_not_read(tmp_path: Path) -> None:
    files = encoded("cnvW1A1") | {f"8-{element}-thres.bin": bytes(128) for element in range(4)}
    assert load_bnn_pynq(folder(tmp_path, files)).name == "cnvW1A1"


# ---- what a user names -------------------------------------------------------------------------


def test_verbs_take_folders_and_archives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path, encoded("lfcW1A2"))
    assert bnnhw.load(path).name == "net"
    assert bnnhw.load(archive(tmp_path, encoded("lfcW1A2"))).name == "net"
    found = bnnhw.check(path)
    assert (found["maps"], len(found["nodes"]), len(found["layers"])) == (True, 4, 4)
    assert found["nodes"][0]["becomes"] == "layer 0: 784 -> 1024, bipolar weights"
    assert main(["check", str(path)]) == 0
    assert "lfcW1A2" in capsys.readouterr().out


def test_convolutions_are_told(tmp_path: Path) -> None:
    rows = inspect(folder(tmp_path, encoded("cnvW2A2")))
    assert rows[1].becomes == "layer 1: 64 -> 64, 3x3, ternary weights, then max-pool 2x2"
    assert rows[8].becomes == "layer 8: 512 -> 10, ternary weights"


def test_folder_of_something_else_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without a plan.json or a 0-0-weights.bin"):
        bnnhw.load(tmp_path)


# ---- what is refused ---------------------------------------------------------------------------


def cut(content: bytes) -> bytes:
    return content[:100]


def wide_weight(content: bytes) -> bytes:
    return (256).to_bytes(8, "little") + content[8:]


def wide_threshold(content: bytes) -> bytes:
    return (1 << 16).to_bytes(8, "little") + content[8:]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "2-5-weights.bin",
            cut,
            "lfcW1A1, the nearest, 1 files do not fit.*\n.*2-5-weights.bin: has 100 bytes, not 4096",
        ),
        ("0-0-thres.bin", cut, "0-0-thres.bin: has 100 bytes, not 256"),
        ("1-63-thres.bin", None, "1-63-thres.bin: missing"),
        ("3-15-weights.bin", None, "3-15-weights.bin: missing"),
        ("3-2-weights.bin", wide_weight, "3-2-weights.bin holds words of more than the 8 bits of lfcW1A1"),
        ("1-2-thres.bin", wide_threshold, "1-2-thres.bin holds thresholds of more than 16 bits"),
    ],
)
def test_damaged_file_is_named(
    name: str, change: Callable[[bytes], bytes] | None, message: str, tmp_path: Path
) -> None:
    files = dict(encoded("lfcW1A1"))
    content = files.pop(name)
    if change is not None:
        files[name] = change(content)
    with pytest.raises(ModelError, match=message):
        load_bnn_pynq(folder(tmp_path, files))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"9-0-weights.bin": b""}, "9-0-weights.bin: belongs to no layer or processing element of lfcW1A1"),
        ({"0-32-thres.bin": b""}, "0-32-thres.bin: belongs to no layer"),
        ({"classes.txt": b"\n"}, "classes.txt names 0 classes, not 1 to 64"),
        ({"classes.txt": b"a\n" * 65}, "classes.txt names 65 classes"),
        ({"classes.txt": bytes(2 << 20)}, "classes.txt has 2097152 bytes, more than any"),
    ],
)
def test_foreign_file_is_named(more: Files, message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message):
        load_bnn_pynq(folder(tmp_path, encoded("lfcW1A1") | more))


def test_another_network_is_refused_in_few_lines(tmp_path: Path) -> None:
    files = {name: content for name, content in encoded("cnvW1A1").items() if name < "4"}
    with pytest.raises(ModelError, match="lfcW1A1, lfcW1A2, cnvW1A1, cnvW1A2, cnvW2A2.*cnvW1A1, the nearest") as caught:
        load_bnn_pynq(folder(tmp_path, files))
    assert len(caught.value.problems) == 9
    assert caught.value.problems[-1] == "and 10 files more"


def test_folder_without_parameters_is_refused(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("a\nb\n")
    with pytest.raises(ModelError, match="holds no BNN-PYNQ parameters"):
        load(tmp_path)


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "0-0-weights.bin").mkdir()
    with pytest.raises(ModelError, match="0-0-weights.bin: cannot be read"):
        load(tmp_path)


ENTRY = "a/0-0-weights.bin"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "holds no BNN-PYNQ parameters"),
        ([(ENTRY, b"", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"})], f"{ENTRY} is a link"),
        ([("a/x", b"", {"type": tarfile.LNKTYPE, "linkname": "a/y"})], "a/x is a link"),
        ([(ENTRY, b"", {"type": tarfile.CHRTYPE})], f"{ENTRY} is a link, or something else than a plain file"),
        ([(ENTRY, b"", {"type": tarfile.GNUTYPE_SPARSE})], f"{ENTRY} is a link, or something else than a plain file"),
        ([(ENTRY, bytes((1 << 20) + 1), {})], f"{ENTRY} has 1048577 bytes, more than any"),
        ([(ENTRY, b"", {}), ("b/0-0-thres.bin", b"", {})], "more than one folder .a and b."),
        ([(ENTRY, b"", {}), (ENTRY, b"", {})], f"holds {ENTRY} twice"),
        ([("../../0-0-weights.bin", b"", {})], "0-0-weights.bin: has 0 bytes"),
    ],
)
def test_archives_that_are_refused(
    entries: list[tuple[str, bytes, dict[str, object]]], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content, fields in entries:
            add(tar, name, content, **fields)
    with pytest.raises(ModelError, match=message):
        load(path)
    assert [file.name for file in tmp_path.iterdir()] == ["bad.tar.gz"]


def test_archive_that_ends_in_a_member_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, encoded("lfcW1A1"), mode="w")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ModelError, match="net.tar: no tar archive, or a damaged one .unexpected end of data."):
        load(path)


@pytest.mark.parametrize("content", [b"", b"no archive at all" * 100, b"\x1f\x8b damaged"])
def test_what_is_no_archive_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.tar"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="net.tar: (no tar archive|cannot be read|holds no BNN-PYNQ)"):
        load(path)


def test_archives_have_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path, {"README": bytes(100_000)})
    monkeypatch.setattr(container, "MAX_BYTES", 50_000)
    with pytest.raises(ModelError, match="unpacks to more than"):
        load(path)


def test_damage_anywhere_in_an_archive_is_a_model_error(tmp_path: Path) -> None:
    plain = archive(tmp_path, {"0-0-weights.bin": b"12345678", "0-0-thres.bin": b"12345678"}, mode="w").read_bytes()
    rng = np.random.default_rng(7)
    path = tmp_path / "bad.tar"
    for _ in range(200):
        content = np.frombuffer(plain, np.uint8)[: rng.integers(1, 3000)].copy()
        content[rng.integers(0, len(content), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(content.tobytes())
        with pytest.raises(ModelError):
            parameter_files.read(path)
            load(path)

"""Model files in executors that share no code with bnnhw: onnxruntime, or qonnx where a file has its operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from bnnhw.errors import ToolError
from bnnhw.extras import install

Array = NDArray[Any]
Tensors = dict[str, Array]

STANDARD = ("", "ai.onnx")
ERRORS = 3  # onnxruntime's level of messages


def executor(model: onnx.ModelProto, wanted: Sequence[str], where: str) -> Callable[[Array], Tensors]:
    """A function of one sample, without its batch axis, that gives the tensors `wanted`, each with a batch axis of 1.

    A file of standard operators runs in onnxruntime, any other one node by node in qonnx's executor.

    Parameters
    ----------
    where
        The file, for errors.

    Raises
    ------
    ToolError
        If an executor is not installed, or refuses the file.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(model)
    source = batched(proto)
    count = source.type.tensor_type.shape.dim[0].dim_value
    element = onnx.helper.tensor_dtype_to_np_dtype(source.type.tensor_type.elem_type)
    own = {function.domain for function in proto.functions}
    called = [*proto.graph.node, *(node for function in proto.functions for node in function.node)]
    plain = all(node.domain in own or node.domain in STANDARD for node in called)
    run = _guarded(where, lambda: (_onnxruntime if plain else _qonnx)(proto, source.name, wanted))

    def tensors(sample: Array) -> Tensors:
        # A file of a fixed batch gets the sample for all of it, and answers for the first.
        whole = np.ascontiguousarray(np.broadcast_to(sample.astype(element)[None], (count, *sample.shape)))
        found = _guarded(where, lambda: run(whole))
        return {name: np.asarray(found[name])[: len(found[name]) // count or 1] for name in wanted}

    return tensors


def batched(proto: onnx.ModelProto) -> onnx.ValueInfoProto:
    """The one input of `proto`; a batch axis without a size becomes one of 1."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    source = next(value for value in proto.graph.input if value.name not in constants)
    batch = source.type.tensor_type.shape.dim[0]
    if not batch.dim_value:
        batch.dim_value = 1
    return source


def qonnx_model(proto: onnx.ModelProto) -> Any:
    """What qonnx's executor takes: it wants all shapes, and no functions of the file's own. (qonnx's own clean-up would
    rename the tensors.)

    Raises
    ------
    ImportError
        If qonnx is not installed.
    """
    from onnx.inliner import inline_local_functions
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.infer_shapes import InferShapes

    model: Any = ModelWrapper(inline_local_functions(proto) if proto.functions else proto)
    for step in (InferShapes(), FoldConstants(), InferShapes()):
        model = model.transform(step)
    return model


def _guarded(where: str, action: Callable[[], Any]) -> Any:
    """What `action` gives; whatever it raises is a `ToolError`."""
    try:
        return action()
    except ImportError as error:
        raise ToolError(f"{where}: running it needs onnxruntime and qonnx ({error}): {install('quantize')}") from None
    except Exception as error:  # whatever a file makes a third party's executor raise
        reason = " ".join((str(error) or repr(error)).split())[:200]
        raise ToolError(f"{where}: cannot be executed: {reason}") from None


def _onnxruntime(proto: onnx.ModelProto, source: str, wanted: Sequence[str]) -> Callable[[Array], Tensors]:
    import onnxruntime

    outputs = {source, *(value.name for value in proto.graph.output)}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in outputs)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS
    options.intra_op_num_threads = 1  # sums in one order, whatever the machine
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    made = [name for name in wanted if name != source]

    def run(values: Array) -> Tensors:
        found = session.run(made, {source: values}) if made else []
        return {source: values, **dict(zip(made, found, strict=True))}

    return run


def _qonnx(proto: onnx.ModelProto, source: str, wanted: Sequence[str]) -> Callable[[Array], Tensors]:
    from qonnx.core.onnx_exec import execute_onnx

    model = qonnx_model(proto)

    def run(values: Array) -> Tensors:
        context = execute_onnx(model, {source: values}, return_full_exec_context=True)
        return {name: np.asarray(context[name]) for name in wanted}

    return run

"""One recipe for each published family of binary and few-bit networks: ``python -m models.families NAME``.

A family is a file in ``recipes/``: its idea, its paper, and what is particular to it. The rest is shared: layers that
train in torch and write themselves as ONNX (`layers`, `weights`, `activations`), one training loop (`training`), one
writer (`writer`), one measurement in an executor that is not ours (`golden`). Needs the extra ``train``.
"""

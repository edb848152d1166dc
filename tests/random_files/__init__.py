"""Random QONNX files, and a judge who holds what the tool makes of them against qonnx's executor.

Every file comes from one number. `generator` makes it, from `quantisers`, `affine`, `layers`, `windows`, `layouts`, `branches` and
`endings`; `inputs` exercises it; `judge` gives a verdict, for which `executor` computes what is right and `intervals` what
rounding may change. `python -m tests.random_files` tries as many as wanted.
"""

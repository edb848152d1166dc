"""Model file -> Graph. QONNX is the one format so far."""

from __future__ import annotations

from bnnhw.frontend.importer import Row, inspect, load_qonnx

__all__ = ["Row", "inspect", "load_qonnx"]

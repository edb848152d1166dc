"""Overlay: one engine for all networks, programmed at run time (docs/overlay.md)."""

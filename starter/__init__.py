"""Renders 3-D heads into labelled clips of faces, from which the starter model learns. See docs/starter.md."""

"""A model as files for other programs: ONNX, transformers, sentence-transformers."""

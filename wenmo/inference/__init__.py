"""The forward pass: batches, devices and precisions, BERT itself."""

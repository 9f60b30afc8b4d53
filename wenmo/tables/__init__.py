"""Tables on disk, in any format: readers, writers, encodings, delimiters, and which column holds what."""

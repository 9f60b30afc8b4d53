"""Files of rows, whatever their format: readers, writers, encodings, and which column is which."""

"""What was saved, told in six steps from measured results: figures, sentences, drawing and one file to hand on."""

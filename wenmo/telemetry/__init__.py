"""What the process does and uses: memory of the process and of each GPU, events, histograms of durations."""

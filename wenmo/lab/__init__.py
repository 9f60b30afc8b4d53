"""What a configuration costs in memory and time: predicted, measured, compared, reported."""

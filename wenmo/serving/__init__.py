"""What many concurrent users of one engine need: a cache, a scheduler, cancellation."""

"""Search among vectors: the nearest ones, texts near to an earlier one, groups; and an index of texts that is kept.

Nothing here runs a model: vectors come in, indices and cosines go out. `Engine.search` and its kin join the two.
"""

from wenmo.search.index import Index

__all__ = ["Index"]

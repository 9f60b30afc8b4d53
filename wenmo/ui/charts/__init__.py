"""Charts, drawn by Plotly in one style: the larger a value, the denser its ink.

The browser fills in the colours of Streamlit's theme (chartCategoricalColors and its like in config.toml), so that a
chart follows the switch between light and dark without a rerun. Here only opacities are set.

Plotly reads some HTML (<b>, <br>, <a href>) in every text that it draws; `escape` makes a user's text literal.
Nothing in here imports Streamlit or another part of `wenmo.ui`.
"""

from wenmo.ui.charts.bars import bars, count_bars, padding, speeds, waterfall
from wenmo.ui.charts.figure import BARS_SHOWN, CONFIG, LABELS_SHOWN, LINE_COLUMNS, VALUES_SHOWN, escape, one_line
from wenmo.ui.charts.ink import ink_text
from wenmo.ui.charts.maps import alignment_map, confusion, fit_map, ink_map
from wenmo.ui.charts.spreads import confidence_histogram, histogram, shares, spreads
from wenmo.ui.charts.tiles import TILES_SHOWN, tiles
from wenmo.ui.charts.training import curves, intervals

__all__ = [
    "BARS_SHOWN",
    "CONFIG",
    "LABELS_SHOWN",
    "LINE_COLUMNS",
    "TILES_SHOWN",
    "VALUES_SHOWN",
    "alignment_map",
    "bars",
    "confidence_histogram",
    "confusion",
    "count_bars",
    "curves",
    "escape",
    "fit_map",
    "histogram",
    "ink_map",
    "ink_text",
    "intervals",
    "one_line",
    "padding",
    "shares",
    "speeds",
    "spreads",
    "tiles",
    "waterfall",
]

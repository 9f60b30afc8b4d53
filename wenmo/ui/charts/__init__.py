"""Charts: one Plotly template for all, where the density of the ink is the weight of the thing.

Colours are left to Streamlit's theme (chartCategoricalColors, chartSequentialColors in config.toml), which the browser
puts in: a chart then follows the switch between light and dark without a rerun. Only the opacity of a bar is set here.

Plotly reads a little HTML (<b>, <br>, <a href>) in every text that it draws; `escape` makes what users typed literal.
"""

from wenmo.ui.charts.bars import bars, count_bars, mean_bars, padding, speeds, waterfall
from wenmo.ui.charts.figure import BARS_SHOWN, CONFIG, LABELS_SHOWN, LINE_COLUMNS, VALUES_SHOWN, escape, one_line
from wenmo.ui.charts.ink import ink_text
from wenmo.ui.charts.maps import alignment_map, confusion, fit_map, ink_map
from wenmo.ui.charts.spreads import confidence_histogram, histogram, means_over_time, spreads

__all__ = [
    "BARS_SHOWN",
    "CONFIG",
    "LABELS_SHOWN",
    "LINE_COLUMNS",
    "VALUES_SHOWN",
    "alignment_map",
    "bars",
    "confidence_histogram",
    "confusion",
    "count_bars",
    "escape",
    "fit_map",
    "histogram",
    "ink_map",
    "ink_text",
    "mean_bars",
    "means_over_time",
    "one_line",
    "padding",
    "speeds",
    "spreads",
    "waterfall",
]

"""What all pages share: layout, theme, inputs, history, the engine that they ask."""

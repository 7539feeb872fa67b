"""Pictures of plotly's figures as SVG, drawn without a browser: axes, traces, texts."""

"""Figures: a module ``<kind>_figure`` draws a kind."""

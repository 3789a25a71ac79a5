"""CoUn: fine-tuning on the retain data with the contrastive term, that is FT+CL. Paper, Section 4."""

from __future__ import annotations

from benchmark.methods.contrastive import EXECUTED_UNITS, PAPER_UNITS, ContrastiveSettings, ContrastiveTerm
from benchmark.methods.ft import FT
from benchmark.registry import METHODS


@METHODS.register("coun")
class CoUn(ContrastiveTerm, FT):
    """CE(first view) + lambda * InfoNCE(first view, second view), on the retain data only."""

    Settings = ContrastiveSettings
    paper_units = FT.paper_units | PAPER_UNITS
    executed_units = FT.executed_units | EXECUTED_UNITS

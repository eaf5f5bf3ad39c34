"""What humans said: surveys, bundled or the user's own, as shares, agreement, appeal, kernel."""

from equipoise.panels.answers import AnswerTable
from equipoise.panels.audience import Audience
from equipoise.panels.design import DesignEstimate, SurveyDesign
from equipoise.panels.files import read_panel
from equipoise.panels.panel import Panel
from equipoise.panels.panel_draws import PanelDraws
from equipoise.panels.sources import list_panels, load_panel, option_codes
from equipoise.panels.table import panel_from_table

__all__ = [
    "AnswerTable",
    "Audience",
    "DesignEstimate",
    "Panel",
    "PanelDraws",
    "SurveyDesign",
    "list_panels",
    "load_panel",
    "option_codes",
    "panel_from_table",
    "read_panel",
]

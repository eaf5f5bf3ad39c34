"""How a model is asked, and how its answers are kept. Knows nothing of games, panels or groups."""

from equipoise.llm.answers import OptionCounts, OptionScores, Sample, option_named, tally
from equipoise.llm.asking import Asked, Failed, ask, ask_async, ask_one
from equipoise.llm.backend import Backend, Capabilities
from equipoise.llm.budgeted import Budget
from equipoise.llm.failures import (
    BudgetSpent,
    CallFailed,
    CannotScore,
    FailureKind,
    NotScored,
    StoreFailed,
    Unsupported,
    Usage,
)
from equipoise.llm.hf_local import HFLocal
from equipoise.llm.ledger import Prices, Spent
from equipoise.llm.local_server import LocalServer
from equipoise.llm.models import open_model
from equipoise.llm.openai_http import Endpoint, OpenAIHTTP
from equipoise.llm.requests import Message, Prompt, Request, SampleRequest, ScoreRequest
from equipoise.llm.scripted import Scripted
from equipoise.llm.store import Store
from equipoise.llm.wrappers import wrapped

__all__ = [
    "Asked",
    "Backend",
    "Budget",
    "BudgetSpent",
    "CallFailed",
    "CannotScore",
    "Capabilities",
    "Endpoint",
    "Failed",
    "FailureKind",
    "HFLocal",
    "LocalServer",
    "Message",
    "NotScored",
    "OpenAIHTTP",
    "OptionCounts",
    "OptionScores",
    "Prices",
    "Prompt",
    "Request",
    "Sample",
    "SampleRequest",
    "ScoreRequest",
    "Scripted",
    "Spent",
    "Store",
    "StoreFailed",
    "Unsupported",
    "Usage",
    "ask",
    "ask_async",
    "ask_one",
    "open_model",
    "option_named",
    "tally",
    "wrapped",
]

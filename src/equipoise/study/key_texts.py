"""What every key of a study file means: one text per key, for the JSON Schema and the reference."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KEYS", "TABLES"]

TABLES: Mapping[str, str] = {
    "panel": "What humans said: a bundled panel or your own survey.",
    "game": "The game made of the panel, or a game file.",
    "solve": "How the equilibrium is sought.",
    "uncertainty": "Joint bootstrap draws of the respondents.",
    "exclusion": "When a group counts as left out.",
    "map": "Who is left out over two or three incentives; one table per map, as many as wanted.",
    "steer": "The least change after which nobody is left out; one table per goal.",
    "agents": (
        "The models behind the agents, for `equipoise measure`; one table per agent, as many as "
        "wanted."
    ),
    "measure": "How the agents are asked, and what may be spent on it.",
    "simulate": (
        "The closed loop of `equipoise simulate`: agents post answers, the panel's respondents "
        "react, agents adapt."
    ),
    "report": "What stands at the head of the report.",
}
"""Table of a study file -> what it says."""

KEYS: Mapping[str, Mapping[str, str]] = {
    "panel": {
        "name": (
            "A bundled panel, as `equipoise panel list` names it. Write either `name` or `file`."
        ),
        "file": (
            "Your own survey beside the study file: .csv or .tsv (UTF-8), .parquet, .sav or "
            ".zsav (SPSS), .dta (Stata)."
        ),
        "year": "With `name`: the year, where the panel has several.",
        "groups": "With `name`: how many groups, where the panel offers a choice.",
        "group": (
            "With `file`: the column that says who belongs together; several columns are "
            'crossed, "a / b". At most 60 groups.'
        ),
        "questions": (
            "Columns with categorical answers, at most 50 options each; every group must "
            "have answered each. With `name`: some of the panel's questions. Answers are "
            "compared as categories."
        ),
        "weight": "Column of survey weights, 0 or above; people of weight 0 are left out.",
        "strata": "Column of first-stage strata.",
        "cluster": "Column of first-stage clusters; ids are taken within the stratum.",
        "ratings": "Columns with scores whose means by group are wanted too (thermometers).",
        "missing": (
            "Codes in group, question and rating columns that mean no answer; -9, -9.0 and "
            '"-9" are the same code.'
        ),
        "user_missing": (
            "Whether values the file itself declares missing (SPSS user-missing, Stata .a "
            "to .z) are missing; default true."
        ),
        "dont_know": (
            'What becomes of a don\'t-know in a question: "missing" (left out, the default) '
            'or "option" (an answer like others). It is recognised by its text or value '
            "label, or listed in `dont_know_codes`."
        ),
        "dont_know_codes": 'More codes that mean don\'t-know; "" is a blank.',
        "min_cell": (
            "Fewest respondents of a group; default 10. Below 30 a group is flagged in the report."
        ),
        "small_cells": (
            'What to do with a smaller group: "refuse" (stop, the default) or "merge" it '
            "with its nearest: the neighbour in an ordered column, else the smallest that "
            "shares the most leading levels. The report says what was merged."
        ),
        "order": (
            "Labels of all groups in the order wanted; default: by code, by category, or "
            "alphabetical."
        ),
        "lonely_psu": (
            'What to do with a stratum of a single cluster: "refuse" (the default), '
            '"average" or "centre".'
        ),
    },
    "game": {
        "file": (
            "A game file beside the study file, instead of all other keys of this table and "
            "of [panel]."
        ),
        "agents": "The agents: a list of labels, or a number. They are alike.",
        "attractiveness": "α: the weight of appeal to the audience, 0 or above.",
        "consistency": "β: the weight of staying with the target, 0 or above.",
        "diversity": (
            "γ: the cost of serving whom the others serve. 0: agents do not look at each "
            "other; below 0: they imitate each other."
        ),
        "anchor": (
            'The target every agent is held to: "uniform" (all groups alike), "shares" (groups '
            'by their size) or "measured" (what `equipoise measure` found of each).'
        ),
        "kernel": (
            'How much two groups overlap for diversity: "panel" (as much as their answers '
            'do) or "identity" (not at all).'
        ),
        "form": (
            'How leaving the target is counted: "quadratic" (squared distance) or "kl" (KL '
            "divergence: no weight ever reaches 0)."
        ),
        "per": '"all": one game over all questions; "question": also one game per question.',
    },
    "solve": {
        "tol": (
            "Largest gain by moving alone that still counts as an equilibrium, relative to "
            "the utility's range."
        ),
        "starts": (
            "From how many random points other equilibria are sought; default: as the "
            "solver chooses."
        ),
        "seed": "Seed of these points.",
    },
    "uncertainty": {
        "draws": (
            "How often the respondents are drawn again; verdicts of many cells need thousands."
        ),
        "level": "Content of intervals and of joint bands.",
        "seed": "Seed of the draws.",
    },
    "exclusion": {
        "below": (
            "A group is left out when its largest weight over agents is below this; 0: when "
            "nobody serves it at all."
        ),
    },
    "map": {
        "x": (
            'The axis across, "NAME=start:stop:points", both ends in. NAME is attractiveness, '
            "consistency, diversity, variety, share:GROUP, value:GROUP or anchor:GROUP."
        ),
        "y": "The other axis, in the same form.",
        "z": "A third axis: one plane a value.",
        "draws": (
            "How many of the study's joint draws are mapped too; default: all there are. Where "
            'agents differ, or form is "kl", every cell of every draw is solved on its own: '
            "give fewer."
        ),
        "refine": (
            "Where agents differ: start this many halvings coarser and refine where the "
            "excluded set changes; 0 solves every cell."
        ),
    },
    "steer": {
        "lever": (
            "What may be changed: prices (pay per unit of weight), anchors (targets), diversity, "
            "caps (less attractiveness), audience (whose attention counts), entry (one agent "
            'more). A list: these together. "all": every lever the game has, each alone, side by '
            "side."
        ),
        "floor": (
            "Least coverage: a number for every group, or a table, `{GROUP = number}`. A goal "
            "needs `floor`, `share`, `served_by` or `max_distance`, or several of them."
        ),
        "share": (
            "Least coverage of every group as this fraction of its share of the public; in a draw, "
            "of its share in that draw."
        ),
        "served_by": "So many agents serve every group, each with at least `weight`.",
        "weight": "With `served_by`: what counts as serving; default 0.01.",
        "max_distance": (
            "Largest L1 distance of coverage from the public's shares; 0 is proportional service."
        ),
        "sure": (
            "The goal has to hold in this share of joint draws; default 0.95 where the study has "
            "draws. 0: the point values only."
        ),
        "draws": (
            "How many of the study's joint draws are used: half to find a plan, half to say how "
            "often it holds; default 400, or all there are."
        ),
        "within": (
            "In place of draws: the goal holds also when attractiveness, consistency and diversity "
            "are off by this share, each on its own."
        ),
        "who": "With anchors: the agents whose targets may move; default all.",
        "budget": "With several levers together: the most they may cost, all costs added up.",
        "bounds": (
            "Limits by lever: `prices`, the largest price, a number or by group; `diversity`, the "
            "least and the largest weight; `caps`, the least weight of attractiveness; `audience`, "
            "the least and the largest multiple of a group's share (default 0.5 and 2)."
        ),
    },
    "agents": {
        "name": "Its label in the game.",
        "model": "A model of `equipoise models list`; with `url`: what the server calls it.",
        "url": "An OpenAI-compatible address, up to /v1.",
        "persona": 'Whom it plays by itself, as a sentence; default: "Answer as yourself.".',
        "system": "Its own system prompt, in front of everything else.",
        "reasoning": "How much a reasoning model is told to think.",
        "key_env": (
            "With `url`: the environment variable that holds the key; its name ends in _API_KEY."
        ),
        "answers": (
            'How options are measured: "scores" (exact probabilities), "counts" (sampled answers '
            'are counted) or "auto" (scores where the endpoint gives them).'
        ),
        "adapter": "A LoRA adapter (GGUF) on a model file; a path beside the study file.",
    },
    "measure": {
        "orders": (
            "Orders in which the options of a question are offered, rounded up to whole Latin "
            "squares; at most all orders. 1: only the natural one."
        ),
        "paraphrases": (
            "In how many of our ways a question is put, 1 to 4; or your own, texts with "
            "{question} in each."
        ),
        "form": (
            '"letters": options are lettered and one letter is asked for; "words": the option\'s '
            "own words are."
        ),
        "questions": (
            "A TOML file beside the study with your own words for some of the panel's questions; "
            "then only these are asked."
        ),
        "personas": "Whether each agent is asked as a person of every group, too.",
        "persona": (
            "The sentence that makes it one, with {group} in it; default: "
            '"Answer as a person whose views are {group} would.".'
        ),
        "samples": "Texts per prompt, where answers are counted.",
        "max_tokens": "Most tokens of all calls together, prompts included.",
        "max_answer": "Most tokens of one sampled answer, reasoning included.",
        "max_calls": "Most calls of all agents together, over all runs.",
        "max_cost": "Most US$ of all calls together; needs `prices`, but for local models.",
        "prices": (
            'A TOML file beside the study: ["model"], then prompt and completion in US$ per '
            "million tokens."
        ),
    },
    "simulate": {
        "rounds": (
            "Rounds in all, at least 160 before and 160 under a plan. More rounds of the same "
            "simulation go on where fewer stopped."
        ),
        "learning": (
            'How agents adapt: "mirror" (stochastic mirror ascent on gradients estimated from own '
            'rewards and the others\' posts), "best-response" (to a reward model of its own and '
            'to what the others do lately) or "bandit" (sees its own pay only).'
        ),
        "posts_per_round": "Posts of an agent in a round, each an answer to a question drawn.",
        "readers": "Respondents who read a post and agree with it or not.",
        "replicates": "Independent repetitions, from which bands are made.",
        "agents": (
            'What posts are drawn from: "tables" (the answers of the panel\'s groups) or "models" '
            "(the measured answers of trained models)."
        ),
        "realisation": (
            'With agents = "models": the realisation.toml beside the study; laws.json lies in its '
            "folder."
        ),
        "predict": (
            'With agents = "models": whose answers theory takes for what agents say, "people" (the '
            'panel\'s groups) or "models" (so that plans allow for what models say otherwise).'
        ),
        "plan": (
            'What is switched on: "steer" (the plan of the first [[steer]] table for the point '
            'values, by its first lever), "steer 2", or a file of `equipoise steer --json` beside '
            "the study."
        ),
        "plan_round": "The plan's first round; default half of the rounds.",
        "width": 'Half-width of a band above which the verdict is "too short".',
        "seed": "Seed of everything random in the loop.",
    },
    "report": {
        "title": "Title of the report; default: made of the panel's.",
        "authors": "Who made the study.",
    },
}
"""Table -> key -> what it says."""

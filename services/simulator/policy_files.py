"""Reads a policy as a user names it: a word, or a file with what PUT /v1/pools/{id}/policy takes."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import ValidationError

from libs.common.errors import NotSupported
from services.router.api_models import PolicyBody
from services.router.core.state import DEFAULT_WEIGHTS
from services.simulator.baselines import BASELINES
from services.simulator.policies import DEFAULT, NAMES, Policy


class UnknownPolicy(ValueError):
    """Neither a name nor a file that can be read as a policy; the message says why."""


def policy_of(text: str) -> Policy:
    """Raises UnknownPolicy."""
    return Policy(text) if text in NAMES else read_policy(Path(text))


def weights_of(text: str) -> Policy:
    """A policy of the core's, with its weights spelt out. Raises UnknownPolicy for a baseline: none has weights."""
    policy = policy_of(text)
    if policy.name in BASELINES:
        raise UnknownPolicy(f"{text} has no weights: a log is routed again by {DEFAULT}, or by a file of weights")
    return policy if policy.weights is not None else Policy(policy.name, dict(DEFAULT_WEIGHTS))


def read_policy(file: Path) -> Policy:
    """JSON or YAML: `{"weights": {"reach": 0.13}}`; what is absent takes its default. Raises UnknownPolicy."""
    try:
        body = PolicyBody.model_validate(yaml.safe_load(file.read_text()))
        return Policy(str(file), body.weights.value())
    except OSError as wrong:
        raise UnknownPolicy(f"{file} is none of {', '.join(NAMES)}, and no file: {wrong.strerror}") from wrong
    except (yaml.YAMLError, UnicodeDecodeError) as wrong:
        raise UnknownPolicy(f"{file} is neither JSON nor YAML: {wrong}") from wrong
    except ValidationError as wrong:
        places = (f"/{'/'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in wrong.errors())
        raise UnknownPolicy(f"{file} is no policy: {'; '.join(places)}") from wrong
    except NotSupported as wrong:
        raise UnknownPolicy(f"{file}: {wrong}") from wrong

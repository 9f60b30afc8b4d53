"""Requests generated from the service's own OpenAPI schema: none breaks it, and every answer is as the schema says.

Half of them fit the schema, half do not. WENMO_GENERATED_REQUESTS says how many there are (300); 10,000 take minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

import wenmo
from tests.conftest import GOLDEN_MODELS as MODELS
from wenmo.api.routes import create_api

REQUESTS = int(os.environ.get("WENMO_GENERATED_REQUESTS", "300"))
PATHS = ("/v1/similarity", "/v1/rerank", "/v1/sentiment", "/v1/zero-shot", "/v1/embed", "/analyze")
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
CHECKS = [
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    negative_data_rejection,
]


@pytest.fixture(scope="module")
def schema() -> Iterator[BaseSchema]:
    with wenmo.Engine(device="cpu", precision="fp32", models=MODELS) as engine:
        yield schemathesis.openapi.from_asgi("/openapi.json", create_api(lambda: engine))


@pytest.mark.parametrize("mode", MODES, ids=[mode.value for mode in MODES])
@pytest.mark.parametrize("path", PATHS)
def test_generated_requests_are_answered_as_the_schema_says(
    schema: BaseSchema, path: str, mode: GenerationMode
) -> None:
    statuses: Counter[int] = Counter()

    @settings(
        max_examples=max(1, REQUESTS // (len(PATHS) * len(MODES))),
        deadline=None,  # a test of answers, not of times
        database=None,
        derandomize=True,  # the same requests in every run
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path]["POST"].as_strategy(generation_mode=mode))
    def ask(case: Case) -> None:
        response = case.call()
        statuses[response.status_code] += 1
        assert response.status_code < 500, response.text
        # 413 is a refusal as well; the last check does not know it.
        case.validate_response(response, checks=CHECKS[:-1] if response.status_code == 413 else CHECKS)

    ask()
    assert set(statuses) & ({200} if mode is GenerationMode.POSITIVE else {400, 422})

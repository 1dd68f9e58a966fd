"""One request for each of the seven types, over the real doors, along the path that README tells: from filing to the audit."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from deploy.demo.__main__ import figures
from deploy.demo.week import plans
from tests.conftest import ROOT
from tests.journeys.stack import Stack


async def test_all_seven_types_go_from_the_citizens_page_to_the_auditors_timeline(house: Stack) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    walked = await house.walk(plans(14, seed))
    assert len({each.plan.kind for each in walked}) == 7
    assert len({each.tracking_code for each in walked}) == 14
    await house.equals_a_rebuild()


async def test_the_bus_is_really_used(house: Stack) -> None:
    stood = await figures()
    await house.walk(plans(7, 4))
    await house.settled()
    carried = (await figures()).since(stood)
    assert carried.published > 100
    assert carried.share >= 0.99


async def test_verify_finds_the_log_clean_and_the_draw_command_finds_every_draw_good(house: Stack) -> None:
    (walked,) = await house.walk(plans(1, 7)[:1])
    verified = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "deploy.local", "verify"],
        cwd=ROOT,
        env=os.environ | {"PARVANDEH_VAR": str(house.var)},
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout
    environment = {
        "PARVANDEH_DATABASE_URL": house.settings_of("review").database_url,
        "PARVANDEH_READER_PASSWORD": house.passwords["review_reader"],
        "PARVANDEH_KEYS": str(house.var / "keys" / "review"),
    }
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.review.verify_draw", "verify", walked.case_id],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert b"OK" in done.stdout


async def test_the_citizen_is_told_in_persian_once_for_each_step(house: Stack) -> None:
    await house.settled()
    told = [json.loads(path.read_bytes()) for path in (house.var / "outbox" / "sms").glob("*.json")]
    news = [message["text"] for message in told if "/cases/" in message["text"]]
    assert any("درخواست شما ثبت شد" in text for text in news)
    assert any("گواهی شما صادر شد" in text for text in news)
    assert len({(m["to"], m["text"]) for m in told if "/cases/" in m["text"]}) == len(news)


@pytest.mark.parametrize("settings", [{"PARVANDEH_REFILL": "off"}, {"PARVANDEH_BUS": "off"}], ids=["refill off", "bus off"])
async def test_bus_alone_and_log_alone_give_the_same_projections(houses: Callable[..., Stack], settings: dict[str, str]) -> None:
    house = houses(**settings)
    await house.walk(plans(7, 3))
    await house.settled()
    assert (await figures()).share == (0.0 if "PARVANDEH_BUS" in settings else 1.0)
    await house.equals_a_rebuild()

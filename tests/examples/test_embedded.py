import hmac
import re
from pathlib import Path

import httpx
import pytest

from .run import running

SECRET = "between the shop and us"


def test_prices_come_by_a_webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Signed ones are checked, counted and shown; what is wrong with one is in the rule's words."""
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    with running("embedded.py", "0", cwd=tmp_path) as lines:
        serving = next(line for line in lines if line.startswith("serving"))
        found = re.fullmatch(r"serving (http://\S+?)/?\?token=(\S+)\n", serving)
        assert found
        headers = {"Authorization": f"Bearer {found[2]}"}
        with httpx.Client(base_url=found[1], headers=headers) as client:
            assert client.post("/hooks/price", content="7").status_code == 403
            for price, told in (("7", "Ok(value=7)"), ("0", "nothing costs 0")):
                sign = hmac.digest(SECRET.encode(), price.encode(), "sha256").hex()
                answer = client.post("/hooks/price", content=price, headers={"X-Sign": sign})
                assert (answer.status_code, answer.text) == (202, "noted")
                assert next(line for line in lines if told in line)
            assert "The price is 0;" in client.get("/page/price").text
            assert "shop_prices_total 2.0" in client.get("/metrics").text

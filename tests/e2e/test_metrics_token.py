# SPDX-License-Identifier: MIT
"""Metrics for Prometheus: the token that stands for a signature, and a dashboard that asks for
nothing that does not exist. Source of the scheme: RFC 6750, Prometheus' "authorization"."""

import json
import re

import pytest

from admin import admin_refused
from harness import ROOT, client, http_request, run_daemon, serving

pytestmark = pytest.mark.options

KEYS = ("--access-key", "a-key", "--secret-key", "a-secret")
TOKEN = "t0ken/with+signs=="


@pytest.fixture(scope="module")
def guarded():
    with serving(*KEYS, env={"S3MEMD_METRICS_TOKEN": TOKEN}) as server:
        yield server


def read(server, authorization, path="/_s3mem/metrics", method="GET"):
    headers = {"Authorization": authorization} if authorization else {}
    return http_request(server, method, path, headers=headers)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_token(guarded, scheme):
    reply = read(guarded, f"{scheme} {TOKEN}")
    assert reply.status == 200 and "s3mem_info{" in reply.text
    assert read(guarded, f"{scheme} {TOKEN}", method="HEAD").status == 200


@pytest.mark.parametrize("wrong", ["x", TOKEN[:-1], TOKEN + "=", TOKEN.upper()])
def test_wrong_token(guarded, wrong):
    reply = read(guarded, f"Bearer {wrong}")
    admin_refused(reply, 401, "InvalidToken")
    assert reply.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("authorization", [None, TOKEN, f"Basic {TOKEN}", f"Bearer{TOKEN}"])
def test_no_token(guarded, authorization):
    assert read(guarded, authorization).status in (400, 403)


def test_token_opens_nothing_else(guarded):
    for method, path in (("GET", "stats"), ("GET", "requests"), ("POST", "clear"), ("PUT", "faults")):
        assert read(guarded, f"Bearer {TOKEN}", f"/_s3mem/{path}", method).status in (400, 403), path
    assert read(guarded, f"Bearer {TOKEN}", "/").status in (400, 403)


def test_pages_may_not_show_it(guarded):
    headers = {"Authorization": f"Bearer {TOKEN}", "Origin": "https://elsewhere.example",
               "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    reply = http_request(guarded, "GET", "/_s3mem/metrics", headers=headers)
    assert reply.status == 403 and reply.json["error"]["code"] == "ForeignOrigin"


def test_no_token_was_set():
    with serving(*KEYS) as server:
        for token in ("", "x", TOKEN):
            assert read(server, f"Bearer {token}").status in (400, 403)


@pytest.mark.parametrize(
    "options,said",
    [
        ((), "--metrics-token needs credentials"),
        (("--metrics-token", "two words", *KEYS), "visible ASCII"),
    ],
)
def test_wrong_settings(options, said):
    done = run_daemon("--port", "0", "--metrics-token", "hush", *options)
    assert done.returncode == 2 and said in done.stderr and "hush" not in done.stderr


def test_dashboard_names_what_exists(tmp_path):
    dashboard = json.loads((ROOT / "examples/grafana/s3memd.json").read_text(encoding="utf-8"))
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    expressions += [v["definition"] for v in dashboard["templating"]["list"] if "definition" in v]
    with serving("--bucket", "demo", "--persist", tmp_path / "state.db", "--auto-persist") as server:
        client(server).put_object(Bucket="demo", Key="k", Body=b"x")
        text = http_request(server, "GET", "/_s3mem/metrics").text
    samples = re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.M)
    labels = {}
    for name, inside in samples:
        labels.setdefault(name, set()).update(re.findall(r'(\w+)="', inside or ""))
    asked = set()
    for expression in expressions:
        for name in re.findall(r"\b(?:s3mem|process)_\w+", expression):
            assert name in labels, (name, expression)
            asked.add(name)
            named = re.findall(rf"{name}\{{(.*?)\}}", expression)
            wanted = {w for n in named for w in re.findall(r'(\w+)=~?"', n)} - {"instance"}
            wanted |= {w for by in re.findall(r"by \((\w+)\)", expression) for w in [by]}
            assert wanted <= labels[name], (expression, labels[name])
    assert len(asked) >= 20
    kinds = set(re.findall(r's3mem_memory_bytes\{kind="(\w+)"', text))
    [memory] = [e for e in expressions if "s3mem_memory_bytes" in e]
    assert set(re.search(r'kind=~"([^"]*)"', memory).group(1).split("|")) <= kinds


def test_scrape_configuration(guarded):
    """The path and scheme that Prometheus is told are those that work."""
    text = (ROOT / "examples/grafana/prometheus.yml").read_text(encoding="utf-8")
    path = re.search(r"metrics_path: (\S+)", text).group(1)
    scheme = re.search(r"type: (\S+)", text).group(1)
    assert read(guarded, f"{scheme} {TOKEN}", path).status == 200

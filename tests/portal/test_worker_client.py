"""Questions to the protocols worker: with an arbiter that answers, fails, or says nothing at all."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from gunicorn.dirty.protocol import DirtyProtocol, make_error_response, make_response

from portal import worker_client
from portal.worker_client import ask


@pytest.fixture(autouse=True)
def talkative(monkeypatch):
    monkeypatch.setattr(worker_client, "_silent_until", 0.0)


@pytest.fixture
def arbiter(tmp_path, monkeypatch):
    """Answers on a Unix socket as gunicorn's arbiter does; `script` says what."""
    path = str(tmp_path / "arbiter.sock")
    monkeypatch.setenv(worker_client.SOCKET, path)
    asked: list[dict] = []
    loop = asyncio.new_event_loop()

    async def serve(reader, writer) -> None:
        message = await DirtyProtocol.read_message_async(reader)
        asked.append(message)
        answer = {
            "usage": lambda: make_response(message["id"], [{"used": 1}]),
            "fail": lambda: make_error_response(message["id"], RuntimeError("no such thing")),
        }.get(message["action"])
        if answer is None:
            await reader.read()  # says nothing until the client goes away
        else:
            await DirtyProtocol.write_message_async(writer, answer())
        writer.close()

    server = loop.run_until_complete(asyncio.start_unix_server(serve, path))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield asked

    async def end() -> None:
        server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()


def test_an_action_is_asked_and_its_answer_returned(arbiter):
    assert ask("usage", 7, ["a"]) == [{"used": 1}]
    (message,) = arbiter
    assert (message["app_path"], message["action"]) == (worker_client.APP, "usage")
    assert message["args"] == [7, ["a"]]


def test_without_gunicorn_there_is_no_answer(monkeypatch):
    monkeypatch.delenv(worker_client.SOCKET, raising=False)
    assert ask("usage") is None


# gunicorn leaves a socket that could not connect to be collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_arbiter_that_is_away_is_no_answer_and_said_in_the_log(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv(worker_client.SOCKET, str(tmp_path / "nothing.sock"))
    assert ask("usage") is None
    assert "the protocols worker did not answer 'usage'" in caplog.text


def test_an_action_that_fails_is_no_answer(arbiter):
    assert ask("fail") is None


def test_silence_is_waited_for_once_and_then_nobody_asks_for_a_while(arbiter, monkeypatch):
    start = time.monotonic()
    assert ask("hang", timeout=0.2) is None
    assert 0.15 < time.monotonic() - start < 0.6
    start = time.monotonic()
    assert [ask("usage") for _ in range(100)] == [None] * 100
    assert time.monotonic() - start < 0.05
    assert len(arbiter) == 1
    monkeypatch.setattr(worker_client, "PAUSE", 0)
    monkeypatch.setattr(worker_client, "_silent_until", 0.0)
    assert ask("usage") == [{"used": 1}]


def test_threads_do_not_wait_for_each_other(arbiter):
    results = []
    threads = [threading.Thread(target=lambda: results.append(ask("usage"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert results == [[{"used": 1}]] * 20

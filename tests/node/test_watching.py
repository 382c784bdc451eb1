"""The mirrors that a founder names: what each showed last, whether it is the same history, and what went wrong."""

import asyncio
from contextlib import closing

import httpx
import pytest
from guides import free_port, until
from mirror_world import Quiet, batches, export, mirrored, publish, serving

from pseudoledger.errors import PeerUnreachable
from pseudoledger.node.forks import Forks
from pseudoledger.node.node import MirrorStanding
from pseudoledger.node.reading import Reader
from pseudoledger.node.upstream import Upstream
from pseudoledger.node.watching import MirrorWatch


def held(directory, *numbers):
    """Hold a ledger in `directory/held`, with its book; return its exported tiles."""
    out = publish(directory, batches(*numbers))
    with serving(out) as url:
        mirrored(url, directory / "held")
    return out


def looked_at(directory, *urls):
    """Look at some copies of the ledger in `directory/held` with nothing else running."""

    async def look():
        with closing(Reader(directory / "held")) as reader:
            watch = MirrorWatch(urls, reader, directory / "forks")
            await watch.round()
            await watch._client.aclose()
            return watch.mirrors

    return asyncio.run(look())


def test_copies_that_agree_are_behind_or_ahead(tmp_path):
    ours = held(tmp_path / "ours", 1, 2)
    older, newer = (publish(tmp_path / name, batches(*range(1, end))) for name, end in (("a", 2), ("b", 4)))
    with serving(ours) as same, serving(older) as behind, serving(newer) as ahead:
        found = looked_at(tmp_path / "ours", f"{same}/", behind, ahead)
    assert found[0] == MirrorStanding(url=same, size=6, consistent=True)
    assert found[1] == MirrorStanding(url=behind, size=4, consistent=True)
    assert (found[2].size, found[2].consistent) == (8, None)
    assert "8 entries, signed by this ledger; 6 are held here" in found[2].trouble


def test_a_copy_of_another_history_leaves_a_proof(tmp_path):
    held(tmp_path / "ours", 1, 2)
    other = publish(tmp_path / "other", batches(1, 3))
    with serving(other) as url:
        assert looked_at(tmp_path / "ours", url) == (MirrorStanding(url=url, size=6, consistent=False),)
    assert len(Forks(tmp_path / "ours/forks").names()) == 1


class _Odd(Quiet):
    """Answers whatever is asked with what it was told."""

    status, body, location = 200, b"", None

    def do_GET(self):  # noqa: N802 - the name that http.server calls
        self.send_response(self.status)
        if self.location:
            self.send_header("location", self.location)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, b"", "answers with status 404"),
        (302, b"", "answers with status 302"),
        (200, b"no checkpoint", "is not believed"),
        (200, b"x" * 2_000_000, "is not believed"),
    ],
)
def test_what_else_is_answered_is_said(tmp_path, status, body, says):
    held(tmp_path / "ours", 1)
    told = type("Told", (_Odd,), {"status": status, "body": body})
    with serving(tmp_path, told) as url:
        (found,) = looked_at(tmp_path / "ours", url)
    assert says in found.trouble
    assert (found.size, found.consistent) == (None, None)


def test_a_redirection_to_what_is_no_address_is_said(tmp_path):
    held(tmp_path / "ours", 1)
    told = type("Told", (_Odd,), {"status": 302, "location": "http://xn--0/"})
    with serving(tmp_path, told) as url:
        (found,) = looked_at(tmp_path / "ours", url)
        with closing(Upstream(url)) as upstream, pytest.raises(PeerUnreachable):
            upstream.checkpoint()
    assert "out of reach" in found.trouble


def test_a_mirror_that_goes_away_keeps_what_it_showed(tmp_path):
    ours = held(tmp_path / "ours", 1)

    async def look():
        with closing(Reader(tmp_path / "ours/held")) as reader:
            with serving(ours) as url:
                watch = MirrorWatch([url], reader, tmp_path / "forks")
                await watch.round()
                await watch._client.aclose()
            gone = MirrorWatch([url], reader, tmp_path / "forks")
            gone._known = watch._known
            await gone.round()
            await gone._client.aclose()
            return gone.mirrors

    (found,) = asyncio.run(look())
    assert (found.size, found.consistent) == (4, True)
    assert "out of reach" in found.trouble


def test_a_founder_shows_its_mirrors(founded, place):
    port, nobody = free_port(), free_port()
    mirror = f"http://127.0.0.1:{port}"
    party = founded.party()
    with founded.serve("--mirror", mirror, "--mirror", f"http://127.0.0.1:{nobody}/m") as node:
        httpx.post(
            f"{node.url}/entries", content=party.pool("P-1"), headers={"content-type": "application/cose"}
        ).raise_for_status()
        with place.running("mirror", node.url, place.directory / "copy", "--port", port):
            first, second = until(lambda: seen(node.url), "the mirror was seen")
            assert first == {"url": mirror, "size": 4, "consistent": True, "trouble": ""}
            assert second["size"] is None
            assert "out of reach" in second["trouble"]
            for lang, words in (("en", "the same as here"), ("ar", "مطابق لما هنا")):
                page = httpx.get(f"{node.url}/network?lang={lang}").text
                assert mirror in page
                assert words in page
        code, _ = node.stop()
        assert code == 0


def seen(url):
    mirrors = httpx.get(f"{url}/api/v1/status").json()["standing"]["mirrors"]
    return mirrors if mirrors[0]["size"] == 4 else None


@pytest.mark.parametrize(
    "url", ["mirror.example", "ftp://m.example", f"https://{'user:word@'}m.example", "https://m.example/?q"]
)
def test_what_is_no_address_of_a_mirror_is_refused(founded, place, url):
    said = place.pl("serve", founded.directory, "--port", "0", "--mirror", url, code=2)
    assert "no address of a mirror" in said


def test_a_mirror_shows_its_peers(tmp_path):
    from pseudoledger.node.mirror import Mirror

    ours = publish(tmp_path / "ours", batches(1, 2))
    with (
        serving(ours) as url,
        serving(export(tmp_path / "ours")) as peer,
        closing(Mirror(url, tmp_path / "copy", peers=[peer, f"http://127.0.0.1:{free_port()}"])) as mirror,
    ):
        mirror.once()
        first, second = mirror.standing().mirrors
    # A static file server takes no checkpoint of ours, which is a line, and no reason to doubt what it showed.
    assert (first.size, first.consistent) == (6, True)
    assert second.size is None
    assert second.trouble

"""`serve`: a ledger as a network service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from pseudoledger.cli.command import plain
from pseudoledger.cli.desk import Desk, read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import Facts, present
from pseudoledger.ledger.policy import parse_policy

app = typer.Typer()
APPS = (app,)

PortOption = Annotated[int, typer.Option("--port", help="Port to listen on; 0 takes a free one.", max=65_535)]
HostOption = Annotated[str, typer.Option("--host", help="Address to listen on.")]
CertificateOption = Annotated[
    Path | None, typer.Option("--tls-certificate", help="PEM file with the certificate chain: serve HTTPS.")
]
TlsKeyOption = Annotated[
    Path | None, typer.Option("--tls-key", help="PEM file with the certificate's private key.")
]
ProxiesOption = Annotated[
    str, typer.Option("--proxies", help="Addresses of proxies whose X-Forwarded-For is believed: A,B.")
]
TokensOption = Annotated[
    Path | None,
    typer.Option("--write-tokens", help="File of hashed tokens; writing then needs one of them."),
]
RateOption = Annotated[
    float, typer.Option("--rate", help="Statements a second that one address may send.", min=0.001)
]
BurstOption = Annotated[float, typer.Option("--burst", help="Statements it may send at once.", min=1)]
OriginsOption = Annotated[
    list[str] | None,
    typer.Option("--cors-origin", help="Web origin whose scripts may read this node; nobody by default."),
]
WitnessesOption = Annotated[
    Path | None,
    typer.Option(
        "--witnesses", help="Policy file (C2SP tlog-policy) of witnesses to ask for cosignatures, with URLs."
    ),
]
MirrorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mirror",
        help="Mirror whose checkpoint is looked at and shown on the network page; may be repeated.",
    ),
]
LogOption = Annotated[bool, typer.Option("--log-requests", help="Log a line for each request.")]


@plain(
    app,
    "serve",
    examples=(
        "pl serve market --port 8080",
        "pl serve market --host 0.0.0.0 --port 443 --tls-certificate chain.pem --tls-key key.pem",
        "pl serve market --port 8080 --proxies 127.0.0.1 --write-tokens tokens.txt",
        "pl serve market --port 8080 --mirror https://mirror.example --mirror https://cdn.example/market",
    ),
)
def serve(
    directory: Annotated[Path, typer.Argument(help="Directory of the ledger.", show_default=False)],
    *,
    port: PortOption = 8080,
    host: HostOption = "127.0.0.1",
    certificate: CertificateOption = None,
    tls_key: TlsKeyOption = None,
    proxies: ProxiesOption = "",
    tokens: TokensOption = None,
    rate: RateOption = 10_000,
    burst: BurstOption = 20_000,
    origins: OriginsOption = None,
    witnesses: WitnessesOption = None,
    mirrors: MirrorsOption = None,
    log_requests: LogOption = False,
) -> None:
    """Serve a ledger: statements in, receipts, checkpoint, tiles, JSON and pages out, until it is stopped."""
    if (certificate is None) != (tls_key is None):
        raise WrongUse("HTTPS needs a certificate and its key", hint="give --tls-certificate and --tls-key")
    for url in mirrors or ():
        _check_public(url)
    # FastAPI and uvicorn take half a second to import, which no other command should wait for.
    from pseudoledger.node.founder import Settings, run
    from pseudoledger.node.limits import WriteTokens
    from pseudoledger.node.serving import Listening

    desk = Desk(directory)
    try:
        settings = Settings(
            directory=directory,
            origin=desk.state.origin,
            listening=Listening(host=host, port=port, certificate=certificate, key=tls_key, proxies=proxies),
            tokens=WriteTokens.read(tokens) if tokens else None,
            rate=rate,
            burst=burst,
            cors_origins=tuple(origins or ()),
            simulated_ms=desk.clock() if desk.simulated else None,
            witnesses=parse_policy(read_file(witnesses)) if witnesses else None,
            mirrors=tuple(mirrors or ()),
            log_requests=log_requests,
        )
        with desk.registrar() as registrar:
            run(registrar, settings)
    finally:
        desk.close()


def _check_public(url: str) -> None:
    """Refuse what is no address of a mirror, or should not stand on a page."""
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.netloc
        or "@" in parts.netloc
        or parts.query
        or parts.fragment
    ):
        raise WrongUse(
            f"--mirror: {url!r} is no address of a mirror", hint="for example https://mirror.example"
        )


@plain(app, "serve-token", examples=("pl serve-token tokens.txt --name broker-7",))
def serve_token(
    file: Annotated[
        Path, typer.Argument(help="File that keeps the hash; made if need be.", show_default=False)
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="Whose token it is, for the operator to know.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a write token for `serve --write-tokens FILE`; it is shown once, the file keeps its hash."""
    from pseudoledger.node.limits import add_token

    token = add_token(file, name)
    facts = [("token", token), ("sent as", f"Authorization: Bearer {token}"), ("hash kept in", str(file))]
    present(
        Facts(title="write token", facts=facts, value={"token": token, "file": str(file)}), as_json=as_json
    )

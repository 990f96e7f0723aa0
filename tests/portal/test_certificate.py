"""The certificate: made once and kept, or the operator's own; renewed without a restart; unusable ones named."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from portal import certificate, config
from portal.certificate import FILE, Keeper
from portal.config import SettingError, Settings

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def made(folder: Path, now: datetime = NOW, **environ: str) -> Settings:
    """Return settings of an installation that has a certificate of its own making."""
    settings = config.load({"DATA_DIR": str(folder), **environ})
    certificate.prepare(settings, now)
    return settings


def openssl(folder: Path, name: str, days: int = 30, *options: str) -> tuple[str, str]:
    """Return the paths of a certificate and its key, as another program makes them."""
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-subj", f"/CN={name}.example.com", "-days", str(days)]
    passed = options or ("-nodes",)
    subprocess.run([*command, *passed, "-out", chain, "-keyout", key], check=True, capture_output=True)
    return str(chain), str(key)


def own(folder: Path, chain: str, key: str) -> Settings:
    return config.load({"DATA_DIR": str(folder), "TLS_CERTIFICATE": chain, "TLS_KEY": key})


def test_one_is_made_at_the_first_start_and_kept(tmp_path):
    settings = made(tmp_path)
    first = certificate.read(settings)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
    assert first.signs_itself
    assert "PRIVATE" not in first.pem
    assert first.not_after == NOW + certificate.VALID
    certificate.prepare(settings, NOW + timedelta(days=1))
    assert certificate.read(settings) == first


def test_it_names_what_clients_may_call_this_machine(tmp_path):
    names = certificate.read(made(tmp_path, HOST="192.0.2.77")).names
    assert {"localhost", "127.0.0.1", "::1", "192.0.2.77", os.uname().nodename} <= set(names)
    assert "0.0.0.0" not in certificate.read(made(tmp_path / "other")).names  # noqa: S104


def test_the_fingerprint_is_the_one_that_openssl_shows(tmp_path):
    found = certificate.read(made(tmp_path))
    command = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(tmp_path / FILE)]
    assert subprocess.run(command, capture_output=True, text=True).stdout.strip().endswith(found.fingerprint)


def test_an_own_certificate_is_used_and_nothing_is_made(tmp_path):
    settings = own(tmp_path, *openssl(tmp_path, "plant"))
    certificate.prepare(settings, NOW)
    found = certificate.read(settings)
    assert found.subject == "CN=plant.example.com"
    assert not (tmp_path / FILE).exists()


def test_what_cannot_be_used_is_named_in_one_line(tmp_path):
    chain, key = openssl(tmp_path, "one")
    _, other = openssl(tmp_path, "two")
    _, locked = openssl(tmp_path, "three", 30, "-passout", "pass:secret")
    (tmp_path / "empty").write_text("")
    cases = [
        (str(tmp_path / "none.pem"), key, f"TLS_CERTIFICATE: cannot read {tmp_path}/none.pem: No such file"),
        (chain, str(tmp_path / "none.key"), f"TLS_KEY: cannot read {tmp_path}/none.key: No such file"),
        (chain, str(tmp_path), "TLS_KEY: cannot read"),
        (chain, other, "TLS_KEY: .* does not belong to the certificate"),
        (str(tmp_path / "empty"), key, "TLS_CERTIFICATE: .* holds no certificate"),
        (chain, str(tmp_path / "empty"), "TLS_KEY: .* holds no usable key"),
        (chain, locked, "TLS_KEY: .* is encrypted"),
    ]
    for given_chain, given_key, message in cases:
        with pytest.raises(SettingError, match=f"^{message}") as caught:
            certificate.prepare(own(tmp_path, given_chain, given_key), NOW)
        assert "\n" not in str(caught.value)


def test_an_expired_certificate_is_a_warning(tmp_path, caplog):
    settings = own(tmp_path, *openssl(tmp_path, "old", 1))
    certificate.prepare(settings, datetime.now(UTC) + timedelta(days=2))
    assert "has expired" in caplog.text


def test_a_damaged_file_of_our_own_is_named(tmp_path):
    (tmp_path / FILE).write_text("nothing")
    with pytest.raises(SettingError, match="^DATA_DIR: .*tls.pem cannot be used"):
        made(tmp_path)


@pytest.fixture
def keeper(tmp_path) -> tuple[Keeper, Path, Path]:
    chain, key = map(Path, openssl(tmp_path, "now"))
    return Keeper(own(tmp_path, str(chain), str(key))), chain, key


def look(keeper: Keeper) -> None:
    keeper.refresh()
    keeper.refresh()


def test_a_renewed_certificate_is_taken_over(keeper, tmp_path, caplog):
    keeper, chain, key = keeper
    caplog.set_level("INFO")
    first = keeper.current()
    look(keeper)
    assert keeper.current() is first
    new_chain, new_key = openssl(tmp_path, "new")
    os.replace(new_chain, chain)
    keeper.refresh()
    os.replace(new_key, key)
    look(keeper)
    assert keeper.current() is not first
    assert "the certificate has changed" in caplog.text
    assert "cannot be used" not in caplog.text, "half of a change is not looked at"


def test_a_broken_new_file_is_said_once_and_the_old_one_holds(keeper, tmp_path, caplog):
    keeper, chain, key = keeper
    first, good = keeper.current(), chain.read_bytes()
    chain.write_text("broken")
    for _ in range(5):
        look(keeper)
    assert keeper.current() is first
    assert caplog.text.count("cannot be used") == 1
    chain.unlink()
    for _ in range(5):
        look(keeper)
    assert caplog.text.count("cannot be used") == 2
    chain.write_bytes(good)
    look(keeper)
    assert keeper.current() is not first


def test_a_keeper_without_a_usable_certificate_waits_for_one(tmp_path, caplog):
    chain, key = openssl(tmp_path, "late")
    shutil.move(chain, f"{chain}.away")
    keeper = Keeper(own(tmp_path, chain, key))
    assert keeper.current() is None
    assert "there is no TLS until" in caplog.text
    shutil.move(f"{chain}.away", chain)
    look(keeper)
    assert keeper.current() is not None


def test_the_chain_is_offered_whole(tmp_path):
    chain, key = openssl(tmp_path, "one")
    more, _ = openssl(tmp_path, "two")
    Path(chain).write_text(Path(chain).read_text() + Path(more).read_text())
    found = certificate.read(own(tmp_path, chain, key))
    assert len(x509.load_pem_x509_certificates(found.pem.encode())) == 2

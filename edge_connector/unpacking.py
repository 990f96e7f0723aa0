"""Unpacks the archive of a release: plain files below one folder, within bounds, and nothing else."""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from pathlib import Path

from edge_connector import keeping
from edge_connector.errors import Refused

BYTES = 32 * 1024 * 1024  # of the unpacked archive
FILES = 1000
PACKAGE = "edge_connector"  # where all of its files are
_GZIP = 31  # for zlib: with gzip's header
_NAME_LENGTH = 200


def unpack(archive: bytes, folder: Path) -> None:
    """Write an archive's files into a new folder, for good.  Raises `Refused` or `OSError`; some may be there then."""
    try:
        packed = zlib.decompressobj(_GZIP)
        data = packed.decompress(archive, BYTES + 1)  # before anything looks at it: a header may be a bomb as well
        if len(data) > BYTES:
            raise Refused(f"the archive has more than {BYTES} bytes when it is unpacked")
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            files = _files(tar)
    except (zlib.error, tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise Refused(f"this is no archive of an agent: {error}") from None
    folder.mkdir(parents=True)
    for parts, content in files.items():
        path = folder.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for parent in {folder.joinpath(*parts).parent for parts in files} | {folder}:
        keeping.sync_folder(parent)


def _files(tar: tarfile.TarFile) -> dict[tuple[str, ...], bytes]:
    found: dict[tuple[str, ...], bytes] = {}
    for member in tar:
        parts = tuple(member.name.split("/"))
        if not member.isreg() or member.issparse() or not _is_safe(parts) or len(member.name) > _NAME_LENGTH:
            raise Refused(f"the archive has {member.name[:_NAME_LENGTH]!r}, which is no plain file of {PACKAGE}")
        if parts in found or len(found) >= FILES:
            raise Refused(f"the archive has a file twice, or more than {FILES}")
        content = tar.extractfile(member)
        found[parts] = content.read() if content else b""
    if (PACKAGE, "__init__.py") not in found:
        raise Refused(f"the archive has no {PACKAGE}")
    return found


def _is_safe(parts: tuple[str, ...]) -> bool:
    """Tell whether a path stays inside, on every system."""
    inside = len(parts) > 1 and parts[0] == PACKAGE and not any(one in ("", ".", "..") for one in parts)
    return inside and all(one.isascii() and one.isprintable() and not set(one) & set('\\:*?"<>|') for one in parts)

"""Files of named folders."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge_connector.connectors import confined
from edge_connector.connectors.base import Connector
from edge_connector.connectors.watching import Watcher
from edge_connector.described import Listener, offered
from edge_connector.errors import ConfigFault, Refused
from edge_connector.settings import Table

MIB = 1024 * 1024
Parts = list[str]  # of a path; the class below has a function of the name `list`
Rows = list[dict[str, Any]]

UTF8, BASE64 = "utf-8", "base64"


@dataclass(frozen=True)
class Folder:
    """A folder that may be used."""

    path: str
    may_write: bool


class Files(Connector):
    """Files below the folders that the configuration names.  A path begins with the name of one: `reports/may.csv`.

    Links are not followed, whatever they point to.
    """

    def __init__(self, name: str, table: Table) -> None:
        super().__init__(name, table)
        if os.open not in os.supports_dir_fd:
            raise ConfigFault(f"{table.place}: this system cannot open files in a way that confines them")
        self._folders = {key: _folder(one) for key, one in table.tables("folders").items()}
        self._read_bytes = table.integer("read_bytes", MIB // 2, low=1)
        self._write_bytes = table.integer("write_bytes", MIB // 2, low=1)
        self._file_bytes = table.integer("file_bytes", 100 * MIB, low=1, high=2**50)
        self._entries = table.integer("entries", 1000, low=1)
        self._watcher = Watcher(table.number("watch_seconds", 0.2, low=0.05), self._seen)

    @offered(reads=True)
    def folders(self) -> dict[str, Any]:
        """Returns the folders that paths begin with

        :returns: By name: whether files may be written there
        """
        return {name: {"write": one.may_write} for name, one in self._folders.items()}

    @offered(reads=True)
    def list(self, path: str) -> Rows:
        """Lists a folder

        :param path: A folder's name, or a path below it
        :returns: For each entry: name, type (file, folder, link, other), size, modified
        """
        folder, parts = self._place(path)
        with confined.folder(folder.path, parts) as handle:
            names = sorted(os.listdir(handle))
            if len(names) > self._entries:
                raise Refused(f"{path} has {len(names)} entries; at most {self._entries} are listed")
            found = [(name, _stat(name, handle)) for name in names]
        return [{"name": name, **_about(one)} for name, one in found if one is not None]

    @offered(reads=True)
    def info(self, path: str) -> dict[str, Any]:
        """Tells of a file or folder

        :param path: Path of it
        :returns: type, size, modified
        """
        folder, parts = self._place(path)
        return _about(confined.look(folder.path, parts))

    @offered(reads=True)
    def read(self, path: str, encoding: str = UTF8, offset: int = 0, length: int | None = None) -> str:
        """Reads a file, or a part of it

        :param path: Path of the file
        :param encoding: utf-8 for text, base64 for bytes
        :param offset: First byte
        :param length: Number of bytes; null for all that follow
        :returns: What is in it
        """
        folder, parts = self._place_of_file(path)
        with confined.file(folder.path, parts, os.O_RDONLY) as handle:
            left = max(os.fstat(handle).st_size - offset, 0)
            wanted = left if length is None else min(length, left)
            if offset < 0 or wanted < 0:
                raise Refused("offset and length cannot be negative")
            if wanted > self._read_bytes:
                raise Refused(f"{wanted} bytes are more than the {self._read_bytes} that are read at once")
            return _decoded(_pread(handle, wanted, offset), encoding)

    @offered()
    def write(self, path: str, content: str, encoding: str = UTF8) -> int:
        """Writes a whole file, new or in the place of one; nobody sees a half of it

        :param path: Path of the file
        :param content: What is to be in it
        :param encoding: utf-8 for text, base64 for bytes
        :returns: Number of bytes
        """
        folder, parts, data = self._to_write(path, content, encoding)
        confined.replace(folder.path, parts, data)
        return len(data)

    @offered()
    def append(self, path: str, content: str, encoding: str = UTF8) -> int:
        """Writes at the end of a file, which is made if there is none

        :param path: Path of the file
        :param content: What is added
        :param encoding: utf-8 for text, base64 for bytes
        :returns: Number of bytes that the file has then
        """
        folder, parts, data = self._to_write(path, content, encoding)
        with confined.file(folder.path, parts, os.O_WRONLY | os.O_APPEND | os.O_CREAT) as handle:
            if os.fstat(handle).st_size + len(data) > self._file_bytes:
                raise Refused(f"the file would have more than {self._file_bytes} bytes")
            try:
                confined.write(handle, data)
            except OSError as error:
                raise Refused(f"{parts[-1]}: {error.strerror}") from None
            return os.fstat(handle).st_size

    @offered(reads=True)
    def watch(self, path: str, listener: Listener) -> Callable[[], None]:
        """Tells of changes of a file, or of the entries of a folder, from now on

        :param path: Path of the file or folder, which need not exist yet
        :param listener: Gets an object with path, event (created, changed, removed), size and modified
        :returns: Always true
        """
        self._place(path)
        return self._watcher.add(path, listener)

    @offered(reads=True)
    def watch_text(self, path: str, listener: Listener) -> Callable[[], None]:
        """Tells what is in a text file now, and again after each change

        :param path: Path of the file, which need not exist yet
        :param listener: Gets the text
        :returns: Always true
        """
        self._place_of_file(path)

        def tell(change: dict[str, Any]) -> None:
            if change["event"] != "removed" and change["path"] == path:
                listener(self.read(path))

        return self._watcher.add(path, tell, at_once=True)

    def close(self) -> None:
        self._watcher.stop()

    # --- places

    def _place(self, path: str) -> tuple[Folder, Parts]:
        name, *parts = confined.steps(path)
        folder = self._folders.get(name)
        if folder is None:
            raise Refused(f"there is no folder {name[:60]!r}; there are {', '.join(sorted(self._folders))}")
        return folder, parts

    def _place_of_file(self, path: str) -> tuple[Folder, Parts]:
        folder, parts = self._place(path)
        if not parts:
            raise Refused(f"{path} is a folder")
        return folder, parts

    def _to_write(self, path: str, content: str, encoding: str) -> tuple[Folder, Parts, bytes]:
        folder, parts = self._place_of_file(path)
        if not folder.may_write:
            raise Refused(f"nothing may be written to {path.split('/')[0]}")
        data = _encoded(content, encoding)
        if len(data) > self._write_bytes:
            raise Refused(f"{len(data)} bytes are more than the {self._write_bytes} that are written at once")
        return folder, parts, data

    def _seen(self, path: str) -> dict[str, tuple[int, int, int]]:
        """Return what can be seen of a file, or of the entries of a folder, by path."""
        folder, parts = self._place(path)
        found = confined.look(folder.path, parts)
        if not stat.S_ISDIR(found.st_mode):
            return {path: _sign(found)}
        with confined.folder(folder.path, parts) as handle:
            names = os.listdir(handle)[: self._entries]
            entries = {f"{path}/{name}": _stat(name, handle) for name in names}
        return {key: _sign(one) for key, one in entries.items() if one is not None}


def _folder(table: Table) -> Folder:
    path = table.path("path")
    if not path.is_dir():
        raise table.fault("path", f"is no folder: {path}")
    found = Folder(str(path), table.flag("write", False))
    table.done()
    return found


def _stat(name: str, handle: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=handle, follow_symlinks=False)
    except OSError:  # it went meanwhile
        return None


def _sign(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_mtime_ns, found.st_size, found.st_ino


def _about(found: os.stat_result) -> dict[str, Any]:
    kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}
    modified = datetime.fromtimestamp(found.st_mtime, UTC).isoformat(timespec="milliseconds")
    return {"type": kinds.get(stat.S_IFMT(found.st_mode), "other"), "size": found.st_size, "modified": modified}


def _pread(handle: int, length: int, offset: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        piece = os.pread(handle, length - len(found), offset + len(found))
        if not piece:
            break
        found += piece
    return bytes(found)


def _decoded(data: bytes, encoding: str) -> str:
    if encoding == BASE64:
        return base64.b64encode(data).decode()
    _check_encoding(encoding)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused("this is no text in UTF-8; read it as base64") from None


def _encoded(content: str, encoding: str) -> bytes:
    if encoding == BASE64:
        try:
            return base64.b64decode(content, validate=True)
        except binascii.Error as error:
            raise Refused(f"content is no base64: {error}") from None
    _check_encoding(encoding)
    try:
        return content.encode()
    except UnicodeEncodeError:
        raise Refused("content has characters that UTF-8 does not have") from None


def _check_encoding(encoding: str) -> None:
    if encoding != UTF8:
        raise Refused(f"encoding has to be {UTF8} or {BASE64}")

"""Decides which files a job reads, and which it writes.

A single file becomes a single file. A folder (with its subfolders) or a pattern becomes a folder, in which each table
has the same name, format and relative path. So the output of a partitioned data set is partitioned alike, and tables
with different columns are not forced into one. Excel is read but not written: `a.xlsx` becomes `a.xlsx.csv`.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wenmo.errors import InputError
from wenmo.tables.table import READ_SUFFIXES, SUFFIXES, check_suffix


@dataclass(frozen=True, kw_only=True)
class FilePair:
    """An input and its output. `name` is the file's name in messages: its path below the input folder, or its own."""

    name: str
    source: Path
    target: Path


def find_files(source: Path, target: Path, *, further_suffixes: Sequence[str] = ()) -> tuple[FilePair, ...]:
    """The files of a job that reads `source` and writes `target`, ordered by name.

    Files with an unknown suffix are skipped. In a folder, so are names that begin with a dot, an underscore or ~$,
    which other programs use for files of their own; with a pattern, those that begin with a dot or ~$. A `source` that
    exists is taken literally even if it looks like a pattern. `further_suffixes` of a
    single target are no table's.

    Raises InputError where there is nothing to read or nowhere to write, and where an output would replace an input.
    """
    try:
        pairs = _pairs(source, target, (*SUFFIXES, *further_suffixes))
        _check_places(source, target, pairs)
    except (OSError, RuntimeError, ValueError) as error:  # a name that is too long, circular links, a zero byte
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"Cannot use these paths: {error}. Choose other names.", f"无法使用这些路径：{error}。请换用别的名称。"
        ) from None
    return pairs


def _pairs(source: Path, target: Path, written_suffixes: Sequence[str]) -> tuple[FilePair, ...]:
    hidden: tuple[str, ...]
    if source.is_dir():
        base, paths, hidden = source, sorted(source.rglob("*")), (".", "_", "~$")
    elif not source.exists() and glob.has_magic(str(source)):
        fixed = next(index for index, part in enumerate(source.parts) if glob.has_magic(part))
        base = Path(*source.parts[:fixed])
        paths, hidden = sorted(base.glob("/".join(source.parts[fixed:]))), (".", "~$", "__MACOSX")
    else:
        check_suffix(target, written_suffixes)
        if target.is_dir():
            raise InputError(f"{target} is a folder. Give the name of a file.", f"{target} 是文件夹。请给出文件名。")
        return (FilePair(name=source.name, source=source, target=target.resolve()),)
    tables = [
        path
        for path in paths
        if path.suffix.lower() in READ_SUFFIXES
        and not any(part.startswith(hidden) for part in path.relative_to(base).parts)
        and path.is_file()
    ]
    if not tables:
        known = ", ".join(READ_SUFFIXES)
        raise InputError(
            f"{source} holds no table. Tables end in {known}.", f"{source} 中没有表格文件。表格文件的后缀为 {known}。"
        )
    if not target.is_dir() and (target.exists() or target.suffix.lower() in READ_SUFFIXES):
        raise InputError(
            f"{target.name!r} names a file, and several tables need a folder. Give the name of one.",
            f"“{target.name}”是文件名，而多个表格需要输出到文件夹。请给出文件夹名。",
        )
    pairs = []
    for path in tables:
        name = path.relative_to(base)
        written = name if name.suffix.lower() in SUFFIXES else name.with_name(f"{name.name}.csv")
        pairs.append(FilePair(name=name.as_posix(), source=path, target=(target / written).resolve()))
    return tuple(pairs)


def _check_places(source: Path, target: Path, pairs: tuple[FilePair, ...]) -> None:
    """Raises InputError where an output cannot be written, or would be written over an input or another output."""
    if not target.resolve().parent.is_dir():
        raise InputError(
            f"There is no folder {target.parent} to write {target.name} to. Create it first.",
            f"文件夹 {target.parent} 不存在，无法写入 {target.name}。请先创建它。",
        )
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise InputError(
            f"{target} lies in the folder that is read: the next run would read it, too. Choose another place.",
            f"{target} 位于输入文件夹之内，下次运行会把它也读进去。请换一个位置。",
        )
    # Every output with every input, as files and not as names: a link may lead from one to another.
    read = {identity: pair.source for pair in pairs for identity in _identities(pair.source)}
    for written in (*(pair.target for pair in pairs), errors_file(target)):
        source_of_it = next((read[identity] for identity in _identities(written) if identity in read), None)
        if source_of_it is not None:
            raise InputError(
                f"{written} is an input itself ({source_of_it}). Give another name for the output.",
                f"{written} 就是输入文件（{source_of_it}）。请为输出另取一个名字。",
            )
    if len({pair.target for pair in pairs}) < len(pairs):
        raise InputError(
            "Two of the tables would be written to one file. Rename one of them.",
            "有两个表格会写入同一个文件。请重命名其中一个。",
        )


def _identities(path: Path) -> tuple[object, ...]:
    """What makes a file the same one as another: its resolved path and, if it exists, device and inode."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (path.resolve(),)
    return (path.resolve(), (status.st_dev, status.st_ino))


def errors_file(target: Path) -> Path:
    """The file that lists the rows without a result: beside OUT, not inside, where it would be read as a table."""
    target = target.resolve()
    return target.with_name(f"{target.name}.errors.jsonl")


def partial_folder(target: Path) -> Path:
    """The work folder of an unfinished job, see `work_folder.py`."""
    target = target.resolve()
    return target.with_name(f"{target.name}.partial")

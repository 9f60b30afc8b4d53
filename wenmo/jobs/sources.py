"""Which files a job reads, and which it writes.

A file makes a file. A folder (with the folders in it) or a pattern makes a folder: each table in it gets one of the
same name and format at the same place below OUT, so that the output of a partitioned data set is one again, and two
tables with different columns need not be forced into one. Workbooks become CSV (`a.xlsx.csv`): Excel is read, not
written.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from wenmo.errors import InputError
from wenmo.tables.table import READ_SUFFIXES, SUFFIXES, check_suffix


@dataclass(frozen=True, kw_only=True)
class FilePair:
    """`name` is what the file is called in messages: its path below the folder, or its own name."""

    name: str
    source: Path
    target: Path


def find_files(source: Path, target: Path) -> tuple[FilePair, ...]:
    """The pairs of IN and OUT, ordered by name. Raises InputError where there is nothing to read or nowhere to write.

    In a folder, files of other suffixes are passed over, and what begins with a dot or an underscore (marks of other
    programs); by a pattern, what begins with a dot. Where a file's own name looks like a pattern, it is the file.
    """
    try:
        pairs = _pairs(source, target)
        _check_places(source, target, pairs)
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, links in a circle, a zero byte
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"Cannot use these paths: {error}. Choose other names.", f"无法使用这些路径：{error}。请换用别的名称。"
        ) from None
    return pairs


def _pairs(source: Path, target: Path) -> tuple[FilePair, ...]:
    hidden: tuple[str, ...]
    if source.is_dir():
        base, found, hidden = source, sorted(source.rglob("*")), (".", "_")
    elif not source.exists() and glob.has_magic(str(source)):
        fixed = next(index for index, part in enumerate(source.parts) if glob.has_magic(part))
        base = Path(*source.parts[:fixed])
        found, hidden = sorted(base.glob("/".join(source.parts[fixed:]))), (".",)
    else:
        check_suffix(target)
        if target.is_dir():
            raise InputError(f"{target} is a folder. Give the name of a file.", f"{target} 是目录。请给出文件名。")
        return (FilePair(name=source.name, source=source, target=target.resolve()),)
    tables = [
        path
        for path in found
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
            f"“{target.name}”是文件名，而多个表格需要输出到目录。请给出目录名。",
        )
    pairs = []
    for path in tables:
        name = path.relative_to(base)
        written = name if name.suffix.lower() in SUFFIXES else name.with_name(f"{name.name}.csv")
        pairs.append(FilePair(name=name.as_posix(), source=path, target=(target / written).resolve()))
    return tuple(pairs)


def _check_places(source: Path, target: Path, pairs: tuple[FilePair, ...]) -> None:
    if not target.resolve().parent.is_dir():
        raise InputError(
            f"There is no folder {target.parent} to write {target.name} to. Create it first.",
            f"目录 {target.parent} 不存在，无法写入 {target.name}。请先创建该目录。",
        )
    if source.is_dir() and target.resolve().is_relative_to(source.resolve()):
        raise InputError(
            f"{target} lies in the folder that is read: the next run would read it, too. Choose another place.",
            f"{target} 位于输入目录之内，下次运行会把它也读进去。请换一个位置。",
        )
    errors = errors_file(target)
    for pair in pairs:
        same = pair.target.exists() and pair.source.exists() and pair.source.samefile(pair.target)
        if same or pair.source.resolve() in (pair.target, errors):
            written = errors if pair.source.resolve() == errors else pair.target
            raise InputError(
                f"{written} is the input itself. Give another name for the output.",
                f"{written} 就是输入文件。请为输出另取一个文件名。",
            )
    if len({pair.target for pair in pairs}) < len(pairs):
        raise InputError(
            "Two of the tables would be written to one file. Rename one of them.",
            "有两个表格会写入同一个文件。请重命名其中一个。",
        )


def errors_file(target: Path) -> Path:
    """Where the rows without a result are told: beside OUT, never in a folder that is read as tables."""
    target = target.resolve()
    return target.with_name(f"{target.name}.errors.jsonl")


def partial_folder(target: Path) -> Path:
    """Where finished shards lie until the job is done."""
    target = target.resolve()
    return target.with_name(f"{target.name}.partial")

"""What this machine is, what the engine makes of it, and what to do about what is slow: `wenmo doctor`.

`checks` takes seconds and needs no GPU. `tables` measures on a device what the articles measured, beside what is
predicted for it, so that anybody with a GPU can verify what could not be measured here.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from wenmo.engine import Engine, auto_precision
from wenmo.errors import WenmoError
from wenmo.inference.precision import computes_natively, cpu_kind, has_fast_half, resolve_device
from wenmo.inference.torch_runtime import TorchRuntime
from wenmo.lab.measure import available_bytes, measure
from wenmo.lab.predict import predict
from wenmo.lab.presets import Preset, article
from wenmo.lab.throughput import ShapeName, invented_reviews, throughput
from wenmo.models.checkpoint import load_checkpoint
from wenmo.models.hubs import cache_root
from wenmo.models.registry import locate
from wenmo.paths import CACHE
from wenmo.settings import Settings
from wenmo.tasks.table import TASKS
from wenmo.telemetry.machine import machine
from wenmo.telemetry.nvml import Gpus
from wenmo.types import Precision

_PACKAGES = ("wenmo", "torch", "transformers", "modelscope", "streamlit", "numpy", "numba")
_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "i8mm")
_HUBS = {"modelscope": "https://www.modelscope.cn", "huggingface": "https://huggingface.co"}
_HUB_S = 5.0
_LEAST_MEMORY_GIB, _LEAST_DISK_GIB = 2.0, 2.0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing about the machine. `advice` says what to do, where something is slow or missing; else it is None."""

    name: str
    text: str
    text_zh: str
    values: dict[str, Any] = field(default_factory=dict)
    advice: str | None = None
    advice_zh: str | None = None


def checks(settings: Settings) -> Iterator[Check]:
    """Each as soon as it is known: versions, processor, threads, memory, GPUs, models, disk, hub, port."""
    yield _versions()
    yield _processor()
    yield _threads()
    yield _memory()
    yield _gpus()
    yield from _models(settings)
    yield _disk(settings)
    yield _hub(settings)
    yield _port(settings)


def _versions() -> Check:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # an extra that is not installed, or wenmo run from a checkout
    found["python"] = platform.python_version()
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    return Check(name="versions", text=text, text_zh=text, values=found)


def _processor() -> Check:
    half = has_fast_half(torch.bfloat16)
    values = {"machine": machine(), "kind": cpu_kind(), "features": _cpu_features(), "fast_half": half.value}
    features = ", ".join(_cpu_features()) or "-"
    return Check(
        name="processor",
        text=f"{machine()}; {features}; {half.reason}",
        text_zh=f"{machine()}；{features}；{half.reason_zh}",
        values=values,
    )


def _cpu_features() -> list[str]:
    """Those of `_FEATURES` that the kernel knows of; empty where it does not say."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [name for name in _FEATURES if name in flags]


def _threads() -> Check:
    threads, allowed = torch.get_num_threads(), _allowed_cores()
    advice = advice_zh = None
    if threads > allowed:
        best = f"OMP_NUM_THREADS={int(allowed) or 1}"
        advice = f"{threads} threads share {allowed:g} cores and wait for each other: set {best}."
        advice_zh = f"{threads} 个线程共用 {allowed:g} 个核，会互相等待：请设 {best}。"
    elif threads < (psutil.cpu_count(logical=False) or threads) and threads < allowed:
        advice = f"{threads} threads leave cores idle: raise OMP_NUM_THREADS, or unset it."
        advice_zh = f"{threads} 个线程未用满处理器：请调大或取消 OMP_NUM_THREADS。"
    return Check(
        name="threads",
        text=f"{threads} threads on {allowed:g} cores",
        text_zh=f"{threads} 个线程，可用 {allowed:g} 个核",
        values={"threads": threads, "cores": allowed},
        advice=advice,
        advice_zh=advice_zh,
    )


def _allowed_cores() -> float:
    """What this process may use: of the affinity and a container's quota the smaller."""
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return cores if quota == "max" else min(cores, int(quota) / int(period))
    except (OSError, ValueError):  # no container
        return cores


def _memory() -> Check:
    free, total = available_bytes() / 2**30, psutil.virtual_memory().total / 2**30
    low = free < _LEAST_MEMORY_GIB
    return Check(
        name="memory",
        text=f"{free:.1f} GiB free of {total:.1f}",
        text_zh=f"空闲 {free:.1f} GiB，共 {total:.1f} GiB",
        values={"free_gib": round(free, 2), "total_gib": round(total, 2)},
        advice="Little for models of base size and more; the bundled ones fit." if low else None,
        advice_zh="对 base 及更大的模型偏少；自带模型够用。" if low else None,
    )


def _gpus() -> Check:
    gpus = Gpus()
    readings = gpus.read()
    gpus.close()
    names = [f"{each.gpu.index}: {each.gpu.name}" for each in readings]
    built = torch.version.cuda
    advice = advice_zh = None
    if readings and not torch.cuda.is_available():
        advice = f"This torch ({torch.__version__}) cannot use the GPU: install a CUDA build that its driver supports."
        advice_zh = f"有 GPU，但当前 torch（{torch.__version__}）无法使用：请安装驱动支持的 CUDA 版。"
    return Check(
        name="gpus",
        text="; ".join(names) or gpus.count.reason,
        text_zh="；".join(names) or gpus.count.reason_zh,
        values={"gpus": names, "torch_cuda": built, "usable": torch.cuda.is_available()},
        advice=advice,
        advice_zh=advice_zh,
    )


def _models(settings: Settings) -> Iterator[Check]:
    """Each model that is here, with the precision that it computes in. None is downloaded."""
    for task, name in settings.models.items():
        if not name:
            continue
        start = time.perf_counter()
        try:
            with Engine(
                device=settings.device,
                precision=settings.precision,
                models={task: name},
                models_folder=settings.models_folder,
                cache_mib=0,
            ) as engine:
                info = engine.model_info(task)
        except WenmoError as error:
            yield Check(name=f"model {task}", text=name, text_zh=name, advice=error.en, advice_zh=error.zh)
            continue
        seconds, chosen = time.perf_counter() - start, info.precision
        yield Check(
            name=f"model {task}",
            text=f"{name}: {chosen.value}, loaded in {seconds:.1f} s; {chosen.reason}",
            text_zh=f"{name}：{chosen.value}，载入 {seconds:.1f} 秒；{chosen.reason_zh}",
            values={"model": name, "precision": chosen.value, "reason": chosen.reason, "seconds": round(seconds, 2)},
        )


def _disk(settings: Settings) -> Check:
    places = {
        "models": settings.models_folder,
        "hub": cache_root(""),
        "cache": CACHE,
        "temporary": Path(tempfile.gettempdir()),
    }
    free = {name: round(shutil.disk_usage(_nearest(path)).free / 2**30, 1) for name, path in places.items()}
    low = [name for name, gib in free.items() if gib < _LEAST_DISK_GIB]
    text = ", ".join(f"{name} {gib} GiB" for name, gib in free.items())
    return Check(
        name="disk",
        text=f"free: {text}",
        text_zh=f"空闲：{text}",
        values={"free_gib": free, "folders": {name: str(path) for name, path in places.items()}},
        advice=f"Little room for {', '.join(low)}: free some before downloads and jobs." if low else None,
        advice_zh=f"{'、'.join(low)} 所在磁盘空间不足：下载或运行文件任务前请先清理。" if low else None,
    )


def _nearest(path: Path) -> Path:
    """The first of `path` and its parents that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _hub(settings: Settings) -> Check:
    names = ("HF_ENDPOINT",) if settings.hub == "huggingface" else ("MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN")
    address = next(filter(None, map(os.environ.get, names)), _HUBS[settings.hub])
    address = address if address.startswith(("http://", "https://")) else f"https://{address}"
    problem = None
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - of these two schemes
    try:
        with urllib.request.urlopen(request, timeout=_HUB_S):  # noqa: S310
            pass
    except urllib.error.HTTPError:
        pass  # it answers
    except (OSError, ValueError) as error:
        problem = str(getattr(error, "reason", error))
    return Check(
        name="hub",
        text=f"{address} {'answers' if problem is None else f'does not answer: {problem}'}",
        text_zh=f"{address} {'可以访问' if problem is None else f'无法访问：{problem}'}",
        values={"address": address, "reachable": problem is None},
        advice=problem and "Bundled models and those in the cache need no hub. For others set a proxy or mirror.",
        advice_zh=problem and "自带模型与缓存中的模型不需要它；下载其他模型请设置代理或镜像。",
    )


def _port(settings: Settings) -> Check:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
            problem = None
        except OSError as error:
            problem = error.strerror or str(error)
    where = f"{settings.host}:{settings.port}"
    return Check(
        name="port",
        text=f"{where} {'is free' if problem is None else f'cannot be used: {problem}'}",
        text_zh=f"{where} {'空闲' if problem is None else f'不可用：{problem}'}",
        values={"address": where, "free": problem is None},
        advice=None if problem is None else "A server may run there already; else choose another with --port.",
        advice_zh=None if problem is None else "可能已有服务在运行；否则请用 --port 换一个端口。",
    )


# --- on a device ---


@dataclass(frozen=True, kw_only=True)
class Parity:
    """A bundled model in a precision on the device, beside fp32 on the CPU, see `auto_precision.Tried`."""

    task: str
    precision: Precision
    change: float
    decisions: float


def tables(
    device: str,
    *,
    model: str = "base",
    shape: ShapeName = "base",
    count: int = 256,
    progress: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Parity, memory (measured beside predicted) and throughput on `device`, as JSON. Some minutes on a GPU.

    `model` is the size whose memory is measured and `shape` the one whose speed is, with `count` reviews. Raises
    DeviceError for a device that is not there.
    """
    where = resolve_device(device).value
    precisions = "fp16,bf16,fp32" if where.startswith("cuda") else "fp32,int8"
    progress("parity")
    parity = [asdict(each) for each in _parity(where, precisions.split(","))]  # type: ignore[arg-type]
    return {
        "benchmark": "doctor",
        "machine": machine(),
        "device": torch.cuda.get_device_name(where) if where.startswith("cuda") else where,
        "parity": parity,
        "memory": list(_memory_rows(article(model, training_model=model), where, progress)),
        "throughput": asdict(
            throughput(
                shape=shape, items=invented_reviews(count), device=where, precision=precisions, progress=progress
            )
        ),
    }


def _parity(device: str, precisions: list[Precision]) -> Iterator[Parity]:
    for spec in TASKS.values():
        if not spec.bundled:
            continue
        checkpoint = load_checkpoint(locate(spec.bundled), task=spec.name)
        exact = auto_precision.probe_output(checkpoint, spec, _runtime(checkpoint, "cpu", "fp32"))
        for precision in precisions:
            output = auto_precision.probe_output(checkpoint, spec, _runtime(checkpoint, device, precision))
            change, decisions = auto_precision.compared(output, exact, spec)
            yield Parity(task=spec.name, precision=precision, change=change, decisions=decisions)


def _runtime(checkpoint: Any, device: str, precision: Precision) -> TorchRuntime:
    native = computes_natively(precision, device)
    return TorchRuntime(checkpoint, device=torch.device(device), precision=precision, native=native)


def _memory_rows(preset: Preset, device: str, progress: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    on_gpu = device.startswith("cuda")
    for step in preset.steps:
        configuration = step.configuration
        if on_gpu and configuration.precision == "int8":
            continue
        progress(step.title)
        row: dict[str, Any] = {"step": step.title, "configuration": configuration.as_json()}
        row["predicted"] = predict(configuration, device="cuda" if on_gpu else "cpu").peak.total
        try:
            measured = measure(configuration, device=device)
        except WenmoError as error:
            yield {**row, "measured": None, "error": error.en}
            continue
        assert measured is not None  # nobody cancels
        yield {**row, "measured": measured.peak.total, "median_ms": measured.median_ms}

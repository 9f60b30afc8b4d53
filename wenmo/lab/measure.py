"""One configuration, run and measured in a process of its own, so that nothing of another run is in its figures.

The child computes the step for its times and its resident peak, and once more under the tracker (allocations.py) for
the account of each block; on a CUDA GPU torch's allocator and the driver are asked instead. It ends when the parent
closes its standard input, and so also when the parent dies; a run that is cancelled, takes too long or too much memory
is killed with its process group. What the prediction says would not fit is not begun.

On a GPU the split between activations and workspace is not known, and this path was not tried on one.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from wenmo.errors import DeviceError, InputError
from wenmo.lab.allocations import Breakdown
from wenmo.lab.configuration import Configuration
from wenmo.lab.predict import predict

RUNS = 3
TIME_LIMIT_S = 600.0
_POLL_S = 0.1
_LIBRARIES_BYTES = 700 * 2**20  # the interpreter with torch and transformers
_BUILDING = 2.4  # times the weights in float32: as read or drawn, and joined to the model's own
_ROOT = Path(__file__).resolve().parents[2]

Progress = Callable[[str], None]  # told the stage: starting, building, timing, tracking


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """`peak`: bytes by purpose when most were alive. `most_activations`: of activations, at their own highest moment.

    `native`: half precision was computed, not only stored, in half. `seconds` are those of each run, after one that is
    not counted. `resident` is the process's highest resident set during those runs less what it was with all libraries
    loaded and no model; None where the system does not tell. On a GPU `reserved` is the allocator's and `process_gpu`
    what the driver counts as used since before the first tensor; None on a CPU.
    """

    configuration: Configuration
    device: str
    device_name: str
    threads: int
    native: bool
    peak: Breakdown
    most_activations: int
    seconds: tuple[float, ...]
    resident: int | None
    libraries: int
    reserved: int | None
    process_gpu: int | None

    @property
    def median_ms(self) -> float:
        return statistics.median(self.seconds) * 1000

    @property
    def pieces_per_s(self) -> float:
        """Real pieces; padding does not count."""
        return self.configuration.pieces / statistics.median(self.seconds)

    @property
    def sequences_per_s(self) -> float:
        return self.configuration.batch / statistics.median(self.seconds)

    @property
    def overhead(self) -> int | None:
        """Bytes beyond the tensors: buffers of libraries and what allocators keep; on a GPU the context, too."""
        taken = self.resident if self.process_gpu is None else self.process_gpu
        return None if taken is None else taken - self.peak.total

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Measurement:
        """The way back from `as_json`."""
        return cls(
            **{
                **values,
                "configuration": Configuration.from_json(values["configuration"]),
                "peak": Breakdown(**values["peak"]),
                "seconds": tuple(values["seconds"]),
            }
        )


def measure(
    configuration: Configuration,
    *,
    device: str = "auto",
    runs: int = RUNS,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Progress = lambda stage: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Measurement | None:
    """Measure `configuration` on this machine; None when `cancelled()` was true before the end.

    Raises DeviceError for a device that is not there and for what does not fit into the free memory, InputError when
    the time limit is reached, and the errors of finding and loading a model. No process is left behind in any case.
    """
    from wenmo.inference.precision import computes_natively, resolve_device, resolve_precision

    where = resolve_device(device).value
    resolve_precision(configuration.precision, where)
    if where == "cpu":
        _check_memory(configuration)
    native = computes_natively(configuration.precision, where)  # once for all: it is timed
    request = {"configuration": configuration.as_json(), "device": where, "native": native, "runs": runs}
    deadline = time.monotonic() + time_limit_s
    progress("starting")
    with _child() as (process, messages):
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # one that has died already is told of below
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()  # left open: its end is the sign to end
        while True:
            if cancelled():
                return None
            if time.monotonic() > deadline:
                raise InputError(
                    f"{configuration.name} took longer than {time_limit_s:g} s. Measure a smaller batch or model.",
                    f"{configuration.name} 超过了 {time_limit_s:g} 秒。请测量更小的批或模型。",
                )
            _check_child(configuration, process)
            try:
                message = messages.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if message is None:
                raise _died(configuration, process)
            if "stage" in message:
                progress(message["stage"])
            elif "error" in message:
                raise InputError(message["error"]["en"], message["error"]["zh"])
            else:
                return Measurement.from_json(message["result"])


@contextlib.contextmanager
def _child() -> Iterator[tuple[subprocess.Popen[str], queue.Queue[dict[str, Any] | None]]]:
    """A fresh interpreter and what it tells, ended by None; dead with its group when the context is left."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "wenmo.lab.measure"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # the profiler's notes
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"},
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    assert process.stdout is not None
    messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, messages), name="wenmo-measure", daemon=True)
    reader.start()
    try:
        yield process, messages
    finally:
        _kill(process)
        reader.join()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                if stream is not None:
                    stream.close()


def _read(lines: IO[str], messages: queue.Queue[dict[str, Any] | None]) -> None:
    for line in lines:
        with contextlib.suppress(ValueError):  # libraries print, too
            message = json.loads(line)
            if isinstance(message, dict):
                messages.put(message)
    messages.put(None)


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)  # its own session, and so its group
        else:
            process.kill()
    process.wait()


def available_bytes() -> int:
    """Memory that a new process could take: the system's, or what is left of the container's limit."""
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no container, or "max"
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        free = min(free, limit - int((group / "memory.current").read_text(encoding="ascii")))
    return free


def _check_memory(configuration: Configuration) -> None:
    from wenmo.models.checkpoint import expected_shapes

    shape, labels = configuration.sizes()
    sizes = expected_shapes(shape, labels=labels or None).values()
    in_float32 = sum(4 * rows[0] * (rows[1] if len(rows) > 1 else 1) for rows in sizes)
    running = predict(configuration, device="cpu").peak.total
    needed, free = _LIBRARIES_BYTES + max(int(_BUILDING * in_float32), running), available_bytes()
    if needed > free:
        raise DeviceError(
            f"{configuration.name} would take {needed / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free. "
            "Measure a smaller batch or model, or free memory; the prediction needs none.",
            f"{configuration.name} 约需 {needed / 2**30:.1f} GiB 内存，而空闲仅 {free / 2**30:.1f} GiB。"
            "请测量更小的批或模型，或释放内存；预测则不需要内存。",
        )


def _check_child(configuration: Configuration, process: subprocess.Popen[str]) -> None:
    """A prediction may be wrong, and others take memory, too: stop before the system must choose a victim."""
    if available_bytes() < 2**28 and process.poll() is None:
        raise DeviceError(
            f"Memory ran out while {configuration.name} was measured; it was stopped. Take a smaller batch or model.",
            f"测量 {configuration.name} 时内存不足，已停止。请测量更小的批或模型。",
        )


def _died(configuration: Configuration, process: subprocess.Popen[str]) -> DeviceError:
    code = process.wait()
    return DeviceError(
        f"The process that measured {configuration.name} ended without a result (status {code}); killed by the system "
        "for want of memory, perhaps. Measure a smaller batch or model.",
        f"测量 {configuration.name} 的进程未给出结果便结束了（状态 {code}），可能因内存不足被系统终止。"
        "请测量更小的批或模型。",
    )


def _main() -> None:
    """The child: a request from standard input, stages and the result to standard output, a JSON object a line."""
    from wenmo.errors import WenmoError

    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        result = _measure_here(
            Configuration.from_json(request["configuration"]),
            request["device"],
            native=request["native"],
            runs=request["runs"],
        )
        _tell({"result": result.as_json()})
    except WenmoError as error:
        _tell({"error": {"en": error.en, "zh": error.zh}})


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _tell(message: dict[str, Any]) -> None:
    print(json.dumps(message, ensure_ascii=False), flush=True)


def _measure_here(configuration: Configuration, device: str, *, native: bool, runs: int) -> Measurement:
    import torch

    from wenmo.lab.allocations import track
    from wenmo.lab.workload import real_workload

    if configuration.layout == "padded":
        import transformers.models.bert.modeling_bert  # noqa: F401 - a library, not part of the model

    on_gpu = device != "cpu"
    gpu_before = _gpu_used(device) if on_gpu else None
    libraries = psutil.Process().memory_info().rss
    _tell({"stage": "building"})
    workload = real_workload(configuration, device=torch.device(device), native=native)
    _tell({"stage": "timing"})
    workload.step()
    told = _reset_resident_peak()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        workload.step()
        if on_gpu:
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    resident = _resident_peak() if told else None
    reserved = process_gpu = None
    if on_gpu:
        assert gpu_before is not None
        peak = _gpu_peak(workload.standing, workload.gradients(), torch.cuda.max_memory_allocated(device))
        most_activations = peak.activations
        reserved, process_gpu = torch.cuda.max_memory_reserved(device), _gpu_used(device) - gpu_before
    else:
        _tell({"stage": "tracking"})
        timeline = track(workload.step, standing=workload.standing, gradients=workload.gradients)
        peak, most_activations = timeline.peak(), timeline.most_activations()
    return Measurement(
        configuration=configuration,
        device=device,
        device_name=torch.cuda.get_device_name(device) if on_gpu else _processor(),
        threads=torch.get_num_threads(),
        native=native,
        peak=peak,
        most_activations=most_activations,
        seconds=tuple(seconds),
        resident=None if resident is None else resident - libraries,
        libraries=libraries,
        reserved=reserved,
        process_gpu=process_gpu,
    )


def _processor() -> str:
    from wenmo.lab.throughput import machine

    return machine()


def _gpu_peak(standing: Any, gradients: list[Any], allocated: int) -> Breakdown:
    """Of what the allocator says, all that is not known to be something else is activations."""

    def size(tensors: Any) -> int:
        return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())

    weights, optimiser = size(standing["weights"]), size(standing.get("optimiser", ()))
    known = weights + optimiser + size(gradients)
    return Breakdown(
        weights=weights, optimiser=optimiser, gradients=size(gradients), activations=max(0, allocated - known)
    )


def _gpu_used(device: str) -> int:
    import torch

    free, total = torch.cuda.mem_get_info(device)
    return total - free


def _reset_resident_peak() -> bool:
    """Linux counts the highest resident set anew from here; False where that cannot be asked for."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _resident_peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    _main()

"""Run one configuration in a fresh process and measure its time and memory, undisturbed by earlier runs.

The child process runs the step for times and for the resident peak, and once more under the tracker (allocations.py),
which accounts for every block. On a CUDA GPU it asks torch's allocator and the driver instead; there, activations and
workspace cannot be told apart, and this path has not been tried on a GPU yet.

The child ends when the parent closes its standard input, and so also when the parent dies. A run that is cancelled,
takes too long or takes too much memory is killed with its process group. A run whose predicted memory does not fit is
not started.
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
from wenmo.telemetry.machine import machine

RUNS = 3
TIME_LIMIT_S = 600.0
_POLL_S = 0.1
_LIBRARIES_BYTES = 700 * 2**20  # the interpreter with torch and transformers
_BUILDING = 2.4  # the peak while building the model, as a multiple of its weights in float32: they exist twice
_ROOT = Path(__file__).resolve().parents[2]

OnStage = Callable[[str], None]  # takes the stage that begins: starting, building, timing, tracking


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Memory in bytes, and the times of the runs.

    `peak`: by purpose, at the moment when the sum was largest. `most_activations`: activations with workspace, at the
    moment when they were largest. `native`: half precision was also the precision of the arithmetic, not only that of
    the stored weights. `seconds`: one for each run; a warm-up run is not counted. `resident`: the process's highest
    resident set during those runs, less `libraries`, its size with all libraries loaded and no model; None where the
    system does not tell. `reserved`: by torch's allocator; `process_gpu`: used since before the first tensor, by the
    driver's count; both None on a CPU.
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
    def tokens_per_s(self) -> float:
        """Padding does not count."""
        return self.configuration.tokens / statistics.median(self.seconds)

    @property
    def sequences_per_s(self) -> float:
        return self.configuration.batch / statistics.median(self.seconds)

    @property
    def overhead(self) -> int | None:
        """Bytes beyond the tensors: buffers of libraries, memory that allocators keep, and on a GPU the context."""
        taken = self.resident if self.process_gpu is None else self.process_gpu
        return None if taken is None else taken - self.peak.total

    def as_json(self) -> dict[str, Any]:
        """Plain values; `from_json` is the way back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Measurement:
        """The inverse of `as_json`."""
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
    progress: OnStage = lambda stage: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Measurement | None:
    """Measure `configuration` on this machine; None when `cancelled()` became true before the end.

    Raises DeviceError when the device is missing or the free memory does not suffice, InputError when the time limit is
    reached, and the errors of finding and loading a model. It never leaves a process behind.
    """
    from wenmo.inference.precision import computes_natively, resolve_device, resolve_precision

    where = resolve_device(device).value
    resolve_precision(configuration.precision, where)
    if where == "cpu":
        _check_memory(configuration)
    native = computes_natively(configuration.precision, where)  # here, not in the child: finding out runs a benchmark
    request = {"configuration": configuration.as_json(), "device": where, "native": native, "runs": runs}
    deadline = time.monotonic() + time_limit_s
    progress("starting")
    with _child() as (process, messages):
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # a child that is dead already is reported below
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()  # stays open: closing it ends the child
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
    """Start a child and read its messages, with None after the last; leaving the context kills its process group."""
    paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "wenmo.lab.measure"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # notes of the profiler
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
        with contextlib.suppress(ValueError):  # a line that a library has printed
            message = json.loads(line)
            if isinstance(message, dict):
                messages.put(message)
    messages.put(None)


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)  # the child leads its own group
        else:
            process.kill()
    process.wait()


def available_bytes() -> int:
    """Memory that a new process could take: what the system has free, or what the container's limit leaves."""
    free = int(psutil.virtual_memory().available)
    group = Path("/sys/fs/cgroup")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit ("max")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        free = min(free, limit - int((group / "memory.current").read_text(encoding="ascii")))
    return free


def _check_memory(configuration: Configuration) -> None:
    from wenmo.models.shape import expected_shapes

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
    """Stop when memory runs out, before the system picks a process to kill.

    The prediction may have been wrong, or other programs may have taken the memory.
    """
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
    """The child: read a request from standard input, print stages and the result, each as one line of JSON."""
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
        import transformers.models.bert.modeling_bert  # noqa: F401 - counts as a library, not as the model

    on_gpu = device != "cpu"
    gpu_before = _gpu_used(device) if on_gpu else None
    libraries = psutil.Process().memory_info().rss
    _tell({"stage": "building"})
    workload = real_workload(configuration, device=torch.device(device), native=native)
    _tell({"stage": "timing"})
    workload.step()
    counted = _reset_resident_peak()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = tuple(_seconds(workload.step, device) for _ in range(runs))
    resident = _resident_peak() - libraries if counted else None
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
        device_name=torch.cuda.get_device_name(device) if on_gpu else machine(),
        threads=torch.get_num_threads(),
        native=native,
        peak=peak,
        most_activations=most_activations,
        seconds=seconds,
        resident=resident,
        libraries=libraries,
        reserved=reserved,
        process_gpu=process_gpu,
    )


def _seconds(step: Callable[[], None], device: str) -> float:
    import torch

    start = time.perf_counter()
    step()
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _gpu_peak(standing: Any, gradients: list[Any], allocated: int) -> Breakdown:
    """Split `allocated`, the allocator's peak: what is not weights, optimiser state or gradients is activations."""

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
    """Make Linux count the highest resident set anew from here; False where the system cannot do so."""
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

"""What a configuration would take, without running it, on this CPU or on a CUDA GPU that need not be there.

The same code as is measured runs on fake tensors (workload.py), and the sizes of what its operators return are summed
(allocations.py). For a GPU that timeline goes through torch's caching allocator (cuda_allocator.py), and two terms are
added that no tensor shows: cuBLAS's workspace and the CUDA context.

Held against the tracker on a CPU by tests/unit/memory/test_predict.py; not yet against a GPU's own figures. Of what
operators take for themselves only attention's buffers are predicted: where a CPU multiplies in half precision, oneDNN
takes scratch space that depends on the processor and on each product's sizes, up to twice a layer's widest weight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wenmo.errors import DeviceError
from wenmo.lab.allocations import Breakdown, TensorLog, Timeline
from wenmo.lab.configuration import Configuration
from wenmo.lab.cuda_allocator import simulate, with_standing
from wenmo.models.shape import BertShape

Device = Literal["cpu", "cuda"]

# torch's default for GPUs before Hopper, which take 32 MiB; aten/src/ATen/cuda/CublasHandlePool.cpp.
CUBLAS_WORKSPACE_BYTES = (2 * 4096 + 8 * 16) * 1024
# What a process holds on a GPU before its first tensor: the context and the kernels loaded into it. It depends on the
# GPU, the driver and the libraries: 128 to 256 MiB were seen for a bare context of CUDA 12 (invoke-ai/InvokeAI#9447),
# 781 MB with all of torch's libraries loaded (pytorch/pytorch#34323). Between them, and so an assumption.
CONTEXT_BYTES = 500 * 2**20


@dataclass(frozen=True, kw_only=True)
class GpuTerms:
    """Bytes. `allocated` and `reserved` are what torch.cuda.max_memory_allocated and max_memory_reserved would say.

    `rounding` is what blocks hold beyond the tensors in them, at the peak of `allocated`; `context` is assumed.
    """

    rounding: int
    cublas: int
    allocated: int
    reserved: int
    context: int

    @property
    def total(self) -> int:
        """What nvidia-smi would show of the process."""
        return self.reserved + self.context


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """`peak`: bytes of tensors when most are alive. `native`: half precision is
    computed, not only stored, in half. `most_activations`: bytes of them at their own highest moment.

    `floor_bytes`: see `floor_bytes`; None for a training step, whose activations depend on what is kept.
    """

    configuration: Configuration
    device: Device
    native: bool
    peak: Breakdown
    most_activations: int
    floor_bytes: int | None
    gpu: GpuTerms | None


def predict(configuration: Configuration, *, device: Device = "cuda", native: bool | None = None) -> Prediction:
    """Some seconds at most; needs neither the GPU nor the memory that it tells of.

    `native` None: as it would be on the device; a GPU has units for half precision, a CPU is asked. Raises DeviceError
    for int8 on a GPU, and the errors of finding a model.
    """
    on_gpu = device == "cuda"
    if on_gpu and configuration.precision == "int8":
        raise DeviceError(
            "int8 runs on a CPU only. Predict fp16 for a GPU, or device='cpu'.",
            "int8 只能在 CPU 上运行。GPU 请预测 fp16，或设 device='cpu'。",
        )
    if native is None:
        from wenmo.inference.precision import computes_natively

        native = computes_natively(configuration.precision, device)
    timeline = timeline_of(configuration, gpu=on_gpu, native=native)
    peak = timeline.peak()
    return Prediction(
        configuration=configuration,
        device=device,
        native=native,
        peak=peak,
        most_activations=timeline.most_activations(),
        floor_bytes=floor_bytes(configuration, weights=peak.weights, native=native),
        gpu=gpu_terms(timeline) if on_gpu else None,
    )


def timeline_of(configuration: Configuration, *, gpu: bool, native: bool) -> Timeline:
    """What a step of `configuration` would allocate, in order."""
    from wenmo.lab.workload import fake_workload  # brings torch's fake tensors

    with fake_workload(configuration, native=native, gpu=gpu) as workload:
        with TensorLog(workload.standing) as log:
            workload.step()
        return log.timeline(workload.gradients())


def gpu_terms(timeline: Timeline, *, context: int = CONTEXT_BYTES) -> GpuTerms:
    """What torch's allocator and the driver add to the tensors of `timeline`."""
    peaks = simulate(with_standing(timeline, CUBLAS_WORKSPACE_BYTES))
    return GpuTerms(
        rounding=peaks.allocated - CUBLAS_WORKSPACE_BYTES - timeline.peak().total,
        cublas=CUBLAS_WORKSPACE_BYTES,
        allocated=peaks.allocated,
        reserved=peaks.reserved,
        context=context,
    )


def floor_bytes(configuration: Configuration, *, weights: int, native: bool) -> int | None:
    """`weights` and the largest set of activations that a forward cannot do without, for real pieces only.

    For T pieces, hidden size H and inner size I, in the type that is computed in: attention reads queries, keys and
    values and writes their context, with the residual waiting (5 T H); the last product of the feed-forward reads its
    inner activation and writes its output, with the residual waiting (T (2 H + I)). INT8 walks over the rows in the
    feed-forward, so attention alone counts. Weights that are only stored in half are widened one by one, and the widest
    of them stands beside that product. Fusing operators, or walking over rows everywhere, would go below.
    """
    if configuration.work == "training_step":
        return None
    shape, _ = configuration.sizes()
    return weights + _largest_activations(configuration, shape, native=native)


def _largest_activations(configuration: Configuration, shape: BertShape, *, native: bool) -> int:
    hidden, inner, pieces = shape.hidden_size, shape.intermediate_size, configuration.pieces
    in_half = configuration.precision in ("fp16", "bf16")
    attention, feed_forward = 5 * pieces * hidden, pieces * (2 * hidden + inner)
    if configuration.precision == "int8":
        return 4 * attention
    if in_half and not native:
        projections = 4 * pieces * hidden + 3 * hidden * hidden
        return 4 * max(attention, projections, feed_forward + hidden * inner)
    return (2 if in_half else 4) * max(attention, feed_forward)

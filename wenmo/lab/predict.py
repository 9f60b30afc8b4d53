"""Predict the memory of a configuration without running it, on this CPU or on a CUDA GPU that need not be there.

The code that is measured also runs on fake tensors (workload.py), and the sizes of the tensors that its operators
return are summed (allocations.py). For a GPU the timeline goes through a simulation of torch's caching allocator
(cuda_allocator.py), and two terms are added that are not tensors: cuBLAS's workspace and the CUDA context.

tests/unit/lab/test_predict.py checks predictions against the tracker on a CPU; they have not been checked on a GPU yet.
Of the workspace of operators, only the buffers of attention are predicted. Where a CPU multiplies in half precision,
oneDNN also allocates scratch space, which depends on the processor and on the size of each product: up to twice the
widest weight of a layer.
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
# GPU, the driver and the libraries. Reports range from 128 to 256 MiB for a bare context of CUDA 12
# (invoke-ai/InvokeAI#9447) to 781 MB with all of torch's libraries loaded (pytorch/pytorch#34323); 500 MiB is assumed.
CONTEXT_BYTES = 500 * 2**20


@dataclass(frozen=True, kw_only=True)
class GpuTerms:
    """Bytes. `allocated` and `reserved` are what torch.cuda.max_memory_allocated and max_memory_reserved would return.

    `rounding` is the difference between blocks and the tensors in them, at the peak of `allocated`; `context` is
    assumed.
    """

    rounding: int
    cublas: int
    allocated: int
    reserved: int
    context: int

    @property
    def total(self) -> int:
        """What nvidia-smi would show for the process."""
        return self.reserved + self.context


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """Predicted memory in bytes.

    `native`: half precision is also the precision of the arithmetic, not only that of the stored weights. `peak`:
    tensors by purpose, at the moment when their sum is largest. `most_activations`: activations with workspace, at the
    moment when they are largest. `floor_bytes`: see the function; None for a training step.
    """

    configuration: Configuration
    device: Device
    native: bool
    peak: Breakdown
    most_activations: int
    floor_bytes: int | None
    gpu: GpuTerms | None


def predict(configuration: Configuration, *, device: Device = "cuda", native: bool | None = None) -> Prediction:
    """Predict the memory of `configuration` on `device`, which need not be there; this takes some seconds at most.

    `native` None: a GPU is taken to compute in half precision, and this CPU is tested. Raises DeviceError for int8 on
    a GPU, and the errors of finding a model.
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
    """The allocations of one step of `configuration`, in order."""
    from wenmo.lab.workload import fake_workload  # brings torch's fake tensors

    with fake_workload(configuration, native=native, gpu=gpu) as workload:
        with TensorLog(workload.standing) as log:
            workload.step()
        return log.timeline(workload.gradients())


def gpu_terms(timeline: Timeline, *, context: int = CONTEXT_BYTES) -> GpuTerms:
    """Add to the tensors of `timeline` what torch's allocator, cuBLAS and the driver need."""
    peaks = simulate(with_standing(timeline, CUBLAS_WORKSPACE_BYTES))
    return GpuTerms(
        rounding=peaks.allocated - CUBLAS_WORKSPACE_BYTES - timeline.peak().total,
        cublas=CUBLAS_WORKSPACE_BYTES,
        allocated=peaks.allocated,
        reserved=peaks.reserved,
        context=context,
    )


def floor_bytes(configuration: Configuration, *, weights: int, native: bool) -> int | None:
    """The least that a forward needs: `weights`, and the largest activations that it must hold at once.

    None for a training step, whose activations depend on what is kept for the backward pass. Padding does not count.
    With T tokens, hidden size H and inner size I, in the type of the arithmetic: attention reads queries, keys and
    values and writes the context, beside the residual (5 T H); the last product of the feed-forward reads the inner
    activation and writes its output, beside the residual (T (2 H + I)). INT8 computes the feed-forward in blocks of
    rows, so only attention counts. Weights that are only stored in half are converted to float32 one by one, and the
    largest of them is needed beside its product. Fused operators, or blocks of rows everywhere, would need less.
    """
    if configuration.work == "training_step":
        return None
    shape, _ = configuration.sizes()
    return weights + _largest_activations(configuration, shape, native=native)


def _largest_activations(configuration: Configuration, shape: BertShape, *, native: bool) -> int:
    hidden, inner, tokens = shape.hidden_size, shape.intermediate_size, configuration.tokens
    in_half = configuration.precision in ("fp16", "bf16")
    attention, feed_forward = 5 * tokens * hidden, tokens * (2 * hidden + inner)
    if configuration.precision == "int8":
        return 4 * attention
    if in_half and not native:
        projections = 4 * tokens * hidden + 3 * hidden * hidden
        return 4 * max(attention, projections, feed_forward + hidden * inner)
    return (2 if in_half else 4) * max(attention, feed_forward)

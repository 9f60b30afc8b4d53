"""What watching memory costs: `python -m benchmarks.sampler [--seconds 60] [--hz 2]`.

A process that has torch and a loaded model, as the service has, and does nothing but sample; its CPU time over that
while is the sampler's. On a machine with GPUs their reading by NVML is in it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from wenmo.engine import Engine
from wenmo.lab.throughput import write_result
from wenmo.telemetry.machine import machine
from wenmo.telemetry.sampler import Sampler


def main() -> None:
    """See the head of this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hz", type=float, default=2.0)
    parser.add_argument("--out", type=Path, help="write the JSON there, too")
    options = parser.parse_args()
    with Engine() as engine:
        engine.sentiment(["今天天气真好"])
        time.sleep(1.0)  # threads of the forward come to rest
        idle_s = _cpu_seconds(options.seconds / 4)
        sampler = Sampler(hz=options.hz, weights_mib=engine.events.cpu_weights_mib).start()
        sampler.samples()  # the first look imports NVML's client and opens the driver
        sampling_s = _cpu_seconds(options.seconds)
        samples = len(sampler.samples(last_s=options.seconds))
        sampler.stop()
    write_result(
        {
            "benchmark": "sampler",
            "machine": machine(),
            "gpus": sampler.gpu_count.value,
            "hz": options.hz,
            "seconds": options.seconds,
            "samples": samples,
            "share_of_a_core": round(sampling_s / options.seconds, 6),
            "share_of_a_core_idle": round(idle_s / (options.seconds / 4), 6),
        },
        options.out,
    )


def _cpu_seconds(seconds: float) -> float:
    """CPU time of this process while the main thread sleeps."""
    before = time.process_time()
    time.sleep(seconds)
    return time.process_time() - before


if __name__ == "__main__":
    main()

"""Times sums over the GPUs of one host by PyTorch's one-shot and two-shot kernels and by NCCL, each in a captured graph.

    python3 bench/peers/torch/all-reduce.py [--ranks 2] [--kilobytes 8,16,64] [--json FILE]

A rank is a process with a GPU. A figure is microseconds of one of 20 sums in a graph, of the fastest of 30 launches: as
bench/cuda/four-gpus.mjs measures ours. Values are bfloat16: PyTorch's kernels take no float16. Multicast is left off.
"""
import argparse
import json
import os

os.environ["TORCH_SYMM_MEM_DISABLE_MULTICAST"] = "1"
os.environ["NCCL_NVLS_ENABLE"] = "0"

import torch
import torch.distributed as dist
import torch.distributed._symmetric_memory as symmetric
import torch.multiprocessing as processes

CALLS, LAUNCHES = 20, 30


def microseconds(call):
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(CALLS):
            call()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    best = float("inf")
    with torch.cuda.stream(stream):
        for _ in range(LAUNCHES):
            start.record()
            graph.replay()
            end.record()
            end.synchronize()
            best = min(best, start.elapsed_time(end))
    return round(1000 * best / CALLS, 2)


def run(rank, ranks, kilobytes, file):
    os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
    os.environ.setdefault("MASTER_PORT", "29517")
    torch.cuda.set_device(rank)
    dist.init_process_group("nccl", rank=rank, world_size=ranks, device_id=torch.device("cuda", rank))
    group = dist.group.WORLD.group_name
    result = {"torch": torch.__version__, "nccl": ".".join(map(str, torch.cuda.nccl.version())), "kilobytes": kilobytes}
    ways = {
        "oneShot": lambda x: torch.ops.symm_mem.one_shot_all_reduce(x, "sum", group),
        "twoShot": lambda x: torch.ops.symm_mem.two_shot_all_reduce_(x, "sum", group),
        "nccl": lambda x: dist.all_reduce(x),
    }
    for name, way in ways.items():
        times = []
        for size in kilobytes:
            x = symmetric.empty(size * 512, dtype=torch.bfloat16, device=f"cuda:{rank}").fill_(0)
            symmetric.rendezvous(x, group)
            times.append(microseconds(lambda: way(x)))
        result[name] = times
    if rank == 0:
        print(json.dumps(result))
        if file:
            with open(file, "w") as out:
                json.dump(result, out)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--kilobytes", default="8,16,64,256,512,1024,4096,16384")
    parser.add_argument("--json")
    flags = parser.parse_args()
    sizes = [int(word) for word in flags.kilobytes.split(",")]
    processes.spawn(run, args=(flags.ranks, sizes, flags.json), nprocs=flags.ranks)
